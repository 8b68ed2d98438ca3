"""redis-cli and redis-benchmark, as people use them."""

import json
import subprocess
import time
import unittest

from mayfly import WAIT_SECONDS, Mayfly, wait_until
from terminal import Terminal

# What Mayfly was asked to do, and what redis-cli shows. The 60 under the call with 120 is right a minute after
# that call; a test in Rust replays that minute with a clock of its own. Here no minute passes, and a TTL may
# read less by the seconds that did.
TRANSCRIPT = [
    ('HSETEX myhash field1 "value1" 60', 1),
    ('HSETEX myhash field2 "value2" 120', 1),
    ("HEXISTS myhash field1", 1),
    ("TTL myhash", 120),
    ('HSETEX myhash field1 "newvalue" 180', 0),
    ("TTL myhash", 180),
]


def setUpModule() -> None:
    global server
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)


def redis_cli(*words: str, port: int = 0, stdin: str | bytes = "", environment: dict | None = None) -> str:
    """What redis-cli prints for these words; it must succeed and not complain."""
    command = ["redis-cli", "-e", "-p", str(port or server.port), *words]
    done = subprocess.run(
        command,
        input=stdin if isinstance(stdin, bytes) else stdin.encode(),
        capture_output=True,
        timeout=10 * WAIT_SECONDS,
        env=environment,
    )
    assert done.returncode == 0 and not done.stderr, f"{command}: {done}"
    return done.stdout.decode()


def load(key: str, fields: int) -> None:
    redis_cli("HSET", key, *(word for number in range(fields) for word in (f"field:{number}", "value")))


class Case(unittest.TestCase):
    def setUp(self) -> None:
        redis_cli("FLUSHALL")


class Transcript(Case):
    def test_in_resp2(self) -> None:
        self.replay("-2")

    def test_in_resp3(self) -> None:
        self.replay("-3")

    def replay(self, protocol: str) -> None:
        # Without HELLO, redis-cli speaks RESP2.
        words = [] if protocol == "-2" else [protocol]
        begun = time.monotonic()
        shown = redis_cli("--no-raw", *words, stdin="".join(f"{line}\n" for line, _ in TRANSCRIPT))
        passed = int(time.monotonic() - begun) + 1
        replies = [line for line in shown.splitlines() if line]
        self.assertEqual(len(replies), len(TRANSCRIPT), shown)
        for (line, expected), reply in zip(TRANSCRIPT, replies, strict=True):
            late = range(passed + 1) if line.startswith("TTL") else range(1)
            self.assertIn(reply, [f"(integer) {expected - seconds}" for seconds in late], line)
        self.assertEqual(redis_cli("HGET", "myhash", "field1"), "newvalue\n")

    def test_an_expired_hash_is_gone(self) -> None:
        redis_cli("HSETEX", "myhash", "field1", "value1", "1")
        wait_until("the hash expires", lambda: redis_cli("EXISTS", "myhash") == "0\n")
        self.assertEqual(redis_cli("--no-raw", "HGET", "myhash", "field1"), "(nil)\n")
        self.assertEqual(redis_cli("TTL", "myhash"), "-2\n")
        self.assertEqual(redis_cli("DBSIZE"), "0\n")


