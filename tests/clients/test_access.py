"""Users: the same rules mean the same to a real Redis 8.2, and clients log in by name.

The real Redis is the last of REDIS_SERVERS, which tests/run sets.
"""

import itertools
import os
import random
import subprocess
import unittest

import redis
from mayfly import Mayfly
from redis_server import RedisServer

# Commands that both have, with keys of every kind of access, channels and subcommands.
REQUESTS = [
    "HGET {key} f", "HSET {key} f v", "HDEL {key} f", "HLEN {key}", "HGETALL {key}", "HINCRBY {key} f 1",
    "HSETNX {key} f v", "HEXISTS {key} f", "HRANDFIELD {key}", "HSCAN {key} 0", "HGETDEL {key} FIELDS 1 f",
    "DEL {key} {other}", "UNLINK {key}", "EXISTS {key} {other}", "TOUCH {key}", "TYPE {key}", "RENAME {key} {other}",
    "RENAMENX {key} {other}", "COPY {key} {other}", "MOVE {key} 1", "EXPIRE {key} 1", "PERSIST {key}", "TTL {key}",
    "DUMP {key}", "RESTORE {key} 0 x", "OBJECT ENCODING {key}", "MEMORY USAGE {key}", "WATCH {key}", "GET {key}",
    "SCAN 0", "KEYS *", "RANDOMKEY", "DBSIZE", "FLUSHALL", "SWAPDB 0 1", "SELECT 0", "SELECT 1", "PING", "ECHO x",
    "AUTH x", "HELLO", "QUIT", "RESET", "MULTI", "EXEC", "DISCARD", "UNWATCH", "PUBLISH {channel} x",
    "SPUBLISH {channel} x", "SUBSCRIBE {channel} {key}", "PSUBSCRIBE {channel}", "SSUBSCRIBE {channel}",
    "UNSUBSCRIBE {channel}", "PUNSUBSCRIBE", "PUBSUB CHANNELS", "PUBSUB NUMSUB {channel}", "CONFIG GET x",
    "CONFIG SET x y", "CONFIG", "CLIENT LIST", "CLIENT ID", "CLIENT KILL x", "COMMAND", "COMMAND DOCS", "ACL LIST",
    "ACL WHOAMI", "ACL SETUSER x", "INFO", "TIME", "ROLE", "WAIT 0 0", "LASTSAVE", "BGSAVE", "SHUTDOWN", "LOLWUT",
    "SLOWLOG GET", "LATENCY RESET", "MODULE LIST", "CLUSTER INFO", "NOTHING x", "HGET {key}", "CONFIG NOTHING",
]  # fmt: skip
COMMANDS = [
    "hget", "HSET", "hdel", "hgetall", "del", "rename", "copy", "expire", "ttl", "keys", "scan", "flushall", "select",
    "select|0", "ping", "publish", "subscribe", "psubscribe", "config", "config|get", "CONFIG|SET", "client",
    "client|list", "client|id", "acl|whoami", "acl", "info", "multi", "exec", "watch", "object|encoding", "get",
    "nothing", "config|nothing", "config|", "client|list|x", "ping|x", "",
]  # fmt: skip
CATEGORIES = [
    "all", "read", "write", "hash", "keyspace", "fast", "slow", "admin", "dangerous", "connection", "transaction",
    "pubsub", "string", "blocking", "sortedset", "scripting", "Hash", "nothing",
]  # fmt: skip
PATTERNS = ["*", "a", "b", "a*", "a:?", "[ab]:1", "", "a b"]
KEYS = ["a", "b", "a:1", "b:1", "c", "a:"]
FIXED_RULES = [
    "on", "off", "ON", "nopass", "resetpass", "reset", "allkeys", "resetkeys", "allchannels", "resetchannels",
    "allcommands", "nocommands", "clearselectors", "sanitize-payload", "skip-sanitize-payload", ">secret", ">", "<secret",
    "#" + "ab" * 32, "!" + "ab" * 32, "#AB" + "ab" * 31, "#12", "nonsense", "", "%~a", "%RR~a", "%X~a", "(", ")", "()",
    "x)", "(nonsense)", "(>secret)", "@hash", "+@", "-@", "~", "&",
]  # fmt: skip


def rule(draw: random.Random, inside: bool = False) -> str:
    """A rule, right more often than wrong."""
    kind = draw.randrange(8 if inside else 10)
    match kind:
        case 0 | 1:
            return draw.choice("+-") + draw.choice(COMMANDS)
        case 2 | 3:
            return draw.choice("+-") + "@" + draw.choice(CATEGORIES)
        case 4 | 5:
            return draw.choice(["~", "~", "%R~", "%W~", "%rw~", "%WR~"]) + draw.choice(PATTERNS)
        case 6:
            return "&" + draw.choice(PATTERNS)
        case 7:
            return draw.choice(["resetkeys", "resetchannels", "allkeys", "nocommands", "allchannels", "allcommands"])
        case 8:
            return draw.choice(FIXED_RULES)
        case _:
            return f"({' '.join(rule(draw, inside=True) for _ in range(draw.randrange(4)))})"


