"""Hashes that move between Mayfly and a real Redis by DUMP and RESTORE, either way: Debian's Redis and Redis 8.2."""

import os
import time
import unittest
from collections.abc import Iterable

import redis
from mayfly import Mayfly
from redis_server import RedisServer

# What a listpack spells as an integer, at the edges of its forms, and what only looks like one.
INTEGERS = [0, 127, 128, -1, 4095, -4096, 4096, 2**15 - 1, -(2**15), 2**15, 2**23 - 1, -(2**23), 2**23]
INTEGERS += [2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63)]
LOOK_LIKE_INTEGERS = [b"", b"01", b"+1", b"-0", b" 1", b"1.0", b"9223372036854775808"]

LISTPACK, TABLE = b"listpack", b"hashtable"


def numbered(values: Iterable[bytes | int]) -> dict[bytes, bytes]:
    """Fields of that many names."""
    return {f"f{number}".encode(): as_bytes(value) for number, value in enumerate(values)}


def as_bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


# What is in the hash, and how Redis keeps it as it is told by default.
HASHES = {
    "one field": ({b"f": b"v"}, LISTPACK),
    "empty strings": ({b"": b""}, LISTPACK),
    "integers": (numbered(INTEGERS), LISTPACK),
    "fields that are integers": ({as_bytes(value): b"" for value in INTEGERS}, LISTPACK),
    "no integers": (numbered(LOOK_LIKE_INTEGERS), LISTPACK),
    "any bytes": ({bytes([byte]): bytes([byte, 255 - byte]) for byte in range(128)}, LISTPACK),
    "64 bytes": ({b"f" * 64: b"v" * 64}, LISTPACK),
    "65 bytes": ({b"f" * 65: b"v"}, TABLE),
    "compressed strings": ({b"lorem ipsum " * 9: b"dolor sit amet " * 400, b"run": b"a" * 20_000}, TABLE),
    "incompressible": ({b"f": os.urandom(30_000)}, TABLE),
    "integers in a table": ({b"x" * 65: b"1"} | numbered(INTEGERS), TABLE),
    "many fields": (numbered(range(20_000)), TABLE),
}
# How Redis is told to write them besides.
SETTINGS = {
    "by default": {},
    "uncompressed": {"rdbcompression": "no"},
    # Redis sees to every field of a listpack before it takes it.
    "checked": {"sanitize_dump_payload": "yes"},
    # Small hashes as tables, large strings and all fields in listpacks.
    "tables": {"hash_max_listpack_entries": "0"},
    "listpacks": {"hash_max_listpack_entries": "100000", "hash_max_listpack_value": "100000"},
}

# Payloads, in hexadecimal, that no Redis at hand writes and Redis 8.2 still takes.
OLD_ENCODINGS = {
    "a zipmap of Redis 2.4": "09160301610100310162030374776f3f3f3f016300013fff06008d45bd086ed740ac",
    "a ziplist of Redis 6.2": (
        "0d409e9e0000009b000000160000016103f202016203fd02016303fe0d03016403fe8003016503c0800004016603f0ff7fff"
        "05016703d00000800006016803e000000080000000000a016903e000000000000000800a016a034040787878787878787878"
        "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
        "787878787843016b03f6ff09005d4dc223c0673a26"
    ),
    "a table with room for TTLs, before 7.4": "1602000161013100016201320c00790186c906c4e26e",
    "a listpack with room for TTLs, before 7.4": (
        "1780000000181800000006008162028374776f04000181610201010001ff0c00c4a58fe908771dfd"
    ),
    "a table with room for TTLs, 7.4": "18000000000000000002000161013100016201320c00facd9d12dd19d08d",
}

# Good ones, and each kind of wrong ones.
OPTIONS = [[], ["REPLACE"], ["ABSTTL", "FREQ", "256"], ["IDLETIME", "-1"], ["FREQ", "1", "IDLETIME"], ["FOO"]]

PER_FIELD_REFUSED = "DUMP payload has per-field TTLs, which are not supported"


def setUpModule() -> None:
    global mayfly
    mayfly = Mayfly()
    unittest.addModuleCleanup(mayfly.stop)


class Case(unittest.TestCase):
    def connect(self, **options) -> redis.Redis:
        client = redis.Redis(port=mayfly.port, **options)
        self.addCleanup(client.close)
        client.flushall()
        return client

    def start(self, binary: str, **settings: str) -> redis.Redis:
        server = RedisServer(binary, **settings)
        self.addCleanup(server.stop)
        client = server.connect()
        self.addCleanup(client.close)
        return client

    def moves(self, source: redis.Redis, target: redis.Redis, key: str, fields: dict[bytes, bytes]) -> None:
        """The hash at `key` arrives whole, with the TTL that is asked for, in each way to ask."""
        payload = source.dump(key)
        self.assertEqual(source.hgetall(key), fields)
        target.restore(key, 0, payload, replace=True)
        self.assertEqual(target.hgetall(key), fields)
        self.assertEqual(target.pttl(key), -1)
        begun = time.monotonic()
        target.restore(key, 60_000, payload, replace=True)
        left = target.pttl(key)
        passed = int((time.monotonic() - begun) * 1_000) + 1
        self.assertTrue(60_000 - passed <= left <= 60_000, f"{left} ms left of 60000, {passed} passed")
        deadline = int(time.time() * 1_000) + 3_600_000
        target.restore(key, deadline, payload, replace=True, absttl=True)
        self.assertEqual((target.hgetall(key), target.pexpiretime(key)), (fields, deadline))
        target.restore(key, 1, payload, replace=True, absttl=True)
        self.assertEqual(target.exists(key), 0)


