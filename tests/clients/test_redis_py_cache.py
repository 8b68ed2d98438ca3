"""The cache of redis-py itself, which Mayfly tells of changes (CLIENT TRACKING); it wants RESP3."""

import unittest

import redis
from mayfly import Mayfly, wait_until
from redis.cache import CacheConfig


def setUpModule() -> None:
    global server
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)


class Cached(unittest.TestCase):
    def setUp(self) -> None:
        self.writer = redis.Redis(port=server.port)
        self.addCleanup(self.writer.close)
        self.writer.flushall()
        self.reader = redis.Redis(
            port=server.port, protocol=3, cache_config=CacheConfig(max_size=100), decode_responses=True
        )
        self.addCleanup(self.reader.close)
        self.writer.hset("user", mapping={"name": "Ada", "visits": 1})
        self.assertEqual(self.read(), {"name": "Ada", "visits": "1"})

    def read(self) -> dict[str, str]:
        return self.reader.hgetall("user")

    def asked(self) -> int:
        """How often the server was asked for the hash."""
        return self.writer.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]

    def test_what_was_read_is_not_asked_for_again(self) -> None:
        asked = self.asked()
        for _ in range(100):
            self.assertEqual(self.read(), {"name": "Ada", "visits": "1"})
        self.assertEqual(self.asked(), asked)
        self.assertEqual(self.reader.get_cache().size, 1)

    def test_a_write_of_another_client_is_seen(self) -> None:
        for visits in range(2, 20):
            self.writer.hincrby("user", "visits", 1)
            wait_until("the write is seen", lambda: self.read()["visits"] == str(visits))

    def test_the_expiry_of_a_hash_is_seen(self) -> None:
        self.writer.pexpire("user", 200)
        wait_until("the TTL is seen", lambda: self.read() and self.reader.get_cache().size == 1)
        wait_until("the hash expires", lambda: self.read() == {})

    def test_a_flush_is_seen(self) -> None:
        asked = self.asked()
        self.assertEqual(self.read()["name"], "Ada")
        self.assertEqual(self.asked(), asked)
        self.writer.flushall()
        wait_until("the flush is seen", lambda: self.read() == {})

    def test_own_writes_are_seen_at_once(self) -> None:
        # Keys on the connection's own shard and on others; what is wrong here is wrong once in a thousand times.
        for number in range(20):
            for visits in range(100):
                self.reader.hset(f"user:{number}", "visits", visits)
                self.assertEqual(self.reader.hgetall(f"user:{number}"), {"visits": str(visits)})

    def test_many_hashes_never_stay_old(self) -> None:
        for number in range(50):
            self.writer.hset(f"user:{number}", "visits", 0)
        for visits in range(20):
            for number in range(50):
                self.writer.hset(f"user:{number}", "visits", visits)
            for number in range(50):
                wait_until(
                    "the write is seen", lambda: self.reader.hget(f"user:{number}", "visits") == str(visits)
                )
