"""A program on a terminal of its own, for what it shows to people only."""

import os
import pty
import select
import subprocess
import termios
import time

from mayfly import WAIT_SECONDS


class Terminal:
    """Runs `command` until the end of the `with` block."""

    def __init__(self, *command: str):
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, 200))
        environment = os.environ | {"TERM": "xterm", "REDISCLI_HISTFILE": "/dev/null"}
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.shown = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str, times: int = 1) -> None:
        """Waits until `text` has been shown so many times."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.shown.count(text) < times:
            left = deadline - time.monotonic()
            readable, _, _ = select.select([self._master], [], [], max(left, 0))
            assert readable, f"waited {WAIT_SECONDS} s for {text!r} in vain:\n{self.shown}"
            self.shown += os.read(self._master, 65536).decode(errors="replace")
