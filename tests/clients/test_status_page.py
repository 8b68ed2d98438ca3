"""The status page in a real browser: Chromium draws it, in light and dark, at a phone's width, without a request
that leaves the server.

With STATUS_PAGE_PICTURES, a folder, the test of light and dark keeps pictures of a server at work there, each taken after
STATUS_PAGE_SECONDS."""

import contextlib
import json
import os
import random
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import redis
from mayfly import Mayfly, wait_until
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PHONE, DESK = (390, 844), (1280, 1000)


def setUpModule() -> None:
    global server, client
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)
    client = redis.Redis(port=server.port)
    unittest.addModuleCleanup(client.close)
    if "STATUS_PAGE_PICTURES" in os.environ:
        threading.Thread(target=load, args=(server.port,), daemon=True).start()


def write_sessions() -> None:
    """300 sessions, of which half are due within a minute."""
    for number in range(300):
        client.execute_command("HSETEX", f"session:{number}", "field", "value", 50 if number % 2 else 3000)


def load(port: int) -> None:
    """Gives the pictures something to show: sessions, a few of them asked for far more often, that live for seconds or
    minutes, until the server is gone."""
    chance = random.Random(1)
    with redis.Redis(port=port) as its, contextlib.suppress(redis.ConnectionError):
        while True:
            burst = its.pipeline(transaction=False)
            for _ in range(50):
                session = f"session:{int(chance.paretovariate(0.3)) % 50_000}"
                burst.hget(session, "user")
                if chance.random() < 0.3:
                    burst.execute_command("HSETEX", session, "user", "x" * 60, int(chance.uniform(5, 900)))
            burst.execute()
            time.sleep(chance.uniform(0.005, 0.015))


class StatusPage(unittest.TestCase):
    def setUp(self) -> None:
        options = webdriver.ChromeOptions()
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={self.folder()}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.browser = webdriver.Chrome(options, Service(os.environ["CHROMEDRIVER"]))
        self.addCleanup(self.browser.quit)

    def folder(self) -> str:
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        return folder.name

    def open(self, size: tuple[int, int], scheme: str) -> None:
        """Opens the page, and waits until it has drawn rates, which takes two scrapes."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self.browser.get(f"http://127.0.0.1:{server.metrics_port}/")
        wait_until("the page has drawn", lambda: client.ping() and self.texts("#commands td"))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map(it => it.textContent)"
        return self.browser.execute_script(script, selector)

    def test_it_shows_what_the_server_does(self) -> None:
        write_sessions()
        self.open(DESK, "light")
        totals = dict(zip(self.texts("#totals dt"), self.texts("#totals dd")))
        self.assertEqual((totals["Keys"], totals["with a TTL"]), ("300", "300"))
        self.assertEqual(totals["Due within an hour"], "300")
        shards = self.texts("#shards tr")
        self.assertEqual(len(shards), 1 + 4, shards)
        self.assertIn("PING", self.texts("#commands td"))
        charts = dict(zip(self.texts("figcaption"), self.texts("figcaption strong")))
        self.assertEqual(len(charts), 9, charts)
        due = next(value for title, value in charts.items() if title.startswith("Keys due within a minute"))
        self.assertEqual(due, "150")
        drawn = self.browser.execute_script(
            "return [...document.querySelectorAll('svg path.all')].map(it => it.getAttribute('d'))")
        self.assertTrue(drawn[0].startswith("M"), drawn)

    def test_it_goes_on_when_the_server_is_back(self) -> None:
        self.open(DESK, "light")
        self.browser.execute_script("window.was = fetch; window.fetch = () => Promise.reject(new Error('gone'))")
        trouble = lambda: self.browser.execute_script("return !document.getElementById('trouble').hidden")
        wait_until("the page says that it gets no figures", trouble)
        self.assertIn("gone", self.texts("#trouble")[0])
        self.browser.execute_script("window.fetch = window.was")
        wait_until("the page has figures again", lambda: not trouble())

    def test_light_and_dark_differ_and_nothing_is_wider_than_a_phone(self) -> None:
        grounds = []
        for scheme in ("light", "dark"):
            for size in (DESK, PHONE):
                self.open(size, scheme)
                wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                self.assertLessEqual(wide, size[0])
                if pictures := os.environ.get("STATUS_PAGE_PICTURES"):
                    time.sleep(float(os.environ.get("STATUS_PAGE_SECONDS", "0")))
                    name = f"{pictures}/status-{scheme}-{'phone' if size == PHONE else 'desk'}.png"
                    self.browser.save_screenshot(name)
            ground = "return getComputedStyle(document.body).backgroundColor"
            grounds.append(self.browser.execute_script(ground))
        self.assertNotEqual(*grounds)

    def test_it_asks_nobody_but_its_server_and_complains_of_nothing(self) -> None:
        self.open(DESK, "light")
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        ours = f"http://127.0.0.1:{server.metrics_port}/"
        # The browser asks for more by itself, for its own first page.
        sent = [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent" and event["params"]["documentURL"] == ours]
        self.assertIn(f"{ours}metrics", sent)
        self.assertEqual([url for url in sent if not url.startswith((ours, "data:"))], [])
        self.assertEqual(self.browser.get_log("browser"), [])

    def test_it_names_keys_only_where_it_is_told_to(self) -> None:
        self.open(DESK, "light")
        hidden = lambda name: self.browser.execute_script("return document.getElementById(arguments[0]).hidden", name)
        wait_until("the page says how keys are named", lambda: not hidden("unnamed"))
        self.assertTrue(hidden("keys"))
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/status/keys.json") as answer:
            self.assertEqual(json.load(answer), {"named": False})

    def test_hot_and_big_keys_are_text_whatever_is_in_them(self) -> None:
        naming = Mayfly(MAYFLY_METRICS__STATUS_PAGE_KEYS="true", MAYFLY_HOT_KEYS__SAMPLE_CALLS="1")
        self.addCleanup(naming.stop)
        hot, big = "<img src=x onerror=alert(1)>", b"big\xff"
        with redis.Redis(port=naming.port) as its:
            for _ in range(100):
                its.hincrby(hot, "n", 1)
            its.hset(big, "field", "x" * 100_000)
        self.browser.get(f"http://127.0.0.1:{naming.metrics_port}/")
        wait_until("the keys are named", lambda: self.texts("#big td"))
        self.assertEqual(self.texts("#hot td")[0], hot)
        self.assertEqual(self.texts("#big td")[0], "big\\xff")
        self.assertEqual(self.browser.execute_script("return document.images.length"), 0)
        self.assertEqual(self.browser.get_log("browser"), [])

    def test_one_setting_turns_it_off(self) -> None:
        without = Mayfly(MAYFLY_METRICS__STATUS_PAGE="false")
        self.addCleanup(without.stop)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{without.metrics_port}/")
        self.assertEqual(refused.exception.code, 404)
        urllib.request.urlopen(f"http://127.0.0.1:{without.metrics_port}/metrics").close()