def words_of(rules: list[str], draw: random.Random) -> list[str]:
    """The rules as words; selectors are split into several now and then."""
    split = (text.split(" ") if text.startswith("(") and draw.random() < 0.5 else [text] for text in rules)
    return list(itertools.chain.from_iterable(split))


class Pair:
    """Asks Mayfly and Redis the same, and compares their replies."""

    def __init__(self, protocol: int):
        options = {"protocol": protocol, "decode_responses": True}
        self.peers = [redis.Redis(port=server.port, **options), real.connect(**options)]
        for peer in self.peers:
            peer.response_callbacks.clear()

    def ask(self, *words: str) -> object:
        mayfly, other = (self.reply(peer, words) for peer in self.peers)
        assert mayfly == other, f"{words}\n  Mayfly: {mayfly}\n  Redis:  {other}"
        return mayfly

    @staticmethod
    def reply(peer: redis.Redis, words: tuple[str, ...]) -> object:
        try:
            return peer.execute_command(*words)
        except redis.RedisError as error:
            return f"error: {error}"

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


def setUpModule() -> None:
    global server, real
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)
    real = RedisServer(os.environ["REDIS_SERVERS"].split()[-1])
    unittest.addModuleCleanup(real.stop)


class AsInRedis(unittest.TestCase):
    def test_random_rules_mean_the_same(self) -> None:
        seed = int(os.environ.get("MAYFLY_TEST_SEED") or random.randrange(1 << 32))
        draw = random.Random(seed)
        try:
            for protocol in (2, 3):
                pair = Pair(protocol)
                self.addCleanup(pair.close)
                for _ in range(300):
                    self.compare_a_user(pair, draw)
        except AssertionError as error:
            raise AssertionError(f"{error}\nto run with the same seed: MAYFLY_TEST_SEED={seed}") from None

    def compare_a_user(self, pair: Pair, draw: random.Random) -> None:
        pair.ask("ACL", "DELUSER", "alice")
        for _ in range(draw.randrange(1, 5)):
            rules = [rule(draw) for _ in range(draw.randrange(6))]
            pair.ask("ACL", "SETUSER", "alice", *words_of(rules, draw))
            pair.ask("ACL", "GETUSER", "alice")
        pair.ask("ACL", "LIST")
        for request in draw.sample(REQUESTS, 25):
            names = {"key": draw.choice(KEYS), "other": draw.choice(KEYS), "channel": draw.choice(KEYS)}
            pair.ask("ACL", "DRYRUN", "alice", *request.format(**names).split(" "))

    def test_every_command_is_in_the_same_categories(self) -> None:
        pair = Pair(3)
        self.addCleanup(pair.close)
        every = ("COMMAND", "LIST", "FILTERBY", "PATTERN", "*")
        ours, theirs = (set(peer.execute_command(*every)) for peer in pair.peers)
        shared = ours & theirs
        self.assertGreater(len(shared), 150)
        for category in pair.ask("ACL", "CAT"):
            mayfly, other = (shared.intersection(peer.execute_command("ACL", "CAT", category)) for peer in pair.peers)
            self.assertEqual(mayfly, other, category)
        for name in shared - {"hsetex"}:
            mayfly, other = (peer.execute_command("COMMAND", "INFO", name)[0] for peer in pair.peers)
            # Arity, flags, categories.
            self.assertEqual([mayfly[1], mayfly[2], mayfly[6]], [other[1], other[2], other[6]], name)

    def test_mistakes_are_answered_alike(self) -> None:
        for protocol in (2, 3):
            pair = Pair(protocol)
            self.addCleanup(pair.close)
            for line in (
                "ACL", "ACL NOTHING", "ACL SETUSER", "ACL GETUSER", "ACL GETUSER nobody", "ACL DELUSER", "ACL DELUSER default",
                "ACL DRYRUN nobody HGET k f", "ACL DRYRUN default NOTHING", "ACL DRYRUN default HGET k", "ACL CAT nothing",
                "ACL CAT a b", "ACL GENPASS 0", "ACL GENPASS 4097", "ACL GENPASS x", "ACL LOG x", "ACL LOG RESET", "ACL LOG",
                "ACL LOG -1", "ACL LOG 1 2", "ACL LOAD", "ACL SAVE", "ACL WHOAMI", "ACL USERS", "ACL WHOAMI x",
                "AUTH nobody x", "AUTH", "AUTH x", "CLIENT KILL USER nobody",
            ):  # fmt: skip
                pair.ask(*line.split(" "))
            pair.ask("ACL", "SETUSER", "a b")
            pair.ask("ACL", "SETUSER", "a\0b")

    def test_the_log_is_the_same(self) -> None:
        for protocol in (2, 3):
            pair = Pair(protocol)
            self.addCleanup(pair.close)
            pair.ask("ACL", "LOG", "RESET")
            pair.ask(
                "ACL",
                "SETUSER",
                "alice",
                "reset",
                "on",
                ">secret",
                "~a",
                "&a",
                "+hget",
                "+publish",
                "+multi",
                "+exec",
                "+acl|log",
            )
            options = {
                "username": "alice",
                "password": "secret",
                "protocol": protocol,
                "single_connection_client": True,
            }
            for client in (redis.Redis(port=server.port, **options), real.connect(**options)):
                with client:
                    self.talk_as_alice(client)
            logs = [self.without_numbers(peer.execute_command("ACL", "LOG")) for peer in pair.peers]
            self.assertEqual(*logs)
            self.assertGreaterEqual(len(logs[0]), 5)

    def talk_as_alice(self, client: redis.Redis) -> None:
        for line in ("AUTH alice wrong", "AUTH alice secret", "HGET b f", "HGET b f", "HSET a f v", "PUBLISH b x", "MULTI",
                     "HLEN a", "EXEC"):  # fmt: skip
            Pair.reply(client, tuple(line.split(" ")))
        Pair.reply(client, ("AUTH", "default", "x"))

    @staticmethod
    def without_numbers(log: list) -> list:
        """The entries without times, addresses and the number of an entry, which began earlier on one server."""
        entries = [
            entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True)) for entry in log
        ]
        own = {"age-seconds", "client-info", "entry-id", "timestamp-created", "timestamp-last-updated"}
        assert all(own < set(entry) for entry in entries), entries
        assert all("user=" in entry["client-info"] for entry in entries), entries
        return [{name: value for name, value in entry.items() if name not in own} for entry in entries]