class Interactive(Case):
    def test_hints_name_the_words_of_a_command(self) -> None:
        for number, protocol in enumerate(([], ["-3"])):
            with Terminal("redis-cli", "-p", str(server.port), *protocol) as terminal:
                terminal.wait_for(f"127.0.0.1:{server.port}> ")
                terminal.type("HSETEX ")
                terminal.wait_for("field value seconds")
                terminal.type(f"myhash field{number} value1 60\r")
                terminal.wait_for(f"(integer) 1\r\n127.0.0.1:{server.port}> ")
                terminal.type("HGETALL myhash\r")
                terminal.wait_for('"value1"')

    def test_help_comes_from_the_server(self) -> None:
        shown = redis_cli(stdin="help HSETEX\nhelp @hash\n")
        self.assertIn("Sets a field and the TTL of the whole hash in one atomic step.", shown)
        self.assertIn("HRANDFIELD", shown)

    def test_the_prompt_names_the_database(self) -> None:
        with Terminal("redis-cli", "-p", str(server.port)) as terminal:
            terminal.wait_for(f"127.0.0.1:{server.port}> ")
            terminal.type("SELECT 3\r")
            terminal.wait_for(f"127.0.0.1:{server.port}[3]> ")

    def test_the_prompt_names_the_transaction(self) -> None:
        for protocol in ([], ["-3"]):
            redis_cli("DEL", "hash")
            with Terminal("redis-cli", "-p", str(server.port), *protocol) as terminal:
                prompt = f"127.0.0.1:{server.port}"
                terminal.wait_for(f"{prompt}> ")
                terminal.type("MULTI\r")
                terminal.wait_for(f"{prompt}(TX)> ")
                terminal.type("HINCRBY hash count 7\r")
                # What is typed before the prompt is back is thrown away.
                terminal.wait_for(f"QUEUED\r\n{prompt}(TX)> ")
                terminal.type("EXEC\r")
                terminal.wait_for(f"1) (integer) 7\r\n{prompt}> ")
                terminal.type("ECHO over\r")
                terminal.wait_for('"over"')
                self.assertRegex(terminal.shown, rf"{prompt}> [^>]*ECHO over")

    def test_subscribe_shows_messages_as_they_come(self) -> None:
        for protocol in ([], ["-3"]):
            with Terminal("redis-cli", "-p", str(server.port), *protocol, "SUBSCRIBE", "news") as terminal:
                terminal.wait_for("(integer) 1")
                self.assertEqual(redis_cli("PUBLISH", "news", "hello"), "1\n")
                terminal.wait_for('3) "hello"')

    def test_monitor_shows_what_others_ask_for(self) -> None:
        with Terminal("redis-cli", "-p", str(server.port), "MONITOR") as terminal:
            terminal.wait_for("OK")
            redis_cli("HSET", "hash", "field", 'a "word"\n')
            terminal.wait_for("\n", times=2)
            line = r'\n\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "HSET" "hash" "field" "a \\"word\\"\\n"\r?\n'
            self.assertRegex(terminal.shown, line)


