"""Starts Mayfly for the Python client tests, on free ports, and ends it as an operator would.

The binary is that of MAYFLY_BINARY, which tests/run sets.
"""

import atexit
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable

START_SECONDS = 30
STOP_SECONDS = 30
WAIT_SECONDS = 30

ADDRESSES = {
    "port": re.compile(r"listening for clients address=127\.0\.0\.1:(\d+)"),
    "metrics_port": re.compile(r"serving /metrics and /healthz address=127\.0\.0\.1:(\d+)"),
}
READY = re.compile(r": ready ")


class Mayfly:
    """A running server with four shards, on any free port unless `port` names one."""

    def __init__(self, port: int = 0, **environment: str):
        command = [os.environ["MAYFLY_BINARY"], f"--port={port}", "--metrics-port=0", "--shards=4"]
        self._process = subprocess.Popen(
            command, env=os.environ | environment, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        self._lines: list[str] = []
        self._started = threading.Event()
        atexit.register(self._process.kill)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._started.wait(START_SECONDS)
        if not any(READY.search(line) for line in self._lines):
            self._process.kill()
            self._reader.join()
            raise AssertionError(f"{command} did not start:\n{self.log}")
        self.port = self._address("port")
        self.metrics_port = self._address("metrics_port")

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def stop(self) -> None:
        """Ends the server by SIGTERM; it must have had nothing to complain about."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"the server did not stop on SIGTERM:\n{self.log}") from None
        finally:
            self._reader.join()
        assert code == 0, f"exit code {code}:\n{self.log}"
        assert " ERROR " not in self.log and "panicked" not in self.log, self.log

    def _read_log(self) -> None:
        with self._process.stderr as log:
            for line in log:
                self._lines.append(line)
                if READY.search(line):
                    self._started.set()
        self._started.set()

    def _address(self, which: str) -> int:
        found = ADDRESSES[which].search(self.log)
        assert found, f"the log names no {which}:\n{self.log}"
        return int(found[1])


def wait_until(what: str, condition: Callable[[], object]) -> object:
    """Waits until `condition` returns something true, and returns that."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        if result := condition():
            return result
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s in vain: {what}"
        time.sleep(0.01)