class LogIn(unittest.TestCase):
    """A user with few rights, as clients log in with a name."""

    @classmethod
    def setUpClass(cls) -> None:
        with redis.Redis(port=server.port) as operator:
            operator.acl_setuser(
                "reader",
                enabled=True,
                passwords=["+secret"],
                keys=["session:*"],
                commands=["+@read", "+acl|whoami", "+client"],
            )
            operator.hset("session:1", "user", "ada")

    def test_redis_py(self) -> None:
        for protocol in (2, 3):
            with redis.Redis(
                port=server.port, username="reader", password="secret", protocol=protocol, decode_responses=True
            ) as client:
                self.assertEqual(client.acl_whoami(), "reader")
                self.assertEqual(client.hgetall("session:1"), {"user": "ada"})
                with self.assertRaisesRegex(redis.exceptions.NoPermissionError, "No permissions to access a key"):
                    client.hget("other", "f")
                with self.assertRaisesRegex(redis.exceptions.NoPermissionError, "run the 'hset' command"):
                    client.hset("session:1", "user", "eve")
        with redis.Redis(port=server.port, username="reader", password="wrong") as client:
            with self.assertRaisesRegex(redis.AuthenticationError, "invalid username-password pair"):
                client.ping()

    def test_redis_py_reads_users(self) -> None:
        with redis.Redis(port=server.port, decode_responses=True) as operator:
            user = operator.acl_getuser("reader")
            self.assertEqual((user["keys"], user["categories"]), (["~session:*"], ["-@all", "+@read"]))
            self.assertEqual(user["commands"], ["+acl|whoami", "+client"])
            self.assertIn("reader", operator.acl_users())
            self.assertEqual(len(operator.acl_genpass()), 64)
            self.assertEqual(operator.acl_dryrun("reader", "hget", "session:1", "f"), "OK")

    def test_redis_cli(self) -> None:
        def redis_cli(*words: str, **environment: str) -> str:
            command = ["redis-cli", "-p", str(server.port), *words]
            done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=60)
            return done.stdout + done.stderr

        given = ["--user", "reader", "--pass", "secret", "--no-auth-warning"]
        self.assertEqual(redis_cli(*given, "ACL", "WHOAMI"), "reader\n")
        self.assertEqual(redis_cli(*given, "-3", "HGET", "session:1", "user"), "ada\n")
        self.assertIn("NOPERM", redis_cli(*given, "HSET", "session:1", "user", "eve"))
        self.assertEqual(redis_cli("--user", "reader", "ACL", "WHOAMI", REDISCLI_AUTH="secret"), "reader\n")
        self.assertEqual(
            redis_cli("-u", f"redis://reader:secret@127.0.0.1:{server.port}", "--no-auth-warning", "ACL", "WHOAMI"),
            "reader\n",
        )
        self.assertIn("WRONGPASS", redis_cli("--user", "reader", "--pass", "wrong", "--no-auth-warning", "PING"))
