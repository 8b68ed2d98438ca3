"""valkey-glide with asyncio, in RESP2 and RESP3."""

import asyncio
import re
import unittest

import glide
from glide import Batch, ClientSideCache, GlideClient, GlideClientConfiguration, NodeAddress, ProtocolVersion
from mayfly import WAIT_SECONDS, Mayfly

SUBSCRIBED = GlideClientConfiguration.PubSubSubscriptions
MODES = GlideClientConfiguration.PubSubChannelModes


def setUpModule() -> None:
    global server
    server = Mayfly(MAYFLY_EVENTS__NOTIFY="KEA")
    unittest.addModuleCleanup(server.stop)


class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)

    async def connect(self, **options) -> GlideClient:
        configuration = GlideClientConfiguration([NodeAddress("127.0.0.1", server.port)], **options)
        client = await GlideClient.create(configuration)
        self.addAsyncCleanup(client.close)
        return client

    async def kill(self, client: GlideClient, number: int) -> None:
        """Has the server close a connection and waits until it has."""
        self.assertEqual(await client.custom_command(["CLIENT", "KILL", "ID", str(number)]), 1)
        async with asyncio.timeout(WAIT_SECONDS):
            while f"id={number} ".encode() in await client.custom_command(["CLIENT", "LIST"]):
                await asyncio.sleep(0.01)


class Default(Case):
    """A client that was told nothing but the address."""

    async def test_connects_in_resp3_and_names_itself(self) -> None:
        client = await self.connect()
        self.assertEqual(await client.ping(), b"PONG")
        info = await client.custom_command(["CLIENT", "INFO"])
        self.assertIn(b" resp=3 ", info)
        self.assertIn(b"lib-name=GlidePy", info)

    async def test_messages_and_events_arrive(self) -> None:
        client = await self.connect()
        subscriptions = SUBSCRIBED(
            {MODES.Exact: {"news"}, MODES.Pattern: {"__keyevent@0__:expire*"}}, callback=None, context=None
        )
        subscriber = await self.connect(pubsub_subscriptions=subscriptions)

        async def heard() -> tuple:
            message = await asyncio.wait_for(subscriber.get_pubsub_message(), WAIT_SECONDS)
            return message.channel, message.message, message.pattern

        async with asyncio.timeout(WAIT_SECONDS):
            while not await client.pubsub_numpat() or not (await client.pubsub_numsub(["news"]))[b"news"]:
                await asyncio.sleep(0.01)
        self.assertEqual(await client.publish("hello", "news"), 1)
        self.assertEqual(await heard(), (b"news", b"hello", None))
        self.assertEqual(await client.custom_command(["HSETEX", "short", "f", "v", "1"]), 1)
        pattern = b"__keyevent@0__:expire*"
        self.assertEqual(await heard(), (b"__keyevent@0__:expire", b"short", pattern))
        self.assertEqual(await heard(), (b"__keyevent@0__:expired", b"short", pattern))

        # After its connection was closed it connects and subscribes again. What is published meanwhile is lost.
        await self.kill(client, await subscriber.custom_command(["CLIENT", "ID"]))
        async with asyncio.timeout(WAIT_SECONDS):
            while not (back := subscriber.try_get_pubsub_message()):
                await client.publish("back", "news")
                await asyncio.sleep(0.01)
        self.assertEqual((back.channel, back.message), (b"news", b"back"))


    async def test_its_cache_hears_of_changes(self) -> None:
        writer = await self.connect()
        await writer.flushall()
        cache = ClientSideCache.create(
            max_cache_kb=100, entry_ttl_ms=0, enable_metrics=True, server_assisted=True
        )
        reader = await self.connect(client_side_cache=cache)

        async def seen(expected: dict[bytes, bytes]) -> None:
            async with asyncio.timeout(WAIT_SECONDS):
                while await reader.hgetall("user") != expected:
                    await asyncio.sleep(0.01)

        async def asked() -> int:
            stats = await writer.custom_command(["INFO", "commandstats"])
            return int(re.search(rb"cmdstat_hgetall:calls=(\d+)", stats)[1])

        await writer.hset("user", {"name": "Ada"})
        await seen({b"name": b"Ada"})
        before = await asked()
        for _ in range(100):
            self.assertEqual(await reader.hgetall("user"), {b"name": b"Ada"})
        self.assertEqual(await asked(), before)
        await writer.hset("user", {"name": "Bob"})
        await seen({b"name": b"Bob"})
        await writer.custom_command(["PEXPIRE", "user", "200"])
        await seen({})
        await writer.hset("user", {"name": "Ada"})
        await seen({b"name": b"Ada"})
        await writer.flushall()
        await seen({})


