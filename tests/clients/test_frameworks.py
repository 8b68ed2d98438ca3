"""Frameworks for Python that keep sessions, caches and limits in Redis, each as it comes, over HTTP where it has some.

Those that keep a string per key, or run Lua, are refused, and say so; with the client of one_field.py in the place of
redis-py's the stores of strings do their work.
"""

import asyncio
import http.cookiejar
import threading
import unittest
import urllib.request
import warnings
from collections.abc import Callable
from importlib.metadata import version

import aiohttp
import aiohttp.web
import aiohttp_session.redis_storage
import limits
import limits.storage
import limits.strategies
import one_field
import redis
import redis_om
from flask import Flask, session
from flask_session import Session
from mayfly import WAIT_SECONDS, Mayfly, wait_until
from pottery import RedisCounter, RedisDict, redis_cache
from token_bucket import take
from werkzeug.serving import WSGIRequestHandler, make_server

NO_STRINGS = "unknown command 'SET'"
NO_LUA = "unknown command 'EVALSHA'"


def setUpModule() -> None:
    global server, URL
    for package in ("Flask", "Flask-Session", "django-redis", "Django", "aiohttp-session", "redis-om", "pottery", "limits"):
        print(package, version(package))
    server = Mayfly()
    unittest.addModuleCleanup(server.stop)
    URL = f"redis://127.0.0.1:{server.port}"


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.client = redis.Redis(port=server.port, decode_responses=True)
        self.addCleanup(self.client.close)
        self.client.flushall()
        # What these packages warn of is about each other.
        self.enterContext(warnings.catch_warnings())
        warnings.simplefilter("ignore")

    def serve(self, application: Callable) -> str:
        """Serves a WSGI application over HTTP; its address."""
        web = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        self.addCleanup(web.server_close)
        self.addCleanup(thread.join, WAIT_SECONDS)
        self.addCleanup(web.shutdown)
        return f"http://127.0.0.1:{web.port}"


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *what) -> None:
        pass


class Browser:
    """Keeps the cookies it gets."""

    def __init__(self, address: str):
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path: str) -> str:
        with self.opener.open(self.address + path, timeout=WAIT_SECONDS) as answer:
            return answer.read().decode()


class FlaskSessions(Case):
    """Flask-Session."""

    def application(self, client: redis.Redis, lifetime_seconds: int = 60) -> Flask:
        self.addCleanup(client.close)
        application = Flask("shop")
        application.config.update(
            SESSION_TYPE="redis", SESSION_REDIS=client, PERMANENT_SESSION_LIFETIME=lifetime_seconds
        )
        Session(application)

        @application.get("/visit")
        def visit() -> str:
            session["visits"] = session.get("visits", 0) + 1
            return str(session["visits"])

        @application.get("/leave")
        def leave() -> str:
            session.clear()
            return "bye"

        return application

    def test_as_it_comes_it_wants_strings(self) -> None:
        application = self.application(redis.Redis(port=server.port))
        application.testing = True
        with self.assertRaisesRegex(redis.ResponseError, NO_STRINGS):
            application.test_client().get("/visit")

    def test_a_session_survives_and_is_destroyed(self) -> None:
        browser = Browser(self.serve(self.application(one_field.Redis(port=server.port))))
        self.assertEqual([browser.get("/visit") for _ in range(3)], ["1", "2", "3"])
        [key] = self.client.keys()
        self.assertTrue(key.startswith("session:"))
        self.assertIn(self.client.ttl(key), range(1, 61))
        # Another process of the same shop.
        again = self.serve(self.application(one_field.Redis(port=server.port)))
        browser.address = again
        self.assertEqual(browser.get("/visit"), "4")
        self.assertEqual(Browser(again).get("/visit"), "1", "another browser")
        self.assertEqual(self.client.dbsize(), 2)
        self.assertEqual(browser.get("/leave"), "bye")
        self.assertEqual(self.client.exists(key), 0)
        self.assertEqual(browser.get("/visit"), "1")

    def test_a_session_expires(self) -> None:
        browser = Browser(self.serve(self.application(one_field.Redis(port=server.port), lifetime_seconds=1)))
        self.assertEqual(browser.get("/visit"), "1")
        wait_until("the session expires", lambda: self.client.dbsize() == 0)
        # Its cookie has expired as well; the browser that still shows it gets a new session.
        for cookie in browser.cookies:
            cookie.expires = None
        self.assertEqual(browser.get("/visit"), "1")


