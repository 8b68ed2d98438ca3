"""Clients of redis-py that keep what a program wants to SET and GET as a string in a hash of one field.

Session stores and caches that keep one value per key run with one of these in the place of redis-py's own. It is an
example of ours and no part of any of them; `MGET`, counters and locks are not there.
"""

import redis
import redis.asyncio

FIELD = "value"


class OneField:
    """What is put in front of a client of redis-py, blocking or asyncio."""

    def get(self, name):
        return self.hget(name, FIELD)

    def set(self, name, value, ex=None, px=None, nx=False, xx=False):
        """Sets the value and the lifetime of its key in one step."""
        if (ex is None) == (px is None):
            raise redis.DataError("one lifetime is needed, ex or px")
        words = ["NX"] if nx else ["XX"] if xx else []
        words += ["KEY", "PX", px] if ex is None else ["KEY", "EX", ex]
        return self.execute_command("HSETEX", name, *words, "FIELDS", 1, FIELD, value)


class Redis(OneField, redis.Redis):
    """In the place of redis.Redis."""


class AsyncRedis(OneField, redis.asyncio.Redis):
    """In the place of redis.asyncio.Redis."""