class Cases:
    """What holds in both protocols; `protocol` is that of the subclass."""

    protocol: ProtocolVersion

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.client = await self.connect(protocol=self.protocol)
        await self.client.flushall()

    async def test_hashes(self) -> None:
        client = self.client
        self.assertEqual(await client.hset("user", {"name": "Ada", "visits": "1"}), 2)
        self.assertEqual(await client.hgetall("user"), {b"name": b"Ada", b"visits": b"1"})
        self.assertEqual(await client.hmget("user", ["name", "none"]), [b"Ada", None])
        self.assertEqual(await client.hincrby("user", "visits", 41), 42)
        self.assertEqual(await client.hincrbyfloat("user", "score", 0.5), 0.5)
        self.assertEqual(await client.hdel("user", ["name", "visits", "score"]), 3)
        self.assertEqual(await client.exists(["user"]), 0)

    async def test_hsetex_of_five_words_expires_the_whole_hash(self) -> None:
        client = self.client
        self.assertEqual(await client.custom_command(["HSETEX", "hash", "a", "1", "60"]), 1)
        self.assertIn(await client.ttl("hash"), range(1, 61))
        self.assertEqual(await client.custom_command(["HSETEX", "hash", "b", "2", "1"]), 1)
        async with asyncio.timeout(WAIT_SECONDS):
            while await client.exists(["hash"]):
                await asyncio.sleep(0.01)
        self.assertEqual(await client.hgetall("hash"), {})

    async def test_expiry(self) -> None:
        await self.client.hset("hash", {"field": "value"})
        self.assertTrue(await self.client.expire("hash", 60))
        self.assertTrue(await self.client.persist("hash"))
        self.assertEqual(await self.client.ttl("hash"), -1)

    async def test_batches_are_pipelines_or_transactions(self) -> None:
        for atomic in (False, True):
            batch = Batch(is_atomic=atomic)
            for number in range(1_000):
                batch.hset(f"key:{number}:{atomic}", {"number": str(number)}).hget(f"key:{number}:{atomic}", "number")
            replies = await self.client.exec(batch, raise_on_error=True)
            self.assertEqual(replies, [each for number in range(1_000) for each in (1, str(number).encode())])

    async def test_a_watched_key_that_changes_stops_the_transaction(self) -> None:
        other = await self.connect(protocol=self.protocol)
        await self.client.watch(["hash"])
        await other.hset("hash", {"field": "theirs"})
        self.assertIsNone(await self.client.exec(Batch(True).hset("hash", {"field": "ours"}), raise_on_error=True))
        self.assertEqual(await self.client.hget("hash", "field"), b"theirs")

    async def test_scan_finds_every_key(self) -> None:
        batch = Batch(is_atomic=False)
        for number in range(1_000):
            batch.hset(f"key:{number}", {"field": "value"})
        await self.client.exec(batch, raise_on_error=True)
        cursor, found = b"0", set()
        while True:
            cursor, keys = await self.client.scan(cursor, match="key:*", count=100)
            found |= set(keys)
            if cursor == b"0":
                break
        self.assertEqual(len(found), 1_000)

    async def test_hscan_finds_every_field(self) -> None:
        await self.client.hset("large", {f"field:{number}": str(number) for number in range(1_000)})
        cursor, found = b"0", set()
        while True:
            cursor, page = await self.client.hscan("large", cursor, count=100)
            found |= set(page[0::2])
            if cursor == b"0":
                break
        self.assertEqual(len(found), 1_000)

    async def test_databases_are_apart(self) -> None:
        other = await self.connect(protocol=self.protocol, database_id=15)
        await other.hset("hash", {"field": "value"})
        self.assertEqual(await self.client.exists(["hash"]), 0)
        self.assertTrue(await other.move("hash", 0))
        self.assertEqual(await self.client.custom_command(["SWAPDB", "0", "15"]), "OK")
        self.assertEqual(await other.hgetall("hash"), {b"field": b"value"})
        with self.assertRaisesRegex(glide.RequestError, "DB index is out of range"):
            await self.client.select(16)

    async def test_connects_again_after_its_connection_was_closed(self) -> None:
        lasting = await self.connect(protocol=self.protocol, database_id=2)
        number = await lasting.custom_command(["CLIENT", "ID"])
        await self.kill(self.client, number)
        async with asyncio.timeout(WAIT_SECONDS):
            # The call by which it notices may fail.
            while True:
                try:
                    again = await lasting.custom_command(["CLIENT", "ID"])
                    break
                except glide.GlideError:
                    await asyncio.sleep(0.01)
        self.assertNotEqual(again, number)
        self.assertIn(b" db=2 ", await lasting.custom_command(["CLIENT", "INFO"]))

    async def test_dump_and_restore(self) -> None:
        await self.client.hset("source", {"field": "value"})
        payload = await self.client.dump("source")
        self.assertEqual(await self.client.restore("copy", 0, payload), "OK")
        self.assertEqual(await self.client.hgetall("copy"), {b"field": b"value"})

    async def test_errors_have_their_text(self) -> None:
        with self.assertRaisesRegex(glide.RequestError, "invalid expire time in 'hsetex' command"):
            await self.client.custom_command(["HSETEX", "hash", "field", "value", "0"])
        self.assertEqual(await self.client.ping(), b"PONG")


class Resp2(Cases, Case):
    protocol = ProtocolVersion.RESP2


class Resp3(Cases, Case):
    protocol = ProtocolVersion.RESP3