class EveryRedis(Case):
    def test_every_hash_moves_both_ways(self) -> None:
        versions = set()
        for binary in os.environ["REDIS_SERVERS"].split():
            for how, settings in SETTINGS.items():
                real, ours = self.start(binary, **settings), self.connect()
                version = real.info("server")["redis_version"]
                versions.add(version)
                for name, (fields, kept) in HASHES.items():
                    with self.subTest(redis=version, written=how, hash=name):
                        real.hset("theirs", mapping=fields)
                        if how not in ("tables", "listpacks"):
                            self.assertEqual(real.object("encoding", "theirs"), kept)
                        self.moves(real, ours, "theirs", fields)
                        ours.hset("ours", mapping=fields)
                        self.moves(ours, real, "ours", fields)
                        # Redis keeps what came from here as it keeps its own.
                        real.restore("ours", 0, ours.dump("ours"))
                        self.assertEqual(real.object("encoding", "ours"), real.object("encoding", "theirs"))
                        self.moves(real, ours, "ours", fields)
                    real.flushall()
                    ours.flushall()
        print("Redis", ", ".join(sorted(versions)))
        self.assertEqual(len(versions), 2, "two different Redis have been tried")

    def test_redis_migrates_to_mayfly(self) -> None:
        for binary in os.environ["REDIS_SERVERS"].split():
            real, ours = self.start(binary), self.connect()
            for name, (fields, _) in HASHES.items():
                real.hset(name, mapping=fields)
                real.expire(name, 1_000)
            real.migrate("127.0.0.1", mayfly.port, list(HASHES), 0, 60_000)
            self.assertEqual(real.dbsize(), 0)
            for name, (fields, _) in HASHES.items():
                with self.subTest(hash=name):
                    self.assertEqual(ours.hgetall(name), fields)
                    self.assertIn(ours.ttl(name), range(900, 1_001))

    def test_refusals_are_those_of_redis(self) -> None:
        for binary in os.environ["REDIS_SERVERS"].split():
            real, ours = self.start(binary), self.connect()
            real.hset("h", mapping={"a": 1, "b": "two"})
            good = real.dump("h")
            ours.restore("h", 0, good)
            payloads = [good, b"", b"x", good[1:], good[:-1], good[:-8] + bytes(8), bytes([good[0] ^ 1]) + good[1:]]
            requests = [
                ["RESTORE", key, ttl, payload, *options]
                for key in ("h", "none")
                for ttl in ("0", "-1", "x")
                for payload in payloads
                for options in OPTIONS
            ]
            for request in requests:
                with self.subTest(request=request):
                    self.assertEqual(outcome(ours, request), outcome(real, request))
                    self.assertEqual(ours.hgetall("h"), real.hgetall("h"))
                ours.delete("none")
                real.delete("none")

    def test_other_types_are_bad_data(self) -> None:
        for binary in os.environ["REDIS_SERVERS"].split():
            real, ours = self.start(binary), self.connect()
            real.set("string", "1")
            real.rpush("list", "a")
            real.sadd("set", "a", "b")
            real.zadd("zset", {"a": 1})
            real.xadd("stream", {"a": 1})
            for key in real.keys():
                with self.subTest(key=key):
                    answer = outcome(ours, ["RESTORE", "h", "0", real.dump(key)])
                    self.assertEqual(answer, "ResponseError: Bad data format")
                    self.assertEqual(ours.exists("h"), 0)


class OldEncodings(Case):
    def test_they_mean_here_what_they_mean_to_redis(self) -> None:
        real, ours = self.start(os.environ["REDIS_SERVERS"].split()[-1]), self.connect()
        for name, payload in OLD_ENCODINGS.items():
            with self.subTest(encoding=name):
                for client in (real, ours):
                    client.restore("h", 0, bytes.fromhex(payload), replace=True)
                self.assertGreater(real.hlen("h"), 1)
                self.assertEqual(ours.hgetall("h"), real.hgetall("h"))


class FieldTtls(Case):
    """Redis 7.4 and later gives a TTL to a field, which Mayfly does not."""

    def test_a_field_with_a_ttl_is_refused_and_one_that_lost_it_is_not(self) -> None:
        for settings in SETTINGS.values():
            real, ours = self.start(os.environ["REDIS_SERVERS"].split()[-1], **settings), self.connect()
            fields = {b"a": b"1", b"b": b"two"}
            real.hset("h", mapping=fields)
            real.hexpire("h", 1_000, "a")
            ours.hset("h", "old", "1")
            with self.assertRaisesRegex(redis.ResponseError, PER_FIELD_REFUSED):
                ours.restore("h", 0, real.dump("h"), replace=True)
            self.assertEqual(ours.hgetall("h"), {b"old": b"1"})
            real.hpersist("h", "a")
            self.moves(real, ours, "h", fields)


def outcome(client: redis.Redis, request: list) -> str:
    """The reply, or the error with its code as redis-py tells it."""
    try:
        return str(client.execute_command(*request))
    except redis.ResponseError as error:
        return f"{type(error).__name__}: {error}"