class DjangoCache(Case):
    """django-redis, and the sessions that Django keeps in it."""

    def setUp(self) -> None:
        super().setUp()
        import django
        from django.conf import settings

        if not settings.configured:
            backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": URL}
            settings.configure(
                CACHES={
                    "default": backend | {"OPTIONS": {"REDIS_CLIENT_CLASS": "one_field.Redis"}},
                    "plain": backend,
                },
                SESSION_ENGINE="django.contrib.sessions.backends.cache",
            )
            django.setup()
        from django.core.cache import caches

        self.addCleanup(caches.close_all)
        self.cache, self.plain = caches["default"], caches["plain"]

    def test_as_it_comes_it_wants_strings(self) -> None:
        with self.assertRaisesRegex(redis.ResponseError, NO_STRINGS):
            self.plain.set("key", "value", 60)

    def test_values_live_as_long_as_they_were_told(self) -> None:
        self.cache.set("key", {"a": [1, 2]}, 60)
        self.assertEqual(self.cache.get("key"), {"a": [1, 2]})
        self.assertFalse(self.cache.add("key", "other", 60))
        self.assertTrue(self.cache.add("new", "first", 60))
        self.assertIn(self.cache.ttl("key"), range(1, 61))
        self.assertTrue(self.cache.touch("key", 600))
        self.assertIn(self.cache.ttl("key"), range(61, 601))
        self.assertTrue(self.cache.delete("key"))
        self.assertIsNone(self.cache.get("key"))
        # It counts by Lua; refused, it reads and writes instead, which is not atomic.
        self.cache.set("count", 1, 60)
        self.assertEqual((self.cache.incr("count", 41), self.cache.get("count")), (42, 42))
        self.cache.set("short", "value", 1)
        wait_until("the value expires", lambda: self.cache.get("short") is None)

    def test_sessions_survive_and_are_destroyed(self) -> None:
        from django.contrib.sessions.backends.cache import SessionStore

        first = SessionStore()
        first["user"] = "ada"
        first.set_expiry(60)
        first.save()
        again = SessionStore(first.session_key)
        self.assertEqual(again["user"], "ada")
        [key] = self.client.keys()
        self.assertIn(self.client.ttl(key), range(1, 61))
        again.flush()
        self.assertEqual(self.client.dbsize(), 0)
        self.assertIsNone(SessionStore(first.session_key).get("user"))


class AiohttpSessions(Case):
    """aiohttp-session."""

    def visit(self, client: redis.asyncio.Redis, times: int) -> list[tuple[int, str]]:
        async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
            mine = await aiohttp_session.get_session(request)
            mine["visits"] = mine.get("visits", 0) + 1
            return aiohttp.web.Response(text=str(mine["visits"]))

        async def run() -> list[tuple[int, str]]:
            application = aiohttp.web.Application()
            aiohttp_session.setup(application, aiohttp_session.redis_storage.RedisStorage(client, max_age=60))
            application.router.add_get("/", answer)
            runner = aiohttp.web.AppRunner(application, access_log=None)
            await runner.setup()
            site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            [(_, port)] = runner.addresses
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar) as browser:
                answers = []
                for _ in range(times):
                    async with browser.get(f"http://127.0.0.1:{port}/") as got:
                        answers.append((got.status, await got.text()))
            await runner.cleanup()
            await client.aclose()
            return answers

        return asyncio.run(run())

    def test_as_it_comes_it_wants_strings(self) -> None:
        with self.assertLogs("aiohttp.server", "ERROR") as logs:
            [(status, _)] = self.visit(redis.asyncio.Redis(port=server.port), 1)
        self.assertEqual(status, 500)
        self.assertIn(NO_STRINGS, logs.output[0])

    def test_a_session_survives(self) -> None:
        answers = self.visit(one_field.AsyncRedis(port=server.port), 3)
        self.assertEqual(answers, [(200, "1"), (200, "2"), (200, "3")])
        [key] = self.client.keys()
        self.assertIn(self.client.ttl(key), range(1, 61))


