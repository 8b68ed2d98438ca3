"""A real Prometheus scrapes Mayfly every second and answers PromQL; promtool reads the metrics."""

import itertools
import json
import math
import re
import socket
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import redis
from mayfly import Mayfly, wait_until

CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: still
    static_configs:
      - targets: ["127.0.0.1:{still}"]
  - job_name: mayfly
    static_configs:
      - targets: ["127.0.0.1:{busy}"]
"""

CONFIGURED = Path(__file__, "../../../config").resolve()
DASHBOARD = json.loads((CONFIGURED / "grafana/mayfly.json").read_text())
ALERTS = CONFIGURED / "prometheus/alerts.yml"

KEYS = 100
EXPIRED = 50


def setUpModule() -> None:
    """Starts one server that has been used and is left alone, and one that the tests go on using."""
    global still, busy, client
    still, busy = Mayfly(), Mayfly()
    unittest.addModuleCleanup(still.stop)
    unittest.addModuleCleanup(busy.stop)
    client = redis.Redis(port=busy.port)
    unittest.addModuleCleanup(client.close)
    # In RESP3 redis-py also sends what Mayfly refuses, and that is counted too.
    with redis.Redis(port=still.port, protocol=2) as user:
        use(user)


def use(client: redis.Redis) -> None:
    """Leaves KEYS keys, of which half hold a TTL, and has EXPIRED others expire; every metric has a value."""
    for number in range(KEYS // 2):
        client.execute_command("HSETEX", f"lasting:{number}", "field", "value", 3600)
        client.hset(f"plain:{number}", "field", "value")
    for number in range(EXPIRED):
        client.execute_command("HSETEX", f"short:{number}", "KEY", "PX", 20, "FIELDS", 1, "field", "value")
    wait_until("the keys expire", lambda: client.dbsize() == KEYS)
    client.hget("lasting:0", "field")
    client.hget("nowhere", "field")
    client.delete("nowhere", "nowhere:else")
    for words in (["NOSUCH"], ["HSETEX", "key", "field", "value", "0"]):
        try:
            client.execute_command(*words)
        except redis.ResponseError:
            continue
        raise AssertionError(f"{words} must be refused")


def fetch(port: int, path: str, **query: str) -> tuple[str, str]:
    """The content type and the body of an answer."""
    url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def promtool(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], input=text, capture_output=True, text=True, timeout=60)


def panels() -> list[tuple[str, str]]:
    """Each query of the dashboard with the title of its panel, as Grafana would send it."""
    queries = []
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            queries.append((panel["title"], query))
    return queries


def alerts() -> list[str]:
    """The expressions of the alerts."""
    rules = re.findall(r"^        expr: (?:\|\n((?:          .*\n)+)|(.+)\n)", ALERTS.read_text(), re.MULTILINE)
    return [block or line for block, line in rules]


def metrics_of(promql: str) -> set[str]:
    """The names of metrics: what is left without texts, labels, times, functions and operators."""
    left = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|without|on|ignoring) \([^)]*\)", " ", promql)
    names = set(re.findall(r"\b[a-z_][a-z_0-9:]*\b(?! *\()", left))
    return names - {"and", "or", "unless", "sum", "min", "max", "e9", "e6"}


class Shipped(unittest.TestCase):
    """What is in config/ for a Prometheus and a Grafana."""

    def test_the_configuration_and_the_alerts_are_right(self) -> None:
        done = promtool("check", "config", str(CONFIGURED / "prometheus/prometheus.yml"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_alert_fires_when_it_should_and_not_before(self) -> None:
        cases = Path(__file__).with_name("alerts_test.yml")
        done = promtool("test", "rules", str(cases))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        names = re.findall(r"- alert: (\w+)", ALERTS.read_text())
        self.assertEqual([name for name in names if f'{{alertname="{name}"}}' not in cases.read_text()], [])
        self.assertEqual(len(alerts()), len(names))

    def test_promtool_reads_every_query_of_the_dashboard(self) -> None:
        rules = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(panels())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            done = promtool("check", "rules", file.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{len(rules)} rules found", done.stdout)

    def test_alerts_and_dashboard_name_metrics_that_are_exported(self) -> None:
        _, text = fetch(still.metrics_port, "/metrics")
        exported = set(re.findall(r"^([a-z_]+)", text, re.MULTILINE)) | {"up"}
        named = set().union(*(metrics_of(query) for query in alerts() + [query for _, query in panels()]))
        self.assertEqual(named - exported, set())

    def test_panels_do_not_overlap(self) -> None:
        places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
        spans = ((range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])) for at in places)
        cells = [(x, y) for columns, rows in spans for x in columns for y in rows]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertTrue(all(at["x"] + at["w"] <= 24 for at in places))


class Endpoint(unittest.TestCase):
    def test_the_text_is_what_promtool_accepts_without_a_word(self) -> None:
        _, text = fetch(still.metrics_port, "/metrics")
        done = promtool("check", "metrics", text=text)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("", "", 0))
        self.assertIn("\nmayfly_command_errors_total", text)

    def test_the_content_type_names_the_format(self) -> None:
        content_type, _ = fetch(still.metrics_port, "/metrics")
        self.assertRegex(content_type, r"^text/plain; version=0\.0\.4")

    def test_healthz(self) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{still.metrics_port}/healthz", timeout=10) as answer:
            self.assertEqual(answer.status, 200)


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        config = Path(folder.name, "prometheus.yml")
        config.write_text(CONFIG.format(still=still.metrics_port, busy=busy.metrics_port))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        flags = {
            "config.file": config,
            "storage.tsdb.path": Path(folder.name, "data"),
            "web.listen-address": f"127.0.0.1:{cls.port}",
            "log.level": "warn",
        }
        prometheus = subprocess.Popen(["prometheus", *(f"--{name}={value}" for name, value in flags.items())])
        cls.addClassCleanup(prometheus.wait)
        cls.addClassCleanup(prometheus.terminate)
        wait_until("Prometheus is ready", cls.ready)

    @classmethod
    def ready(cls) -> bool:
        try:
            fetch(cls.port, "/-/ready")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def query(self, promql: str) -> float:
        """The only value that the query has; NaN where it has none yet."""
        _, body = fetch(self.port, "/api/v1/query", query=promql)
        result = json.loads(body)["data"]["result"]
        self.assertLessEqual(len(result), 1, promql)
        return float(result[0]["value"][1]) if result else math.nan

    def wait_for_value(self, promql: str, expected: float) -> None:
        wait_until(f"{promql} is {expected}", lambda: self.query(promql) == expected)

    def test_values(self) -> None:
        for promql, expected in {
            'up{job="still"}': 1,
            'count(mayfly_shard_keys{job="still"})': 4,
            'sum(mayfly_shard_keys{job="still"})': KEYS,
            'sum(mayfly_shard_keys_with_ttl{job="still"})': KEYS // 2,
            'sum(mayfly_shard_expired_keys_total{job="still", reason=~"wheel|access"})': EXPIRED,
            'sum(mayfly_shard_expiry_lag_seconds_count{job="still"})': EXPIRED,
            'sum(mayfly_shard_expiry_backlog_keys{job="still"})': 0,
            'mayfly_command_calls_total{job="still", command="hset"}': KEYS // 2,
            'mayfly_command_calls_total{job="still", command="hsetex"}': KEYS // 2 + EXPIRED + 1,
            'mayfly_command_errors_total{job="still", command="hsetex"}': 1,
            'mayfly_refused_requests_total{job="still"}': 1,
            'mayfly_build_info{job="still", version!=""}': 1,
        }.items():
            with self.subTest(promql):
                self.wait_for_value(promql, expected)

    def test_every_panel_of_the_dashboard_shows_something(self) -> None:
        use(client)
        for title, query in panels():
            with self.subTest(title, query=query):

                def shows() -> bool:
                    client.hincrby("hash", "counter", 1)
                    _, body = fetch(self.port, "/api/v1/query", query=query)
                    return bool(json.loads(body)["data"]["result"])

                wait_until(f"{title}: {query}", shows)

    def test_the_rate_of_a_command(self) -> None:
        rate = 'sum(rate(mayfly_command_calls_total{job="mayfly", command="hexists"}[1m]))'

        def rises() -> bool:
            client.hexists("hash", "field")
            return self.query(rate) > 0

        wait_until(f"{rate} rises", rises)

    def test_quantiles_of_the_expiry_lag(self) -> None:
        buckets = 'rate(mayfly_shard_expiry_lag_seconds_bucket{job="mayfly"}[1m])'
        lag = f"histogram_quantile(0.99, sum by (le) ({buckets}))"

        numbers = itertools.count()

        def known() -> bool:
            key = f"short:{next(numbers)}"
            client.execute_command("HSETEX", key, "KEY", "PX", 20, "FIELDS", 1, "field", "value")
            return 0 < self.query(lag) <= 300

        wait_until(f"{lag} is known", known)

    def test_quantiles_of_the_time_of_a_command(self) -> None:
        buckets = 'rate(mayfly_command_duration_seconds_bucket{job="mayfly", command="hget"}[1m])'
        time = f"histogram_quantile(0.5, sum by (le) ({buckets}))"

        def known() -> bool:
            client.hget("hash", "field")
            return self.query(time) > 0

        wait_until(f"{time} is known", known)
