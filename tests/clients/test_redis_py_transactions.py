"""Transactions of redis-py, blocking, in RESP2 and RESP3."""

import threading
import unittest

import redis
from mayfly import Mayfly, wait_until


def setUpModule() -> None:
    global server
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)


class Cases:
    """What holds in both protocols; `protocol` is that of the subclass."""

    protocol: int

    def setUp(self) -> None:
        self.client = self.connect()
        self.client.flushall()

    def connect(self) -> redis.Redis:
        client = redis.Redis(port=server.port, protocol=self.protocol, decode_responses=True)
        self.addCleanup(client.close)
        return client

    def test_a_pipeline_is_a_transaction_by_default(self) -> None:
        pipeline = self.client.pipeline()
        for number in range(1_000):
            pipeline.hset(f"key:{number}", "number", number).hget(f"key:{number}", "number")
        replies = pipeline.execute()
        self.assertEqual(replies[0::2], [1] * 1_000)
        self.assertEqual(replies[1::2], [str(number) for number in range(1_000)])

    def test_what_fails_when_it_runs_does_not_undo_the_rest(self) -> None:
        pipeline = self.client.pipeline(transaction=True)
        pipeline.hset("hash", "field", "text").hincrby("hash", "field", 1).hset("hash", "other", "1")
        created, refused, other = pipeline.execute(raise_on_error=False)
        self.assertEqual((created, other), (1, 1))
        self.assertEqual(str(refused), "hash value is not an integer")

    def test_what_is_refused_when_it_is_queued_stops_the_transaction(self) -> None:
        pipeline = self.client.pipeline(transaction=True)
        pipeline.hset("hash", "field", "value").execute_command("LPUSH", "list", "value")
        with self.assertRaisesRegex(redis.ResponseError, "unknown command 'LPUSH'"):
            pipeline.execute()
        self.assertEqual(self.client.exists("hash"), 0)

    def test_a_watched_key_that_changes_stops_the_transaction(self) -> None:
        self.client.hset("hash", "field", "1")
        with self.connect().pipeline() as pipeline:
            pipeline.watch("hash", "elsewhere")
            self.assertEqual(pipeline.hget("hash", "field"), "1")
            self.client.hset("elsewhere", "field", "new")
            pipeline.multi()
            pipeline.hset("hash", "field", "2")
            with self.assertRaises(redis.WatchError):
                pipeline.execute()
        self.assertEqual(self.client.hget("hash", "field"), "1")

    def test_a_watched_key_that_expires_stops_the_transaction(self) -> None:
        self.client.hset("hash", "field", "1")
        with self.connect().pipeline() as pipeline:
            pipeline.watch("hash")
            self.client.pexpire("hash", 10)
            wait_until("the hash expires", lambda: not self.client.exists("hash"))
            pipeline.multi()
            pipeline.hset("hash", "field", "2")
            with self.assertRaises(redis.WatchError):
                pipeline.execute()
        self.assertEqual(self.client.exists("hash"), 0)

    def test_unwatch_and_reset_forget_the_keys(self) -> None:
        for forget in (redis.client.Pipeline.unwatch, redis.client.Pipeline.reset):
            with self.connect().pipeline() as pipeline:
                pipeline.watch("hash")
                self.client.hincrby("hash", "field", 1)
                forget(pipeline)
                self.assertEqual(pipeline.hget("hash", "field").hdel("hash", "field").execute(), ["1", 1])

    def test_optimistic_increments_of_many_threads_lose_none(self) -> None:
        retries = []

        def count() -> None:
            client = self.connect()

            def increment(pipeline: redis.client.Pipeline) -> None:
                retries.append(None)
                value = int(pipeline.hget("counter", "count") or 0)
                pipeline.multi()
                pipeline.hset("counter", "count", value + 1)
                pipeline.hincrby("copy", "count", 1)

            for _ in range(100):
                client.transaction(increment, "counter")

        threads = [threading.Thread(target=count) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.hget("counter", "count"), "600")
        self.assertEqual(self.client.hget("copy", "count"), "600")
        self.assertGreaterEqual(len(retries), 600)

    def test_the_payload_of_dump_restores_what_it_was_made_of(self) -> None:
        bytewise = redis.Redis(port=server.port, protocol=self.protocol)
        self.addCleanup(bytewise.close)
        fields = {b"\x00\xff": b"\r\n", b"number": b"42", b"empty": b""}
        bytewise.hset("source", mapping=fields)
        payload = bytewise.dump("source")
        self.assertTrue(bytewise.restore("copy", 60_000, payload))
        self.assertEqual(bytewise.hgetall("copy"), fields)
        self.assertIn(bytewise.ttl("copy"), range(1, 61))
        with self.assertRaisesRegex(redis.ResponseError, "Target key name already exists"):
            bytewise.restore("copy", 0, payload)
        self.assertIsNone(bytewise.dump("none"))


class Resp2(Cases, unittest.TestCase):
    protocol = 2


class Resp3(Cases, unittest.TestCase):
    protocol = 3
