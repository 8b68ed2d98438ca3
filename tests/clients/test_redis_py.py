"""redis-py, blocking, in RESP2 and RESP3. Its asyncio side is in test_redis_py_asyncio.py."""

import os
import threading
import unittest

import redis
from mayfly import Mayfly, wait_until
from redis.backoff import NoBackoff
from redis.retry import Retry

# redis-py tries again, more and more slowly, also what was refused for its password.
ONCE = Retry(NoBackoff(), 0)

PER_FIELD_REFUSED = (
    "HSETEX with FIELDS and an expiry sets per-field TTLs, which are not supported; "
    "add KEY to expire the whole hash"
)


def setUpModule() -> None:
    global server
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)


class Default(unittest.TestCase):
    """A client that was told nothing but the port."""

    def test_connects_in_resp3_and_names_itself(self) -> None:
        with redis.Redis(port=server.port) as client:
            self.assertTrue(client.ping())
            info = client.client_info()
        self.assertEqual(str(info["resp"]), "3")
        self.assertEqual(info["lib-name"], "redis-py")
        self.assertEqual(info["lib-ver"], redis.__version__)

    def test_decodes_by_the_parser_that_tests_run_asked_for(self) -> None:
        self.assertEqual(redis.utils.HIREDIS_AVAILABLE, os.environ["REDIS_PY_PARSER"] == "hiredis")


