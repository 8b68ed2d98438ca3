"""What watches a Redis from outside: a real redis_exporter, and the requests that RedisInsight sends."""

import re
import socket
import subprocess
import tempfile
import unittest
import urllib.request

import redis
from mayfly import WAIT_SECONDS, Mayfly, wait_until

# Metrics that dashboards for redis_exporter show, and what they must be here; None: any number.
METRICS = {
    "redis_up": 1,
    'redis_exporter_last_scrape_error{err=""}': 0,
    "redis_connected_clients": None,
    "redis_blocked_clients": 0,
    "redis_commands_processed_total": None,
    'redis_commands_total{cmd="hset"}': 3,
    'redis_commands_failed_calls_total{cmd="hset"}': 0,
    'redis_latency_percentiles_usec{cmd="hset",quantile="99"}': None,
    'redis_errors_total{err="WRONGTYPE"}': 1,
    "redis_config_maxclients": 10000,
    "redis_config_maxmemory": 0,
    "redis_connected_slaves": 0,
    "redis_cpu_sys_seconds_total": None,
    "redis_cpu_user_seconds_total": None,
    'redis_db_keys{db="db0"}': 4,
    'redis_db_keys_expiring{db="db0"}': 1,
    "redis_evicted_keys_total": 0,
    "redis_expired_keys_total": 0,
    "redis_keyspace_hits_total": 2,
    "redis_keyspace_misses_total": 1,
    "redis_memory_max_bytes": 0,
    "redis_memory_used_bytes": None,
    "redis_memory_used_rss_bytes": None,
    "redis_mem_fragmentation_ratio": None,
    "redis_net_input_bytes_total": None,
    "redis_net_output_bytes_total": None,
    "redis_rejected_connections_total": 0,
    "redis_slowlog_length": None,
    "redis_uptime_in_seconds": None,
    'redis_key_size{db="db0",key="watched"}': 1,
}


def setUpModule() -> None:
    global server, client
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)
    client = redis.Redis(port=server.port, decode_responses=True)
    unittest.addModuleCleanup(client.close)


