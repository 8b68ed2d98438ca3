"""`mayfly import` and `mayfly export` beside real servers: Debian's Redis, Redis 8.2 and Valkey 9.1.

Every key, field and deadline is compared. The seed of what is random is printed.
"""

import contextlib
import hashlib
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import redis
from mayfly import Mayfly, wait_until
from redis_server import RedisServer

sys.path.append(str(pathlib.Path(__file__).parents[2] / "crates/rdb/tests/files"))
from make import fill  # noqa: E402: one key of every encoding

DATABASES = (0, 1, 5)
# How long a reply about a hundred thousand hashes may take.
PATIENCE_SECONDS = 120
SEED = int(os.environ.get("TRANSFER_SEED", random.randrange(2**32)))
# How a server is told to write hashes.
SETTINGS = {
    "by default": {},
    "uncompressed": {"rdbcompression": "no"},
    "tables": {"hash_max_listpack_entries": "0"},
    "listpacks": {"hash_max_listpack_entries": "100000", "hash_max_listpack_value": "100000"},
}

Contents = dict[tuple[int, bytes], tuple[dict[bytes, bytes], int]]


def setUpModule() -> None:
    print(f"TRANSFER_SEED={SEED}")


def servers() -> list[str]:
    return [*os.environ["REDIS_SERVERS"].split(), os.environ["VALKEY_SERVER"]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def mayfly_runs(*words: object) -> subprocess.CompletedProcess:
    command = [os.environ["MAYFLY_BINARY"], *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def succeeds(*words: object) -> str:
    """The report of a run that went well."""
    finished = mayfly_runs(*words)
    assert finished.returncode == 0, f"{words}: {finished.returncode}\n{finished.stderr}"
    return finished.stdout


def contents(connect) -> Contents:
    """All hashes with their deadlines, of all databases."""
    found = {}
    for database in DATABASES:
        with connect(db=database) as client:
            keys = list(set(client.scan_iter(count=1_000, _type="hash")))
            with client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hgetall(key)
                    pipeline.pexpiretime(key)
                replies = pipeline.execute()
            for key, fields, deadline in zip(keys, replies[::2], replies[1::2], strict=True):
                if fields:
                    found[database, key] = (fields, deadline)
    return found


def random_word(dice: random.Random) -> bytes:
    kind = dice.randrange(4)
    if kind == 0:
        return str(dice.randrange(-(2 ** dice.randrange(1, 64)), 2 ** dice.randrange(1, 63))).encode()
    if kind == 1:
        return dice.randbytes(dice.randrange(100))
    if kind == 2:
        return b"ab" * dice.randrange(400)
    return b"word:%d" % dice.randrange(1000)


def fill_randomly(connect, dice: random.Random, keys: int) -> None:
    """Hashes of all sizes and encodings, a third of them with a deadline."""
    for database in DATABASES:
        with connect(db=database) as client, client.pipeline(transaction=False) as pipeline:
            for number in range(keys):
                key = b"hash:%d:" % number + random_word(dice)
                count = dice.choice([1, 2, 3, 10, 130, 600])
                pipeline.hset(key, mapping={random_word(dice): random_word(dice) for _ in range(count)})
                if number % 3 == 0:
                    pipeline.pexpireat(key, int(time.time() * 1_000) + dice.randrange(10**7, 10**12))
                pipeline.execute()


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.dice = random.Random(SEED)
        directory = tempfile.TemporaryDirectory(prefix="transfer-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def mayfly(self, **environment: str) -> Mayfly:
        server = Mayfly(**environment)
        self.addCleanup(server.stop)
        return server

    def start(self, binary: str, **settings: str) -> RedisServer:
        server = RedisServer(binary, **settings)
        self.addCleanup(server.stop)
        return server

    def connect_to(self, server: Mayfly):
        return lambda **options: redis.Redis(port=server.port, **options)

    def assert_same(self, source: Contents, target: Contents) -> None:
        """Shows what differs rather than everything."""
        differing = [key for key in source.keys() | target.keys() if source.get(key) != target.get(key)]
        self.assertEqual(differing[:5], [], f"{len(differing)} differ of {len(source)} and {len(target)}")


class Import(Case):
    def test_files_of_every_server_arrive_whole(self) -> None:
        versions = set()
        for binary in servers():
            for how, settings in SETTINGS.items():
                with self.subTest(server=binary, written=how):
                    real, ours = self.start(binary, **settings), self.mayfly()
                    fill_randomly(real.connect, self.dice, 100)
                    with real.connect() as client:
                        fill(client)
                        client.move("expiring", 5)
                        client.save()
                    versions.add(real.version)
                    report = succeeds("import", real.directory / "dump.rdb", "--to", f"127.0.0.1:{ours.port}")
                    theirs = {key: value for key, value in contents(real.connect).items() if key[0] in DATABASES}
                    self.assertGreater(len(theirs), 250)
                    self.assert_same(theirs, contents(self.connect_to(ours)))
                    self.assertIn("1 keys of type stream, left out", report)
                    self.assertIn("5 keys of type string, left out", report)
        print("from files of", ", ".join(sorted(versions)))
        self.assertEqual(len(versions), 3, "three different servers have been tried")

    def test_hashes_past_their_deadline_are_left_out(self) -> None:
        real, ours = self.start(servers()[0]), self.mayfly()
        with real.connect() as client:
            deadline = int(time.time() * 1_000) + 500
            for number in range(10):
                client.hset(f"short:{number}", "f", "v")
                client.pexpireat(f"short:{number}", deadline)
            client.hset("long", "f", "v")
            client.save()
        wait_until("the deadline has passed", lambda: time.time() * 1_000 > deadline)
        report = succeeds("import", real.directory / "dump.rdb", "--to", f"127.0.0.1:{ours.port}")
        self.assertIn("1 hashes with 1 fields", report)
        self.assertIn("10 hashes past their deadline, left out", report)

    def test_fields_with_a_ttl_are_counted_however_they_come(self) -> None:
        for binary in servers()[1:]:
            real, ours = self.start(binary, port=str(free_port())), self.mayfly()
            with real.connect() as client:
                client.hset("small", mapping={"a": 1, "b": 2})
                client.execute_command("HPEXPIRE", "small", 10**8, "FIELDS", 1, "a")
                for start in range(0, 300_000, 10_000):
                    client.hset("large", mapping={f"field:{start + n}": "v" * 40 for n in range(10_000)})
                client.execute_command("HPEXPIRE", "large", 10**8, "FIELDS", 2, "field:1", "field:2")
                client.save()
                expected = {"small": client.hlen("small"), "large": client.hlen("large")}
            for source in (real.directory / "dump.rdb", real.url):
                report = succeeds("import", source, "--to", f"127.0.0.1:{ours.port}", "--replace")
                self.assertIn("2 hashes with 300002 fields", report)
                self.assertIn("3 fields with a TTL of their own, which is not kept", report)
                with redis.Redis(port=ours.port) as client:
                    self.assertEqual({key: client.hlen(key) for key in expected}, expected)


    def test_an_import_may_be_stopped_for_a_while(self) -> None:
        ours, path, keys = self.mayfly(), self.directory / "dump.rdb", 100_000
        hashes = (b"\x04\x06%06d\x01\x01f\x01v" % number for number in range(keys))
        path.write_bytes(b"REDIS0004" + b"".join(hashes) + b"\xff")
        command = [os.environ["MAYFLY_BINARY"], "import", str(path), "--to", f"127.0.0.1:{ours.port}"]
        stops = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                process.send_signal(signal.SIGSTOP)
                process.send_signal(signal.SIGCONT)
                stops += 1
                time.sleep(0.005)
            report, log = process.communicate()
        self.assertEqual(process.returncode, 0, log)
        self.assertIn(f"{keys} hashes with {keys} fields", report)
        self.assertGreater(stops, 5)

    def test_a_server_that_tells_no_deadlines_is_asked_for_ttls(self) -> None:
        """As a Redis 6; here the command is forbidden."""
        real, ours = self.start(servers()[0], port=str(free_port())), self.mayfly()
        fill_randomly(real.connect, self.dice, 100)
        expected = contents(real.connect)
        with real.connect() as client:
            client.execute_command("ACL", "SETUSER", "default", "-pexpiretime")
        begun = time.monotonic()
        succeeds("import", real.url, "--to", f"127.0.0.1:{ours.port}")
        passed = int((time.monotonic() - begun) * 1_000) + 1
        found = contents(self.connect_to(ours))
        for key, (_, deadline) in found.items():
            early = expected[key][1] - deadline
            self.assertTrue(0 <= early <= passed, f"{key}: {early} ms early, {passed} ms passed")
        without_deadlines = [{key: fields for key, (fields, _) in of.items()} for of in (expected, found)]
        self.assertEqual(*without_deadlines)


class Export(Case):
    def test_every_server_loads_what_is_exported(self) -> None:
        ours = self.mayfly()
        fill_randomly(self.connect_to(ours), self.dice, 200)
        with redis.Redis(port=ours.port) as client:
            for start in range(0, 300_000, 10_000):
                client.hset("large", mapping={f"field:{start + n}": "v" * 40 for n in range(10_000)})
            client.expire("large", 1_000_000)
        path = self.directory / "export.rdb"
        succeeds("export", path, "--from", f"127.0.0.1:{ours.port}")
        expected = contents(self.connect_to(ours))
        self.assertGreater(len(expected), 550)
        for binary in servers():
            with self.subTest(server=binary):
                self.assert_same(expected, contents(self.start(binary, load=path).connect))

    def test_what_is_exported_from_every_server_is_loaded_by_every_server(self) -> None:
        for binary in servers():
            real = self.start(binary, port=str(free_port()))
            fill_randomly(real.connect, self.dice, 50)
            with real.connect() as client:
                fill(client)
                client.delete("field-ttls", "field-ttls-table")
                client.move("expiring", 5)
            path = self.directory / "export.rdb"
            succeeds("export", path, "--from", real.url)
            expected = {key: value for key, value in contents(real.connect).items()}
            for loading in servers():
                with self.subTest(exported=binary, loading=loading):
                    self.assert_same(expected, contents(self.start(loading, load=path).connect))


class RoundTrip(Case):
    """100,000 hashes of random shapes from a Mayfly through a real Redis 8.2 and back."""

    KEYS = int(os.environ.get("TRANSFER_KEYS", "100000"))

    def test_every_key_field_and_deadline_comes_back(self) -> None:
        source, back = self.mayfly(), self.mayfly()
        expected = self.fill(source)
        self.assert_holds(expected, self.connect_to(source))
        path, folder = self.directory / "export.rdb", self.directory / "folder"
        succeeds("export", path, "--from", f"127.0.0.1:{source.port}")
        real = self.start(servers()[1], load=path)
        self.assertTrue(real.version.startswith("8.2."), real.version)
        self.assert_holds(expected, real.connect)
        with real.connect(socket_timeout=PATIENCE_SECONDS) as client:
            client.save()
        saved = real.directory / "dump.rdb"
        succeeds("import", saved, "--to", f"127.0.0.1:{back.port}")
        self.assert_holds(expected, self.connect_to(back))

        # The same by way of a folder, and out of it into the Redis once more.
        succeeds("import", saved, "--to-folder", folder)
        server = Mayfly(MAYFLY_PERSISTENCE__DIR=str(folder))
        try:
            self.assert_holds(expected, self.connect_to(server))
        finally:
            server.stop()
        succeeds("export", path, "--from-folder", folder)
        held = self.assert_holds(expected, self.start(servers()[1], load=path).connect)
        print(f"{held} of {self.KEYS} hashes compared, the others had expired; Redis {real.version}")

    def fill(self, server: Mayfly) -> dict[tuple[int, bytes], tuple[bytes, int]]:
        """Of each key a digest of its fields, and the deadline: of seconds to years, or -1 for none."""
        expected, base = {}, int(time.time() * 1_000)
        for database in DATABASES:
            with redis.Redis(port=server.port, db=database, socket_timeout=PATIENCE_SECONDS) as client:
                pipeline = client.pipeline(transaction=False)
                for number in range(self.KEYS // len(DATABASES) + 1):
                    key = b"%d:" % number + self.dice.randbytes(self.dice.randrange(40))
                    names = (self.dice.randbytes(self.dice.randrange(20)) for _ in range(self.dice.randrange(50)))
                    fields = {name: self.dice.randbytes(self.dice.randrange(60)) for name in names}
                    fields[random_word(self.dice)] = random_word(self.dice)
                    deadline = -1
                    if self.dice.randrange(4):
                        # From five seconds to ten years, each magnitude as likely as the others.
                        deadline = base + int(5_000 * 63_072_000 ** self.dice.random())
                    pipeline.hset(key, mapping=fields)
                    if deadline >= 0:
                        pipeline.pexpireat(key, deadline)
                    expected[database, key] = (digest(fields), deadline)
                    if len(pipeline) >= 1_000:
                        pipeline.execute()
                pipeline.execute()
        return expected

    def assert_holds(self, expected: dict, connect) -> int:
        """Everything is there but what has expired; says how much that is."""
        before, found = int(time.time() * 1_000), digests(connect)
        after = int(time.time() * 1_000)
        expired = {key for key, (_, deadline) in expected.items() if 0 <= deadline <= before}
        due = {key for key, (_, deadline) in expected.items() if 0 <= deadline <= after} - expired
        wanted = expected.keys() - expired
        differing = [key for key in wanted | found.keys() if found.get(key) != expected.get(key) and key not in due]
        self.assertEqual(differing[:5], [], f"{len(differing)} differ of {len(wanted)} and {len(found)}")
        self.assertGreater(len(found), self.KEYS * 3 // 4)
        return len(found)


def digest(fields: dict[bytes, bytes]) -> bytes:
    return hashlib.sha256(repr(sorted(fields.items())).encode()).digest()


def digests(connect) -> dict[tuple[int, bytes], tuple[bytes, int]]:
    """As `contents`, for so many that they are not to be held."""
    found = {}
    for database in DATABASES:
        with connect(db=database, socket_timeout=PATIENCE_SECONDS) as client:
            keys = list(set(client.scan_iter(count=1_000)))
            for start in range(0, len(keys), 1_000):
                with client.pipeline(transaction=False) as pipeline:
                    for key in keys[start : start + 1_000]:
                        pipeline.hgetall(key)
                        pipeline.pexpiretime(key)
                    replies = pipeline.execute()
                for key, fields, deadline in zip(keys[start:], replies[::2], replies[1::2], strict=False):
                    if fields:
                        found[database, key] = (digest(fields), deadline)
    return found


class Memory(Case):
    """A hash of a million fields, 100 MB, and many small ones: neither command may hold them."""

    FIELDS, KEYS = 1_000_000, 100_000
    BOUND_MIB = 48

    def test_no_more_than_a_piece_is_held(self) -> None:
        real, ours = self.start(servers()[1], port=str(free_port())), self.mayfly()
        with real.connect() as client:
            for start in range(0, self.FIELDS, 10_000):
                fields = {f"field:{start + n:07}": f"{start + n:080}" for n in range(10_000)}
                client.hset("large", mapping=fields)
            for start in range(0, self.KEYS, 10_000):
                with client.pipeline(transaction=False) as pipeline:
                    for number in range(start, start + 10_000):
                        pipeline.hset(f"session:{number}", mapping={"user": number, "page": "/some/page"})
                    pipeline.execute()
            client.save()
        target, path = f"127.0.0.1:{ours.port}", self.directory / "export.rdb"
        for words in (
            ["import", real.directory / "dump.rdb", "--to", target],
            ["import", real.url, "--to", target, "--replace"],
            ["import", real.directory / "dump.rdb", "--to-folder", self.directory / "folder"],
            ["export", path, "--from", target],
            ["export", path, "--from", real.url],
        ):
            with self.subTest(words=words):
                report, mebibytes = self.peak(words)
                self.assertIn(f"{self.KEYS + 1} hashes with {self.FIELDS + 2 * self.KEYS} fields", report)
                print(f"{words[0]}: {mebibytes:.1f} MiB")
                self.assertLess(mebibytes, self.BOUND_MIB)
        self.assertGreater(path.stat().st_size, 90_000_000)

    def peak(self, words: list) -> tuple[str, float]:
        """The report of a run, and the most memory that it has had resident."""
        command = [os.environ["MAYFLY_BINARY"], *map(str, words)]
        kibibytes = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                    kibibytes = int(found[1])
                time.sleep(0.005)
            report, log = process.communicate()
        self.assertEqual(process.returncode, 0, log)
        self.assertGreater(kibibytes, 0)
        return report, kibibytes / 1024


class LiveCopy(Case):
    KEYS = 60_000

    def test_a_copy_under_writes_that_is_killed_again_and_again_arrives_whole(self) -> None:
        for binary in servers():
            with self.subTest(server=binary):
                self.copy(self.start(binary, port=str(free_port())))

    def copy(self, real: RedisServer) -> None:
        ours = self.mayfly()
        with real.connect() as client, client.pipeline(transaction=False) as pipeline:
            for number in range(self.KEYS):
                pipeline.hset(f"session:{number}", mapping={"user": number, "page": f"/page/{number % 100}"})
                if number % 2 == 0:
                    pipeline.pexpireat(f"session:{number}", int(time.time() * 1_000) + 10**8 + number)
            pipeline.execute()
        removed, stop = set(), threading.Event()
        writer = threading.Thread(target=self.write, args=(real, removed, stop))
        writer.start()
        try:
            interruptions = self.copy_with_interruptions(real, ours)
        finally:
            stop.set()
            writer.join()
        self.assertGreater(interruptions, 2, "the copy was too quick to be interrupted")
        # What changed after it was copied comes with a second pass; what was removed stays.
        succeeds("import", real.url, "--to", f"127.0.0.1:{ours.port}", "--replace")
        expected, found = contents(real.connect), contents(self.connect_to(ours))
        self.assertGreater(len(expected), self.KEYS / 2)
        left = {key for key in found if key not in expected}
        self.assertLessEqual({key for _, key in left}, removed)
        self.assert_same(expected, {key: value for key, value in found.items() if key not in left})
        print(f"{real.version}: {interruptions} interruptions, {len(expected)} hashes, {len(left)} removed meanwhile")

    def copy_with_interruptions(self, real: RedisServer, ours: Mayfly) -> int:
        state = self.directory / "copy.state"
        command = [os.environ["MAYFLY_BINARY"], "import", real.url, "--to", f"127.0.0.1:{ours.port}"]
        command += ["--state", str(state)]
        interruptions, done = 0, 0
        while True:
            with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
                # Interrupted only once it has got on, so that the test ends.
                goal = done + self.KEYS // 10
                while process.poll() is None and done < goal:
                    done = max(done, progress(state))
                    time.sleep(0.001)
                process.kill()
                log = process.stderr.read()
            if process.returncode == 0:
                self.assertFalse(state.exists())
                return interruptions
            self.assertEqual(process.returncode, -9, log)
            self.assertTrue(state.exists())
            interruptions += 1

    def write(self, real: RedisServer, removed: set, stop: threading.Event) -> None:
        dice = random.Random(SEED + 1)
        with real.connect() as client:
            while not stop.is_set():
                key = f"session:{dice.randrange(self.KEYS + 1_000)}"
                action = dice.randrange(4)
                if action == 0:
                    removed.add(key.encode())
                    client.delete(key)
                elif action == 1:
                    client.pexpireat(key, int(time.time() * 1_000) + 10**8)
                elif action == 2:
                    client.persist(key)
                else:
                    client.hset(key, f"field:{dice.randrange(5)}", dice.randrange(1_000))


def progress(state: pathlib.Path) -> int:
    """Keys that a copy has read, as its state file tells."""
    with contextlib.suppress(FileNotFoundError):
        return int(re.search(r'"done":(\d+)', state.read_text())[1])
    return 0