class RedisOm(Case):
    """redis-om: a model is a hash."""

    def test_a_model_is_saved_read_changed_and_expires(self) -> None:
        class Customer(redis_om.HashModel, index=True):
            name: str
            visits: int

            class Meta:
                database = redis_om.get_redis_connection(url=URL)

        self.addCleanup(Customer.Meta.database.close)
        ada = Customer(name="Ada", visits=1)
        ada.save()
        self.assertEqual(Customer.get(ada.pk), ada)
        self.assertEqual(self.client.hget(ada.key(), "name"), "Ada")
        ada.update(visits=42)
        self.assertEqual(Customer.get(ada.pk).visits, 42)
        self.assertEqual(list(Customer.all_pks()), [ada.pk])
        ada.expire(60)
        self.assertIn(self.client.ttl(ada.key()), range(1, 61))
        self.client.pexpire(ada.key(), 20)
        wait_until("the model expires", lambda: not self.client.exists(ada.key()))
        with self.assertRaises(redis_om.NotFoundError):
            Customer.get(ada.pk)
        bob = Customer(name="Bob", visits=1)
        bob.save()
        self.assertEqual(Customer.delete(bob.pk), 1)
        with self.assertRaises(redis_om.NotFoundError):
            Customer.get(bob.pk)


class Pottery(Case):
    """pottery: a cache, a dictionary and a counter that are hashes."""

    def test_the_cache_of_a_function_expires_as_a_whole(self) -> None:
        calls = []

        @redis_cache(redis=self.client, key="squares", timeout=60)
        def square(number: int) -> int:
            calls.append(number)
            return number * number

        self.assertEqual([square(number) for number in (2, 3, 2, 3)], [4, 9, 4, 9])
        self.assertEqual(calls, [2, 3])
        self.assertEqual(self.client.hlen("squares"), 2)
        self.assertIn(self.client.ttl("squares"), range(1, 61))
        self.client.pexpire("squares", 20)
        wait_until("the cache expires", lambda: not self.client.exists("squares"))
        self.assertEqual(square(2), 4)
        self.assertEqual(calls, [2, 3, 2])

    def test_dictionaries_and_counters(self) -> None:
        first = RedisDict({"name": "Ada", "tags": [1, 2]}, redis=self.client, key="user")
        second = RedisDict(redis=self.client, key="user")
        second["visits"] = 42
        self.assertEqual(first.to_dict(), {"name": "Ada", "tags": [1, 2], "visits": 42})
        del first["tags"]
        self.assertEqual(set(second), {"name", "visits"})
        counter = RedisCounter("abca", redis=self.client, key="letters")
        counter["a"] += 2
        self.assertEqual(counter.to_counter(), {"a": 4, "b": 1, "c": 1})


class Limits(Case):
    """limits, of which Flask-Limiter is made, wants Lua; a token bucket of our own wants hashes."""

    def test_limits_as_it_comes_wants_lua(self) -> None:
        storage = limits.storage.RedisStorage(URL)
        self.addCleanup(storage.storage.close)
        limiter = limits.strategies.FixedWindowRateLimiter(storage)
        with self.assertRaisesRegex(redis.ResponseError, NO_LUA):
            limiter.hit(limits.parse("5/minute"), "ada")

    def crowd(self, key: str, takers: int, attempts: int, capacity: int, per_second: float) -> int:
        """How many tokens so many takers get who try at the same time."""
        granted = []

        def take_some() -> None:
            with redis.Redis(port=server.port) as client:
                for _ in range(attempts):
                    if take(client, key, capacity, per_second):
                        granted.append(None)

        threads = [threading.Thread(target=take_some) for _ in range(takers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(granted)

    def test_a_token_bucket_grants_what_it_holds_and_no_more(self) -> None:
        # It fills by one token in ten days: what is granted is what it held.
        self.assertEqual(self.crowd("bucket", takers=8, attempts=40, capacity=100, per_second=1 / 864_000), 100)

    def test_a_token_bucket_that_fills_grants_no_more_than_came_in(self) -> None:
        def now() -> float:
            seconds, microseconds = self.client.time()
            return seconds + microseconds / 1_000_000

        begun = now()
        granted = self.crowd("bucket", takers=8, attempts=100, capacity=20, per_second=50)
        self.assertLessEqual(granted, 20 + (now() - begun) * 50)
        self.assertGreaterEqual(granted, 20)

    def test_a_bucket_that_is_full_again_is_gone(self) -> None:
        self.assertTrue(take(self.client, "bucket", 2, 20))
        self.assertIn(self.client.pttl("bucket"), range(1, 101))
        wait_until("it is gone", lambda: not self.client.exists("bucket"))
        self.assertTrue(take(self.client, "bucket", 2, 20))