class Modes(Case):
    def test_scan(self) -> None:
        for number in range(5):
            load(f"user:{number}", 1)
        load("other", 1)
        found = redis_cli("--scan", "--pattern", "user:*").split()
        self.assertEqual(sorted(found), [f"user:{number}" for number in range(5)])

    def test_pipe_with_a_hundred_thousand_commands(self) -> None:
        def request(*words: str) -> str:
            return f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)

        commands = 100_000
        requests = "".join(
            request("HSETEX", f"key:{number}", "field", "value", "600") for number in range(commands)
        )
        shown = redis_cli("--pipe", stdin=requests)
        self.assertIn(f"errors: 0, replies: {commands}", shown)
        self.assertEqual(redis_cli("DBSIZE"), f"{commands}\n")

    def test_bigkeys(self) -> None:
        load("small", 3)
        load("large", 500)
        shown = redis_cli("--bigkeys")
        self.assertRegex(shown, r'Biggest +hash found .*"large".* has 500 fields')
        self.assertRegex(shown, r"2 hashs with 503 fields")

    def test_memkeys(self) -> None:
        load("small", 3)
        load("large", 500)
        self.assertRegex(redis_cli("--memkeys"), r'Biggest +hash found .*"large".* has \d+ bytes')

    def test_hotkeys(self) -> None:
        load("cold", 1)
        load("hot", 1)
        self.assertEqual(redis_cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", "0"), "OK\n")
        self.addCleanup(redis_cli, "CONFIG", "SET", "maxmemory-policy", "noeviction", "lfu-log-factor", "10")
        for key, uses in (("cold", 1), ("hot", 50)):
            redis_cli("DEL", key)
            load(key, 1)
            redis_cli("--pipe", stdin=f"HLEN {key}\r\n" * uses)
        shown = redis_cli("--hotkeys")
        self.assertRegex(shown, r"hot key found with counter: 5\d\tkeyname: \"?hot")

    def test_latency(self) -> None:
        # Not on a terminal it samples for the interval, prints minimum, maximum, average, count, and ends.
        numbers = redis_cli("--latency", "-i", "1").split()
        self.assertEqual(len(numbers), 4, numbers)
        self.assertGreater(int(numbers[3]), 0)

    def test_latency_history_and_distribution(self) -> None:
        with Terminal("redis-cli", "-p", str(server.port), "--latency-history", "-i", "1") as terminal:
            terminal.wait_for("seconds range")
            self.assertRegex(terminal.shown, r"min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\)")
        with Terminal("redis-cli", "-p", str(server.port), "--latency-dist", "-i", "1") as terminal:
            terminal.wait_for("From 0 to 100%")

    def test_stat(self) -> None:
        load("hash", 1)
        with Terminal("redis-cli", "-p", str(server.port), "--stat", "-i", "0.1") as terminal:
            terminal.wait_for("\n", times=6)
        rows = [line.split() for line in terminal.shown.splitlines()]
        counted = [row for row in rows if row and row[0] == "1"]
        self.assertGreater(len(counted), 1, terminal.shown)
        self.assertIn("keys", terminal.shown)

    def test_formats(self) -> None:
        load("hash", 1)
        self.assertEqual(redis_cli("--no-raw", "HGETALL", "hash"), '1) "field:0"\n2) "value"\n')
        self.assertEqual(redis_cli("--no-raw", "-3", "HGETALL", "hash"), '1# "field:0" => "value"\n')
        self.assertEqual(redis_cli("--csv", "HGETALL", "hash"), '"field:0","value"\n')
        self.assertEqual(json.loads(redis_cli("--json", "HGETALL", "hash")), {"field:0": "value"})

    def test_a_value_from_standard_input(self) -> None:
        value = bytes(range(256)) * 1_000
        redis_cli("-x", "HSET", "hash", "field", stdin=value)
        self.assertEqual(redis_cli("HSTRLEN", "hash", "field"), "256000\n")

    def test_repeated(self) -> None:
        self.assertEqual(redis_cli("-r", "3", "HINCRBY", "hash", "count", "1"), "1\n2\n3\n")
        self.assertEqual(redis_cli("-r", "3", "-i", "0.01", "HINCRBY", "hash", "count", "1"), "4\n5\n6\n")

    def test_quoted_words(self) -> None:
        redis_cli("--quoted-input", "HSET", "hash", r'"\x00\xff"', r'"a\nb"')
        self.assertEqual(redis_cli("--no-raw", "HGETALL", "hash"), '1) "\\x00\\xff"\n2) "a\\nb"\n')
        self.assertEqual(redis_cli("--quoted-input", "HSTRLEN", "hash", r'"\x00\xff"'), "3\n")


class Connecting(Case):
    def test_to_a_database(self) -> None:
        redis_cli("-n", "5", "HSET", "hash", "field", "five")
        self.assertEqual(redis_cli("EXISTS", "hash"), "0\n")
        self.assertEqual(redis_cli("-n", "5", "HGET", "hash", "field"), "five\n")
        self.assertEqual(redis_cli("-u", f"redis://127.0.0.1:{server.port}/5", "DBSIZE"), "1\n")

    def test_with_a_password(self) -> None:
        guarded = Mayfly(MAYFLY_SERVER__PASSWORD="correct horse")
        self.addCleanup(guarded.stop)
        for words in (["--pass", "correct horse"], ["-3", "--user", "default", "--pass", "correct horse"]):
            words = [*words, "--no-auth-warning", "PING"]
            self.assertEqual(redis_cli(*words, port=guarded.port), "PONG\n")
        refused = subprocess.run(
            ["redis-cli", "-p", str(guarded.port), "HGETALL", "hash"], capture_output=True, text=True
        )
        self.assertEqual(refused.stdout.strip(), "NOAUTH Authentication required.")


class Benchmark(Case):
    """redis-benchmark, for its answers and not for its figures."""

    def test_hsetex_in_a_pipeline(self) -> None:
        words = ["-r", "1000", "HSETEX", "key:__rand_int__", "field", "value", "600"]
        self.run_benchmark("-P", "16", *words)
        self.assertIn(int(redis_cli("DBSIZE")), range(1, 1_001))

    def test_its_own_test_of_hset(self) -> None:
        self.run_benchmark("-t", "hset,ping")

    def run_benchmark(self, *words: str) -> None:
        common = ["redis-benchmark", "-p", str(server.port), "-q", "-c", "20", "-n", "20000"]
        done = subprocess.run(
            [*common, *words], capture_output=True, text=True, timeout=10 * WAIT_SECONDS
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertIn("requests per second", done.stdout)
        self.assertNotRegex(done.stdout, "(?i)error|warning")
