"""Makes the files beside it: `make.py NAME BINARY` starts that server and has it save one key of every encoding.

Needs the package redis, like the client tests. What is in a file is what tests/files.rs expects.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import redis

FAR = 4_102_444_800_000
HERE = pathlib.Path(__file__).parent


def fill(client: redis.Redis) -> None:
    """One key of every encoding, and what stands between keys, as far as the server has it."""
    for setting in ("hash", "zset"):
        client.config_set(f"{setting}-max-listpack-entries", 8)
    client.config_set("set-max-intset-entries", 8)
    client.config_set("list-max-listpack-size", 4)
    client.config_set("maxmemory-policy", "allkeys-lfu")
    client.function_load("#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    words = [f"word:{number}" for number in range(20)]
    client.mset({"string": "text", "integer": "12345", "compressed": "a" * 500, "empty": ""})
    client.rpush("list", *words[:3])
    client.rpush("quicklist", *words, "x" * 10_000)
    client.sadd("intset", 1, 2, 70_000)
    client.sadd("set", *words[:3])
    client.sadd("large-set", *(word * 20 for word in words))
    client.zadd("zset", {"a": 1, "b": 2.5})
    client.zadd("large-zset", {word: number / 3 for number, word in enumerate(words)} | {"inf": "inf"})
    for number in range(300):
        client.xadd("stream", {"n": number}, id=f"{number + 1}-0")
    client.xdel("stream", "7-0")
    client.xgroup_create("stream", "group", id="0")
    client.xgroup_create("stream", "idle", id="$")
    client.xreadgroup("group", "consumer", {"stream": ">"}, count=5)
    client.xreadgroup("group", "other", {"stream": ">"}, count=2)
    client.xack("stream", "group", "1-0")
    client.hset("hash", mapping={"name": "Ada", "visits": 1, "negative": -70_000})
    client.hset("table", mapping={word: number for number, word in enumerate(words)})
    client.hset("expiring", mapping={"f": "v"})
    client.pexpireat("expiring", FAR)
    client.set("expiring-string", "v", pxat=FAR)
    client.execute_command("SELECT", 3)
    client.hset("elsewhere", mapping={"f": "v" * 100})
    client.pexpireat("elsewhere", FAR + 1)
    client.execute_command("SELECT", 0)
    try:
        for key, others in (("field-ttls", []), ("field-ttls-table", words)):
            client.hset(key, mapping={"stays": 1, "later": 2, "also": 3} | {word: 0 for word in others})
            client.execute_command("HPEXPIREAT", key, FAR, "FIELDS", 1, "later")
    except redis.ResponseError:
        client.delete("field-ttls", "field-ttls-table")


def save(binary: str, target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        socket = os.path.join(directory, "socket")
        command = [binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", directory]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            client = redis.Redis(unix_socket_path=socket, single_connection_client=False, max_connections=1)
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    assert server.poll() is None, "the server has ended"
                    time.sleep(0.05)
            fill(client)
            client.save()
            server.terminate()
        shutil.copy(os.path.join(directory, "dump.rdb"), target)


if __name__ == "__main__":
    name, binary = sys.argv[1:]
    save(binary, HERE / f"{name}.rdb")
