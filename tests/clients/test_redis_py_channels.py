"""Publish/subscribe and keyspace events of redis-py, blocking, in RESP2 and RESP3."""

import time
import unittest

import redis
from mayfly import WAIT_SECONDS, Mayfly, wait_until
from redis.client import PubSub


def setUpModule() -> None:
    global server
    server = Mayfly(MAYFLY_EVENTS__NOTIFY="KEA")
    unittest.addModuleCleanup(server.stop)


def receive(subscriber: PubSub) -> tuple:
    """The next message, also one that confirms: its type, pattern, channel and data."""
    message = wait_until("a message", lambda: subscriber.get_message(timeout=1))
    return message["type"], message["pattern"], message["channel"], message["data"]


def confirm(subscriber: PubSub, subscriptions: int = 1) -> None:
    for _ in range(subscriptions):
        kind = receive(subscriber)[0]
        assert kind in ("subscribe", "psubscribe", "ssubscribe"), kind


class Cases:
    """What holds in both protocols; `protocol` is that of the subclass."""

    protocol: int

    def setUp(self) -> None:
        self.client = self.connect()
        self.client.flushall()

    def connect(self, **options) -> redis.Redis:
        options = {"port": server.port, "decode_responses": True} | options
        client = redis.Redis(protocol=self.protocol, **options)
        self.addCleanup(client.close)
        return client

    def subscriber(self) -> PubSub:
        subscriber = self.connect().pubsub()
        self.addCleanup(subscriber.close)
        return subscriber

    def test_messages_arrive_by_channel_and_by_pattern(self) -> None:
        subscriber = self.subscriber()
        subscriber.subscribe("news", "weather")
        subscriber.psubscribe("n*")
        confirmed = [receive(subscriber) for _ in range(3)]
        self.assertEqual(
            confirmed,
            [("subscribe", None, "news", 1), ("subscribe", None, "weather", 2), ("psubscribe", None, "n*", 3)],
        )
        self.assertEqual(self.client.publish("news", "one"), 2)
        got = sorted([receive(subscriber), receive(subscriber)])
        self.assertEqual(got, [("message", None, "news", "one"), ("pmessage", "n*", "news", "one")])
        self.assertEqual(self.client.publish("weather", "rain"), 1)
        self.assertEqual(receive(subscriber), ("message", None, "weather", "rain"))
        self.assertEqual(self.client.publish("nobody's", "x"), 1)
        self.assertEqual(self.client.publish("else", "x"), 0)

    def test_who_unsubscribes_hears_no_more(self) -> None:
        subscriber = self.subscriber()
        subscriber.subscribe("one", "two")
        subscriber.psubscribe("p*")
        confirm(subscriber, 3)
        subscriber.unsubscribe("one")
        self.assertEqual(receive(subscriber), ("unsubscribe", None, "one", 2))
        self.assertEqual(self.client.publish("one", "lost"), 0)
        self.assertEqual(self.client.publish("two", "heard"), 1)
        self.assertEqual(receive(subscriber), ("message", None, "two", "heard"))
        subscriber.unsubscribe()
        subscriber.punsubscribe()
        self.assertEqual(receive(subscriber), ("unsubscribe", None, "two", 1))
        self.assertEqual(receive(subscriber), ("punsubscribe", None, "p*", 0))
        self.assertFalse(subscriber.subscribed)
        self.assertEqual(self.client.publish("two", "lost"), 0)

    def test_messages_of_one_publisher_stay_in_order(self) -> None:
        subscriber = self.subscriber()
        subscriber.subscribe("numbers")
        confirm(subscriber)
        pipeline = self.client.pipeline(transaction=False)
        for number in range(5_000):
            pipeline.publish("numbers", number)
        self.assertEqual(pipeline.execute(), [1] * 5_000)
        got = [receive(subscriber)[3] for _ in range(5_000)]
        self.assertEqual(got, [str(number) for number in range(5_000)])

    def test_handlers_run_in_a_thread(self) -> None:
        heard = []
        subscriber = self.subscriber()
        subscriber.subscribe(channel=lambda message: heard.append(message["data"]))
        subscriber.psubscribe(**{"pat*": lambda message: heard.append(message["channel"])})
        confirm(subscriber, 2)
        thread = subscriber.run_in_thread(sleep_time=0.01)
        self.client.publish("channel", "hello")
        self.client.publish("pattern", "")
        wait_until("both are heard", lambda: sorted(heard) == ["hello", "pattern"])
        thread.stop()
        thread.join(WAIT_SECONDS)

    def test_shard_channels_are_channels_of_their_own(self) -> None:
        subscriber = self.subscriber()
        subscriber.ssubscribe("orders")
        confirm(subscriber)
        self.assertEqual(self.client.publish("orders", "lost"), 0)
        self.assertEqual(self.client.spublish("orders", "heard"), 1)
        self.assertEqual(receive(subscriber), ("smessage", None, "orders", "heard"))

    def test_who_listens_can_be_asked(self) -> None:
        first, second = self.subscriber(), self.subscriber()
        first.subscribe("asked:a", "asked:b")
        confirm(first, 2)
        second.subscribe("asked:b")
        confirm(second)
        self.assertEqual(sorted(self.client.pubsub_channels("asked:*")), ["asked:a", "asked:b"])
        counts = dict(self.client.pubsub_numsub("asked:a", "asked:b", "none"))
        self.assertEqual(counts, {"asked:a": 1, "asked:b": 2, "none": 0})

    def test_ping_is_answered_while_subscribed(self) -> None:
        # In RESP3 redis-py knows the answer as one only where it decodes nothing.
        subscriber = self.connect(decode_responses=False).pubsub()
        self.addCleanup(subscriber.close)
        subscriber.subscribe("channel")
        subscriber.ping("are you there")
        confirm(subscriber)
        self.assertEqual(receive(subscriber), ("pong", None, None, b"are you there"))

    def test_a_transaction_publishes_when_it_runs(self) -> None:
        subscriber = self.subscriber()
        subscriber.subscribe("done")
        confirm(subscriber)
        self.assertEqual(self.client.pipeline().hset("hash", "f", "v").publish("done", "hash").execute(), [1, 1])
        self.assertEqual(receive(subscriber), ("message", None, "done", "hash"))

    def test_events_of_a_hash(self) -> None:
        subscriber = self.subscriber()
        subscriber.psubscribe("__keyspace@0__:*")
        confirm(subscriber)
        self.client.hset("hash", "field", "1")
        self.client.hincrby("hash", "field", 1)
        self.client.expire("hash", 60)
        self.client.hdel("hash", "field")
        got = [receive(subscriber) for _ in range(5)]
        self.assertEqual({channel for _, _, channel, _ in got}, {"__keyspace@0__:hash"})
        self.assertEqual([data for _, _, _, data in got], ["hset", "hincrby", "expire", "hdel", "del"])

    def test_the_end_of_a_hash_is_told_that_nobody_touches(self) -> None:
        subscriber = self.subscriber()
        subscriber.subscribe("__keyevent@0__:expired")
        confirm(subscriber)
        deadline = int(time.time() * 1_000) + 50
        pipeline = self.client.pipeline()
        for number in range(100):
            pipeline.hset(f"short:{number}", "field", "value").pexpireat(f"short:{number}", deadline + number)
        pipeline.execute()
        got = [receive(subscriber) for _ in range(100)]
        self.assertEqual({data for _, _, _, data in got}, {f"short:{number}" for number in range(100)})
        self.assertGreaterEqual(time.time() * 1_000, deadline + 99, "none is told before its time")

    def test_listens_again_after_a_restart_of_the_server(self) -> None:
        first = Mayfly()
        subscriber = self.connect(port=first.port).pubsub(ignore_subscribe_messages=True)
        self.addCleanup(subscriber.close)
        subscriber.subscribe("news")
        subscriber.psubscribe("w*")
        first_client = self.connect(port=first.port)
        wait_until("it listens", lambda: first_client.pubsub_numpat() == 1)
        first.stop()
        second = Mayfly(port=first.port)
        self.addCleanup(second.stop)
        # redis-py connects and subscribes again while it looks for messages.
        self.assertIsNone(subscriber.get_message(timeout=0.01))
        client = self.connect(port=first.port)
        wait_until("it listens again", lambda: subscriber.get_message() or client.pubsub_numpat() == 1)
        self.assertEqual(client.publish("news", "back"), 1)
        self.assertEqual(receive(subscriber), ("message", None, "news", "back"))
        self.assertEqual(client.publish("weather", "sun"), 1)
        self.assertEqual(receive(subscriber), ("pmessage", "w*", "weather", "sun"))


class Resp2(Cases, unittest.TestCase):
    protocol = 2


class Resp3(Cases, unittest.TestCase):
    protocol = 3
