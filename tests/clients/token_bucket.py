"""A token bucket on a hash that is gone when it has nothing more to say: a full bucket is the same as none."""

import math

import redis
from redis.client import Pipeline


def take(client: redis.Redis, key: str, capacity: int, per_second: float) -> bool:
    """Takes a token, unless the bucket is empty. It holds `capacity` and fills by so many a second."""

    def attempt(bucket: Pipeline) -> bool:
        # The clock is that of the server, so that those of the clients need not agree.
        seconds, microseconds = bucket.time()
        now = seconds + microseconds / 1_000_000
        tokens, filled = bucket.hmget(key, "tokens", "filled")
        tokens = float(capacity if tokens is None else tokens)
        tokens = min(capacity, tokens + max(0.0, now - float(filled or now)) * per_second)
        bucket.multi()
        if tokens < 1:
            return False
        lifetime = math.ceil(capacity / per_second * 1_000)
        fields = ["FIELDS", 2, "tokens", tokens - 1, "filled", repr(now)]
        bucket.execute_command("HSETEX", key, "KEY", "PX", lifetime, *fields)
        return True

    # WATCH; who else takes from the bucket before EXEC makes this one try again.
    return client.transaction(attempt, key, value_from_callable=True)
