"""Starts a real Envoy with config/envoy/mayfly.yaml in front of Mayflies, on free ports.

The program is that of ENVOY, which tests/run sets.
"""

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from mayfly import STOP_SECONDS, Mayfly, wait_until

SHIPPED = Path(__file__, "../../../config/envoy/mayfly.yaml").resolve()


class Node(Mayfly):
    """A Mayfly that can be killed, frozen, and started again on its port."""

    def __init__(self, port: int | None = None, **environment: str):
        super().__init__(port or free_port(), **environment)
        self._environment = environment

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def again(self) -> "Node":
        return Node(self.port, **self._environment)


class Envoy:
    """A running Envoy before `nodes`; `text` is its configuration, as shipped but for the ports and nodes."""

    def __init__(self, nodes: list[Node], text: str):
        self._directory = tempfile.TemporaryDirectory(prefix="envoy-")
        directory = Path(self._directory.name)
        config, admin = directory / "envoy.yaml", directory / "admin"
        config.write_text(with_nodes(text, nodes))
        self._log = open(directory / "log", "w+")
        command = [os.environ["ENVOY"], "-c", config, "--admin-address-path", admin, "--use-dynamic-base-id"]
        command += ["--concurrency", "2", "--log-level", "warning"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        atexit.register(self._process.kill)
        try:
            self._admin = wait_until("Envoy tells where its statistics are", lambda: self._told(admin))
            self.port = wait_until("Envoy listens for clients", self._listening)
            wait_until("Envoy finds all nodes healthy", lambda: len(self.healthy()) == len(nodes))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def healthy(self) -> list[int]:
        """The ports of the nodes that get requests."""
        hosts = json.loads(self._ask("/clusters?format=json"))["cluster_statuses"][0]["host_statuses"]
        states = [(host["address"]["socket_address"]["port_value"], host["health_status"]) for host in hosts]
        # What fails is named there, besides the status that discovery gave it.
        return [port for port, state in states if set(state) == {"eds_health_status"}]

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text()

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(STOP_SECONDS) == 0, self.log()
        self._log.close()
        self._directory.cleanup()

    def _told(self, file: Path) -> str:
        assert self._process.poll() is None, "Envoy has ended"
        return file.read_text() if file.exists() else ""

    def _listening(self) -> int:
        listeners = json.loads(self._ask("/listeners?format=json")).get("listener_statuses", [])
        return listeners[0]["local_address"]["socket_address"]["port_value"] if listeners else 0

    def _ask(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self._admin}{path}", timeout=10) as answer:
            return answer.read().decode()


def with_nodes(text: str, nodes: list[Node]) -> str:
    """The configuration with any free ports to listen on, and these nodes."""
    endpoint = "              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: %d } } }\n"
    text, listeners = re.subn(r"port_value: (6380|9901)\b", "port_value: 0", text)
    shipped = "".join(endpoint % port for port in (7001, 7002, 7003))
    assert listeners == 2 and text.count(shipped) == 1, "the ports of the configuration are others"
    return text.replace(shipped, "".join(endpoint % node.port for node in nodes))


def uncommented(text: str, *openings: str) -> str:
    """The configuration with these commented options put to use, each by the key of its first line."""
    lines, opening = text.splitlines(), None
    for number, line in enumerate(lines):
        commented = re.match(r" *# ( *)", line)
        if commented and re.fullmatch(rf" *# ({'|'.join(openings)}):", line):
            opening = commented.end()
        elif not commented or (opening and commented.end() <= opening):
            opening = None
        if opening:
            lines[number] = line.replace("# ", "", 1)
    return "\n".join(lines) + "\n"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