class Exporter(unittest.TestCase):
    def test_it_scrapes_what_dashboards_show_and_complains_of_nothing(self) -> None:
        client.flushall()
        client.config_resetstat()
        for key in ("one", "two", "watched"):
            client.hset(key, "field", "value")
        client.execute_command("HSETEX", "lasting", "field", "value", 3600)
        client.hget("one", "field")
        client.hget("nowhere", "field")
        with self.assertRaises(redis.ResponseError):
            client.get("one")
        found, log = self.scrape()
        for name, expected in METRICS.items():
            self.assertIn(name, found)
            if expected is not None:
                self.assertEqual(found[name], expected, name)
        self.assertEqual(found["redis_instance_info"], 1)
        self.assertNotRegex(log, "(?i)level=(warn|error|fatal)|panic")

    def scrape(self) -> tuple[dict[str, float], str]:
        """All metrics of one scrape, without the labels that differ from run to run, and the exporter's log."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = ["-redis.addr", f"redis://127.0.0.1:{server.port}", "-web.listen-address", f"127.0.0.1:{port}"]
        words += ["-check-keys", "watched", "-export-client-list", "-include-system-metrics"]
        with tempfile.TemporaryFile("w+") as log:
            exporter = subprocess.Popen(["prometheus-redis-exporter", *words], stderr=log, stdout=log)
            try:
                text = wait_until("the exporter answers", lambda: self.fetch(port))
            finally:
                exporter.kill()
                exporter.wait()
            log.seek(0)
            lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
            found = {re.sub(r"^(redis_instance_info)\{.*", r"\1", name): float(value) for name, value in lines}
            return found, log.read()

    def fetch(self, port: int) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_SECONDS) as answer:
                return answer.read().decode()
        except OSError:
            return ""


class RedisInsight(unittest.TestCase):
    """It is in no registry; these are the requests it is known to send."""

    def test_every_request_of_a_session_is_answered(self) -> None:
        client.flushall()
        for number in range(50):
            client.hset(f"user:{number}", mapping={"name": f"n{number}", "age": number})
        client.expire("user:7", 100)
        with redis.Redis(port=server.port, decode_responses=True, single_connection_client=True) as window:
            self.connect(window)
            self.browse(window)
            self.analyse(window)

    def connect(self, window: redis.Redis) -> None:
        self.assertTrue(window.client_setname("redisinsight-common-1"))
        self.assertEqual(window.info()["redis_mode"], "standalone")
        self.assertEqual(window.info("server", "keyspace")["db0"]["keys"], 50)
        self.assertIn("hset", window.command())
        self.assertEqual(window.module_list(), [])
        self.assertEqual(window.config_get("databases"), {"databases": "16"})
        self.assertEqual(window.acl_whoami(), "default")
        for words, error in (
            (["CLUSTER", "INFO"], "This instance has cluster support disabled"),
            (["SENTINEL", "MASTERS"], "unknown command 'SENTINEL'"),
            (["FT._LIST"], "unknown command 'FT._LIST'"),
        ):
            with self.assertRaisesRegex(redis.ResponseError, re.escape(error)):
                window.execute_command(*words)

    def browse(self, window: redis.Redis) -> None:
        self.assertEqual(window.dbsize(), 50)
        cursor, keys = 0, []
        while True:
            cursor, page = window.execute_command("SCAN", cursor, "MATCH", "*", "COUNT", "10000", "TYPE", "hash")
            keys += page
            if int(cursor) == 0:
                break
        self.assertEqual(len(set(keys)), 50)
        self.assertEqual(window.scan(0, _type="string", count=10000)[1], [])
        pipeline = window.pipeline(transaction=False)
        for key in keys:
            pipeline.type(key).ttl(key).execute_command("MEMORY", "USAGE", key, "SAMPLES", "0").hlen(key)
        replies = pipeline.execute()
        self.assertEqual(set(replies[0::4]), {"hash"})
        self.assertTrue(all(size > 0 for size in replies[2::4]) and set(replies[3::4]) == {2})
        self.assertEqual(window.hscan("user:7", 0, match="*", count=500)[1], {"name": "n7", "age": "7"})
        self.assertEqual(window.object("ENCODING", "user:7"), "listpack")
        self.assertEqual(window.hset("user:7", "name", "new"), 0)
        self.assertIn(window.ttl("user:7"), range(90, 101))
        self.assertTrue(window.rename("user:8", "user:eight") and window.persist("user:7"))
        self.assertEqual(window.unlink("user:9"), 1)

    def analyse(self, window: redis.Redis) -> None:
        # On a busy machine any call may be slow.
        self.assertEqual(len(window.slowlog_get(50)), window.slowlog_len())
        self.assertEqual(window.config_get("slowlog*")["slowlog-log-slower-than"], "10000")
        self.assertTrue(window.slowlog_reset())
        self.assertIn("redisinsight-common-1", [entry["name"] for entry in window.client_list()])
        self.assertEqual(window.memory_stats()["keys.count"], 49)
        self.assertTrue(window.execute_command("MEMORY", "DOCTOR"))
        self.assertEqual(window.execute_command("LATENCY", "LATEST"), [])
        with client.pubsub() as messages:
            messages.psubscribe("*")
            self.assertEqual(messages.get_message(timeout=WAIT_SECONDS)["type"], "psubscribe")
            self.assertEqual(window.publish("news", "hello"), 1)
            self.assertEqual(messages.get_message(timeout=WAIT_SECONDS)["data"], "hello")
        with client.monitor() as monitor:
            window.hget("user:7", "name")
            shown = monitor.next_command()
            self.assertEqual((shown["db"], shown["command"]), (0, "HGET user:7 name"))
