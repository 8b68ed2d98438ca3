"""redis-py with asyncio, in RESP2 and RESP3."""

import asyncio
import unittest

import redis.asyncio as redis
from mayfly import WAIT_SECONDS, Mayfly


def setUpModule() -> None:
    global server
    server = Mayfly(MAYFLY_EVENTS__NOTIFY="KEA")
    unittest.addModuleCleanup(server.stop)


async def receive(subscriber: redis.client.PubSub) -> tuple:
    """The next message, also one that confirms: its type, channel and data."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (message := await subscriber.get_message(timeout=1)):
            pass
    return message["type"], message["channel"], message["data"]


class Default(unittest.IsolatedAsyncioTestCase):
    """A client that was told nothing but the port."""

    async def test_connects_in_resp3(self) -> None:
        async with redis.Redis(port=server.port) as client:
            self.assertTrue(await client.ping())
            self.assertEqual(str((await client.client_info())["resp"]), "3")


class Cases:
    """What holds in both protocols; `protocol` is that of the subclass."""

    protocol: int

    async def asyncSetUp(self) -> None:
        # In debug mode, the default of these cases, each slow step of the client is a line on the terminal.
        asyncio.get_running_loop().set_debug(False)
        self.client = self.connect(server.port)
        await self.client.flushall()

    def connect(self, port: int) -> redis.Redis:
        client = redis.Redis(port=port, protocol=self.protocol, decode_responses=True)
        self.addAsyncCleanup(client.aclose)
        return client

    async def test_hashes(self) -> None:
        client = self.client
        self.assertEqual(await client.hset("hash", mapping={"a": 1, "b": "two"}), 2)
        self.assertEqual(await client.hgetall("hash"), {"a": "1", "b": "two"})
        self.assertEqual(await client.hincrby("hash", "a", 9), 10)
        self.assertEqual(await client.hmget("hash", ["a", "none"]), ["10", None])
        self.assertEqual(await client.hdel("hash", "a", "b"), 2)
        self.assertEqual(await client.exists("hash"), 0)

    async def test_hsetex_of_five_words_expires_the_whole_hash(self) -> None:
        client = self.client
        self.assertEqual(await client.execute_command("HSETEX", "hash", "a", "1", 60), 1)
        self.assertEqual(await client.execute_command("HSETEX", "hash", "b", "2", 1), 1)
        self.assertEqual(await client.hgetall("hash"), {"a": "1", "b": "2"})
        async with asyncio.timeout(WAIT_SECONDS):
            while await client.exists("hash"):
                await asyncio.sleep(0.01)
        self.assertEqual(await client.hgetall("hash"), {})
        self.assertEqual(await client.dbsize(), 0)

    async def test_pipelines_answer_in_order(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for number in range(5_000):
            pipeline.hset(f"key:{number}", "number", number)
            pipeline.hget(f"key:{number}", "number")
        replies = await pipeline.execute()
        self.assertEqual(replies[0::2], [1] * 5_000)
        self.assertEqual(replies[1::2], [str(number) for number in range(5_000)])

    async def test_many_tasks_at_once_lose_nothing(self) -> None:
        async def count(task: int) -> None:
            for number in range(50):
                await self.client.hincrby(f"counter:{(task + number) % 7}", "count", 1)

        await asyncio.gather(*(count(task) for task in range(40)))
        counts = [int(await self.client.hget(f"counter:{number}", "count")) for number in range(7)]
        self.assertEqual(sum(counts), 2_000)

    async def test_scans_find_everything(self) -> None:
        fields = {f"field:{number}": str(number) for number in range(1_000)}
        await self.client.hset("large", mapping=fields)
        self.assertEqual({name: value async for name, value in self.client.hscan_iter("large")}, fields)
        keys = {f"key:{number}" for number in range(1_000)}
        pipeline = self.client.pipeline(transaction=False)
        for key in keys:
            pipeline.hset(key, "field", "value")
        await pipeline.execute()
        self.assertEqual({key async for key in self.client.scan_iter(match="key:*")}, keys)

    async def test_errors_have_their_classes(self) -> None:
        await self.client.hset("hash", "field", "text")
        with self.assertRaisesRegex(redis.ResponseError, "^hash value is not an integer$"):
            await self.client.hincrby("hash", "field", 1)
        with self.assertRaisesRegex(redis.ResponseError, "^unknown command 'LPUSH'"):
            await self.client.lpush("list", "value")
        self.assertTrue(await self.client.ping())

    async def test_optimistic_increments_of_many_tasks_lose_none(self) -> None:
        async def count() -> None:
            client = self.connect(server.port)

            async def increment(pipeline: redis.client.Pipeline) -> None:
                value = int(await pipeline.hget("counter", "count") or 0)
                pipeline.multi()
                pipeline.hset("counter", "count", value + 1).hincrby("copy", "count", 1)

            for _ in range(20):
                await client.transaction(increment, "counter")

        await asyncio.gather(*(count() for _ in range(10)))
        self.assertEqual(await self.client.hget("counter", "count"), "200")
        self.assertEqual(await self.client.hget("copy", "count"), "200")

    async def test_messages_and_events_arrive_until_unsubscribed(self) -> None:
        subscriber = self.connect(server.port).pubsub()
        self.addAsyncCleanup(subscriber.aclose)
        await subscriber.subscribe("news")
        await subscriber.psubscribe("__keyevent@0__:ex*")
        self.assertEqual(await receive(subscriber), ("subscribe", "news", 1))
        self.assertEqual(await receive(subscriber), ("psubscribe", "__keyevent@0__:ex*", 2))
        self.assertEqual(await self.client.publish("news", "hello"), 1)
        self.assertEqual(await receive(subscriber), ("message", "news", "hello"))
        await self.client.pipeline().hset("hash", "field", "value").pexpire("hash", 20).execute()
        self.assertEqual(await receive(subscriber), ("pmessage", "__keyevent@0__:expire", "hash"))
        self.assertEqual(await receive(subscriber), ("pmessage", "__keyevent@0__:expired", "hash"))
        await subscriber.unsubscribe()
        self.assertEqual(await receive(subscriber), ("unsubscribe", "news", 1))
        self.assertEqual(await self.client.publish("news", "lost"), 0)

    async def test_reconnects_after_a_restart_of_the_server(self) -> None:
        first = Mayfly()
        client = self.connect(first.port)
        await client.hset("hash", "field", "value")
        await asyncio.to_thread(first.stop)
        second = Mayfly(port=first.port)
        self.addCleanup(second.stop)
        self.assertEqual(await client.hset("hash", "field", "value"), 1)

    async def test_listens_again_after_a_restart_of_the_server(self) -> None:
        first = Mayfly()
        subscriber = self.connect(first.port).pubsub(ignore_subscribe_messages=True)
        self.addAsyncCleanup(subscriber.aclose)
        await subscriber.subscribe("news")
        await asyncio.to_thread(first.stop)
        second = Mayfly(port=first.port)
        self.addCleanup(second.stop)
        client = self.connect(first.port)
        async with asyncio.timeout(WAIT_SECONDS):
            # redis-py connects and subscribes again while it looks for messages.
            while not await client.publish("news", "back"):
                self.assertIsNone(await subscriber.get_message(timeout=0.01))
        self.assertEqual(await receive(subscriber), ("message", "news", "back"))


class Resp2(Cases, unittest.IsolatedAsyncioTestCase):
    protocol = 2


class Resp3(Cases, unittest.IsolatedAsyncioTestCase):
    protocol = 3