class Cases:
    """What holds in both protocols; `protocol` is that of the subclass."""

    protocol: int

    def setUp(self) -> None:
        self.client = self.connect(decode_responses=True)
        self.client.flushall()

    def connect(self, **options) -> redis.Redis:
        client = redis.Redis(port=server.port, protocol=self.protocol, **options)
        self.addCleanup(client.close)
        return client

    def test_speaks_the_protocol_it_asked_for(self) -> None:
        self.assertEqual(str(self.client.client_info()["resp"]), str(self.protocol))

    def test_hashes(self) -> None:
        client = self.client
        self.assertEqual(client.hset("user:1", mapping={"name": "Ada", "visits": 1}), 2)
        self.assertEqual(client.hset("user:1", "name", "Ada Lovelace"), 0)
        self.assertEqual(client.hget("user:1", "name"), "Ada Lovelace")
        self.assertEqual(client.hgetall("user:1"), {"name": "Ada Lovelace", "visits": "1"})
        self.assertEqual(client.hmget("user:1", ["visits", "none"]), ["1", None])
        self.assertEqual(client.hincrby("user:1", "visits", 41), 42)
        self.assertEqual(client.hincrbyfloat("user:1", "score", 0.1), 0.1)
        self.assertEqual(client.hincrbyfloat("user:1", "score", 0.2), 0.3)
        self.assertEqual(client.hsetnx("user:1", "name", "Bob"), 0)
        self.assertEqual(sorted(client.hkeys("user:1")), ["name", "score", "visits"])
        self.assertEqual(sorted(client.hvals("user:1")), ["0.3", "42", "Ada Lovelace"])
        self.assertEqual(client.hlen("user:1"), 3)
        self.assertEqual(client.hstrlen("user:1", "name"), 12)
        self.assertEqual(client.hgetdel("user:1", "score"), ["0.3"])
        self.assertFalse(client.hexists("user:1", "score"))
        self.assertEqual(client.hdel("user:1", "name", "visits", "score"), 2)
        self.assertEqual(client.exists("user:1"), 0)

    def test_random_fields(self) -> None:
        fields = {f"field{number}": str(number) for number in range(20)}
        self.client.hset("many", mapping=fields)
        self.assertIn(self.client.hrandfield("many"), fields)
        drawn = self.client.hrandfield("many", 7)
        self.assertEqual(len(set(drawn)), 7)
        self.assertLessEqual(set(drawn), set(fields))
        self.assertIsNone(self.client.hrandfield("none"))

    def test_values_are_bytes_that_nothing_changes(self) -> None:
        client = self.connect()
        value = bytes(range(256)) + b"\r\n$5\r\n"
        client.hset(b"\x00key\xff", b"\r\n", value)
        self.assertEqual(client.hgetall(b"\x00key\xff"), {b"\r\n": value})
        large = b"x" * 3_000_000
        client.hset("large", "field", large)
        self.assertEqual(client.hget("large", "field"), large)

    def test_hsetex_of_five_words_expires_the_whole_hash(self) -> None:
        client = self.client
        self.assertEqual(client.execute_command("HSETEX", "myhash", "field1", "value1", 60), 1)
        self.assertIn(client.ttl("myhash"), range(1, 61))
        self.assertEqual(client.execute_command("HSETEX", "myhash", "field2", "value2", 1200), 1)
        self.assertIn(client.ttl("myhash"), range(61, 1201))
        self.assertEqual(client.execute_command("HSETEX", "myhash", "field1", "again", 1), 0)
        self.assertEqual(client.hgetall("myhash"), {"field1": "again", "field2": "value2"})
        wait_until("the hash expires", lambda: client.exists("myhash") == 0)
        self.assertEqual(client.hgetall("myhash"), {})
        self.assertEqual(client.ttl("myhash"), -2)

    def test_hsetex_with_key_expires_the_whole_hash(self) -> None:
        words = ["HSETEX", "session", "KEY", "EX", 60, "FIELDS", 2, "user", "7", "cart", "3"]
        self.assertEqual(self.client.execute_command(*words), 1)
        self.assertIn(self.client.ttl("session"), range(1, 61))
        self.assertEqual(self.client.hgetall("session"), {"user": "7", "cart": "3"})

    def test_the_method_hsetex_without_expiry_keeps_the_ttl_of_the_hash(self) -> None:
        # redis-py sends HSETEX key [FNX|FXX] [EX …] FIELDS n field value: the form of Redis 8.
        client = self.client
        self.assertEqual(client.hsetex("hash", "field", "value"), 1)
        self.assertEqual(client.ttl("hash"), -1)
        client.expire("hash", 60)
        self.assertEqual(client.hsetex("hash", mapping={"a": 1, "b": 2}, keepttl=True), 1)
        self.assertIn(client.ttl("hash"), range(1, 61))
        only_new = redis.commands.core.HashDataPersistOptions.FNX
        self.assertEqual(client.hsetex("hash", "a", "3", data_persist_option=only_new), 0)
        self.assertEqual(client.hgetall("hash"), {"field": "value", "a": "1", "b": "2"})

    def test_the_method_hsetex_with_expiry_is_refused_and_changes_nothing(self) -> None:
        for expiry in ({"ex": 60}, {"px": 60_000}, {"exat": 4_000_000_000}, {"pxat": 4_000_000_000_000}):
            with self.assertRaises(redis.ResponseError) as raised:
                self.client.hsetex("hash", "field", "value", **expiry)
            self.assertEqual(str(raised.exception), PER_FIELD_REFUSED)
        self.assertEqual(self.client.exists("hash"), 0)

    def test_expiry(self) -> None:
        client = self.client
        client.hset("hash", "field", "value")
        self.assertEqual(client.ttl("hash"), -1)
        self.assertTrue(client.expire("hash", 100))
        self.assertFalse(client.expire("hash", 50, gt=True))
        self.assertTrue(client.expire("hash", 50, lt=True))
        self.assertFalse(client.expire("hash", 10, nx=True))
        self.assertIn(client.pttl("hash"), range(1, 50_001))
        self.assertTrue(client.persist("hash"))
        self.assertEqual(client.ttl("hash"), -1)
        self.assertTrue(client.expireat("hash", 4_000_000_000))
        self.assertEqual(client.expiretime("hash"), 4_000_000_000)
        self.assertEqual(client.pexpiretime("hash"), 4_000_000_000_000)
        self.assertTrue(client.pexpire("hash", 20))
        wait_until("the hash expires", lambda: client.hget("hash", "field") is None)
        self.assertEqual(client.dbsize(), 0)
        self.assertFalse(client.expire("hash", 100))

    def test_keys(self) -> None:
        client = self.client
        client.execute_command("HSETEX", "one", "field", "value", 60)
        self.assertEqual(client.type("one"), "hash")
        self.assertTrue(client.copy("one", "two"))
        self.assertTrue(client.rename("one", "three"))
        self.assertIn(client.ttl("three"), range(1, 61))
        self.assertFalse(client.renamenx("two", "three"))
        self.assertEqual(sorted(client.keys("t*")), ["three", "two"])
        self.assertIn(client.randomkey(), {"two", "three"})
        self.assertEqual(client.exists("two", "two", "one"), 2)
        self.assertEqual(client.touch("two", "three", "one"), 2)
        self.assertEqual(client.object("encoding", "two"), "listpack")
        self.assertEqual(client.delete("two", "one"), 1)
        self.assertEqual(client.unlink("three"), 1)
        self.assertEqual(client.dbsize(), 0)

    def test_databases_are_apart(self) -> None:
        other = redis.Redis.from_url(
            f"redis://127.0.0.1:{server.port}/3?protocol={self.protocol}", decode_responses=True
        )
        self.addCleanup(other.close)
        other.hset("hash", "field", "three")
        self.assertEqual(self.client.exists("hash"), 0)
        self.assertTrue(self.client.swapdb(0, 3))
        self.assertEqual(self.client.hget("hash", "field"), "three")
        self.assertTrue(self.client.move("hash", 3))
        self.assertEqual(other.hgetall("hash"), {"field": "three"})
        self.assertTrue(other.flushdb())
        self.assertEqual(other.dbsize(), 0)

    def test_there_are_sixteen_databases(self) -> None:
        client = self.connect(decode_responses=True, single_connection_client=True)
        for database in range(16):
            self.assertTrue(client.select(database))
            client.hset("hash", "database", database)
        for database in range(16):
            client.select(database)
            self.assertEqual(client.hgetall("hash"), {"database": str(database)})
        self.assertEqual(client.info("keyspace").keys(), {f"db{database}" for database in range(16)})
        for outside in (16, -1):
            with self.assertRaisesRegex(redis.ResponseError, "^DB index is out of range$"):
                client.select(outside)
        client.expire("hash", 60)
        self.assertFalse(client.move("hash", 0), "the name is taken there")
        self.assertTrue(client.swapdb(0, 15))
        self.assertEqual((client.hget("hash", "database"), client.ttl("hash")), ("0", -1))
        client.select(0)
        self.assertEqual(client.hget("hash", "database"), "15")
        self.assertIn(client.ttl("hash"), range(1, 61))

    def test_pipelines_answer_in_order(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for number in range(10_000):
            pipeline.hset(f"key:{number}", "number", number)
            pipeline.hget(f"key:{number}", "number")
        replies = pipeline.execute()
        self.assertEqual(replies[0::2], [1] * 10_000)
        self.assertEqual(replies[1::2], [str(number) for number in range(10_000)])
        self.assertEqual(self.client.dbsize(), 10_000)

    def test_an_error_in_a_pipeline_stays_in_its_place(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        pipeline.hset("hash", "field", "text").hincrby("hash", "field", 1).hget("hash", "field")
        created, refused, value = pipeline.execute(raise_on_error=False)
        self.assertEqual((created, value), (1, "text"))
        self.assertIsInstance(refused, redis.ResponseError)
        self.assertEqual(str(refused), "hash value is not an integer")

    def test_scan_iter_finds_every_key_once_the_keyspace_is_still(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for number in range(2_000):
            pipeline.hset(f"scan:{number}", "field", number)
            pipeline.hset(f"other:{number}", "field", number)
        pipeline.execute()
        expected = {f"scan:{number}" for number in range(2_000)}
        self.assertEqual(set(self.client.scan_iter(match="scan:*", count=100)), expected)
        self.assertEqual(len(set(self.client.scan_iter(_type="hash"))), 4_000)
        self.assertEqual(list(self.client.scan_iter(_type="string")), [])

    def test_hscan_iter_finds_every_field(self) -> None:
        for size in (10, 2_000):
            fields = {f"field:{number}": str(number) for number in range(size)}
            self.client.hset(f"hash:{size}", mapping=fields)
            self.assertEqual(dict(self.client.hscan_iter(f"hash:{size}", count=50)), fields)
            names = self.client.hscan_iter(f"hash:{size}", match="field:*", no_values=True)
            self.assertEqual(set(names), set(fields))

    def test_client_commands(self) -> None:
        client = self.connect(
            decode_responses=True, client_name="the-name", single_connection_client=True
        )
        self.assertEqual(client.client_getname(), "the-name")
        self.assertTrue(client.client_setinfo("lib-name", "the-library"))
        self.assertTrue(client.client_setinfo("lib-ver", "1.2.3"))
        own = client.client_id()
        [line] = [line for line in self.client.client_list() if line["id"] == str(own)]
        self.assertEqual(line["name"], "the-name")
        self.assertEqual(line["lib-name"], "the-library")
        self.assertEqual(line["lib-ver"], "1.2.3")
        self.assertTrue(client.client_setname("renamed"))
        self.assertEqual(client.client_info()["name"], "renamed")
        with self.assertRaises(redis.ResponseError):
            client.client_setinfo("lib-name", "has blanks")

    def test_server_commands(self) -> None:
        client = self.client
        self.assertEqual(client.echo("hello"), "hello")
        self.assertEqual(client.info()["redis_mode"], "standalone")
        self.assertIn("mayfly_version", client.info("server"))
        self.assertEqual(client.config_get("databases"), {"databases": "16"})
        self.assertGreater(client.command_count(), 50)
        self.assertIn("hsetex", client.command())
        self.assertEqual(client.command_getkeys("HSETEX", "key", "field", "value", "60"), ["key"])
        seconds, microseconds = client.time()
        self.assertGreater(seconds, 1_700_000_000)
        self.assertIn(microseconds, range(1_000_000))

    def test_errors_have_their_classes(self) -> None:
        client = self.client
        self.assertIsNone(client.get("none"))
        client.hset("hash", "field", "value")
        wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value"
        cases = [
            (["GET", "hash"], wrong_type),
            (["HSETEX", "hash", "field", "value", "soon"], "value is not an integer or out of range"),
            (["HSETEX", "hash", "field", "value", "0"], "invalid expire time in 'hsetex' command"),
            (["HSETEX", "hash", "field"], "wrong number of arguments for 'hsetex' command"),
            (["LPUSH", "list", "a"], "unknown command 'LPUSH', with args beginning with: 'list' 'a' "),
            (["CLUSTER", "INFO"], "This instance has cluster support disabled"),
        ]
        for words, text in cases:
            with self.assertRaises(redis.ResponseError, msg=words) as raised:
                client.execute_command(*words)
            self.assertEqual(str(raised.exception), text)
        self.assertTrue(client.ping())

    def test_passwords(self) -> None:
        guarded = Mayfly(MAYFLY_SERVER__PASSWORD="correct horse")
        self.addCleanup(guarded.stop)

        def ping(password: str | None) -> bool:
            options = {"port": guarded.port, "protocol": self.protocol, "retry": ONCE}
            with redis.Redis(password=password, **options) as client:
                return client.ping()

        self.assertTrue(ping("correct horse"))
        with self.assertRaises(redis.AuthenticationError):
            ping(None)
        with self.assertRaises(redis.AuthenticationError) as raised:
            ping("wrong")
        self.assertIn("invalid username-password pair or user is disabled.", str(raised.exception))

    def test_threads_share_a_pool(self) -> None:
        pool = redis.BlockingConnectionPool(
            port=server.port, protocol=self.protocol, max_connections=4, timeout=30
        )
        self.addCleanup(pool.disconnect)
        client = redis.Redis(connection_pool=pool)

        def count() -> None:
            for number in range(500):
                client.hincrby(f"counter:{number % 5}", "count", 1)

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = [self.client.hget(f"counter:{number}", "count") for number in range(5)]
        self.assertEqual(counts, ["800"] * 5)
        self.assertEqual(pool.max_connections, 4)

    def test_reconnects_after_a_restart_of_the_server(self) -> None:
        first = Mayfly()
        client = redis.Redis(port=first.port, protocol=self.protocol, db=2)
        self.addCleanup(client.close)
        client.hset("hash", "field", "value")
        first.stop()
        with self.assertRaises(redis.ConnectionError):
            redis.Redis(port=first.port, retry=ONCE).ping()
        second = Mayfly(port=first.port)
        self.addCleanup(second.stop)
        self.assertEqual(client.hset("hash", "field", "value"), 1, "nothing is kept on disk yet")
        self.assertEqual(str(client.client_info()["db"]), "2", "the database is chosen again")


class Resp2(Cases, unittest.TestCase):
    protocol = 2


class Resp3(Cases, unittest.TestCase):
    protocol = 3
