"""redis-cli, redis-benchmark, redis-py and node-redis by TLS, with a client certificate and without, and by a Unix
socket."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import redis
import redis.asyncio

from certificates import Certificates
from mayfly import WAIT_SECONDS, Mayfly, wait_until


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to others."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def setUpModule() -> None:
    global certificates, client, port, server, unix_socket
    certificates = Certificates()
    client = certificates.issue("client")
    port = free_port()
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    unix_socket = str(Path(folder.name) / "mayfly.sock")
    settings = certificates.environment(port) | {"MAYFLY_SERVER__UNIX_SOCKET": unix_socket}
    server = Mayfly(**settings)
    unittest.addModuleCleanup(server.stop)


def run(program: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=10 * WAIT_SECONDS)


class RedisCli(unittest.TestCase):
    def words(self, certificate: bool = True) -> list[str]:
        shown = ["--cert", client[0], "--key", client[1]] if certificate else []
        return ["-h", "localhost", "-p", str(port), "--tls", "--cacert", certificates.ca, *shown]

    def test_with_a_certificate(self) -> None:
        for protocol in ([], ["-3"]):
            with self.subTest(protocol):
                done = run("redis-cli", *self.words(), *protocol, "HSETEX", "h", "f", "v", "60")
                self.assertEqual((done.stdout in ("0\n", "1\n"), done.stderr), (True, ""))
                self.assertEqual(run("redis-cli", *self.words(), *protocol, "HGET", "h", "f").stdout, "v\n")

    def test_without_one_it_is_refused(self) -> None:
        done = run("redis-cli", *self.words(certificate=False), "PING")
        self.assertNotIn("PONG", done.stdout)
        self.assertNotEqual(done.stderr + done.stdout, "")

    def test_without_tls_it_is_refused(self) -> None:
        done = run("redis-cli", "-p", str(port), "PING")
        self.assertNotIn("PONG", done.stdout)

    def test_the_benchmark(self) -> None:
        words = ["-n", "20000", "-c", "20", "-P", "16", "-q", "HSETEX", "bench", "f", "v", "60"]
        done = run("redis-benchmark", *self.words(), *words)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("requests per second", done.stdout)

    def test_by_the_unix_socket(self) -> None:
        self.assertEqual(run("redis-cli", "-s", unix_socket, "PING").stdout, "PONG\n")


class RedisPy(unittest.TestCase):
    def connect(self, certificate: bool = True, **options) -> redis.Redis:
        shown = {"ssl_certfile": client[0], "ssl_keyfile": client[1]} if certificate else {}
        made = redis.Redis(
            host="localhost", port=port, ssl=True, ssl_ca_certs=certificates.ca, decode_responses=True, **shown, **options
        )
        self.addCleanup(made.close)
        return made

    def test_with_a_certificate(self) -> None:
        for protocol in (2, 3):
            with self.subTest(protocol):
                connection = self.connect(protocol=protocol)
                connection.delete("h")
                self.assertEqual(connection.hset("h", mapping={"a": "1", "b": "x" * 1_000_000}), 2)
                self.assertEqual(len(connection.hget("h", "b")), 1_000_000)
                with connection.pipeline(transaction=False) as pipeline:
                    for number in range(10_000):
                        pipeline.hset("p", str(number), number)
                    self.assertEqual(len(pipeline.execute()), 10_000)
                self.assertEqual(connection.hlen("p"), 10_000)
                connection.delete("p")

    def test_publish_and_subscribe(self) -> None:
        connection = self.connect()
        with connection.pubsub(ignore_subscribe_messages=True) as listener:
            listener.subscribe("news")
            wait_until("the subscription", lambda: connection.publish("news", "hello"))
            message = wait_until("the message", lambda: listener.get_message(timeout=1))
            self.assertEqual(message["data"], "hello")

    def test_asyncio(self) -> None:
        async def ask() -> str:
            async with redis.asyncio.Redis(
                host="localhost",
                port=port,
                ssl=True,
                ssl_ca_certs=certificates.ca,
                ssl_certfile=client[0],
                ssl_keyfile=client[1],
            ) as connection:
                answers = await asyncio.gather(*(connection.echo(str(number)) for number in range(100)))
                return b" ".join(answers).decode()

        self.assertEqual(asyncio.run(ask()), " ".join(map(str, range(100))))

    def test_without_one_it_is_refused(self) -> None:
        with self.assertRaises(redis.exceptions.ConnectionError):
            self.connect(certificate=False).ping()

    def test_a_connection_outlives_new_certificates(self) -> None:
        connection = self.connect(single_connection_client=True)
        number = connection.client_id()
        stop = threading.Event()
        failures: list[Exception] = []

        def load() -> None:
            while not stop.is_set():
                try:
                    assert connection.hset("reload", "f", "v") in (0, 1)
                except Exception as failure:
                    failures.append(failure)
                    return

        thread = threading.Thread(target=load)
        thread.start()
        for round in range(1, 6):
            certificates.issue("server")
            os.kill(server.process_id, signal.SIGHUP)
            wait_until("the reload", lambda: server.log.count("the config was reloaded") == round)
            self.connect().ping()
        stop.set()
        thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(connection.client_id(), number)

    def test_by_the_unix_socket(self) -> None:
        with redis.Redis(unix_socket_path=unix_socket, decode_responses=True) as connection:
            self.assertTrue(connection.ping())
            self.assertEqual(connection.client_info()["addr"], f"{unix_socket}:0")


class NodeRedis(unittest.TestCase):
    def test_with_a_certificate_and_without(self) -> None:
        environment = os.environ | {
            "TLS_PORT": str(port),
            "TLS_CA": certificates.ca,
            "TLS_CERT": client[0],
            "TLS_KEY": client[1],
        }
        script = Path(__file__).parent / "tls.test.mjs"
        words = ["node", "--test", "--test-reporter=tap", str(script)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=10 * WAIT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("# pass 3", done.stdout)
