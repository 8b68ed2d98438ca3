"""Measures how late a subscriber hears that keys have expired. No part of tests/run: it judges nothing.

    MAYFLY_EVENTS__NOTIFY=Ex mayfly --port 7000 &
    tests/.tools/venv/bin/python tests/clients/measure_events.py --port 7000

Keys with near deadlines, spread at random, stand beside many with far ones. The name of a key carries its deadline;
the subscriber, redis-py in a process of its own on the same machine, subtracts that from the clock when it has the
message in hand. So the lag holds everything in between, redis-py included. The database is emptied first.
"""

import argparse
import array
import multiprocessing
import random
import sys
import time
from multiprocessing.connection import Connection

import redis

CHANNEL = "__keyevent@0__:expired"
BATCH = 1_000
# The near keys are written before the first of them is due; also what a subscriber waits in vain at the end.
PREPARE_SECONDS = 10


def main() -> None:
    options = parse_options()
    client = redis.Redis(port=options.port)
    client.flushall()
    begun = time.monotonic()
    write(client, options.far, lambda number: (f"far:{number}", now_ms() + 86_400_000))
    print(f"{client.dbsize():,} keys with far deadlines, written in {time.monotonic() - begun:.1f} s")

    receiver, sender = multiprocessing.Pipe(duplex=False)
    subscriber = multiprocessing.Process(target=listen, args=(options.port, options.near, sender))
    subscriber.start()
    assert receiver.recv() == "listening"

    draw = random.Random(options.seed)
    first = now_ms() + PREPARE_SECONDS * 1_000

    def near(number: int) -> tuple[str, int]:
        deadline = first + draw.randrange(options.spread * 1_000)
        return f"near:{number}:{deadline}", deadline

    write(client, options.near, near)
    if now_ms() >= first:
        sys.exit("the machine is too slow: the first deadline has passed before all keys were written")
    time.sleep(max(0, first - now_ms()) / 1_000)
    before = processor_time()
    lags = receiver.recv()
    idle, passed = (after - before for before, after in zip(before, processor_time()))
    subscriber.join()
    print(f"processors idle meanwhile: {100 * idle / passed:.0f} %")
    report(lags, options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of a server that tells of expired keys")
    parser.add_argument("--near", type=int, default=100_000, help="keys that expire")
    parser.add_argument("--far", type=int, default=1_000_000, help="keys that do not")
    parser.add_argument("--spread", type=int, default=20, help="seconds over which they expire")
    parser.add_argument("--seed", type=int, default=1, help="of their deadlines")
    return parser.parse_args()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def processor_time() -> tuple[int, int]:
    """How long the processors of this machine were idle, and how long there were any."""
    with open("/proc/stat") as file:
        spent = [int(word) for word in file.readline().split()[1:9]]
    return spent[3], sum(spent)


def write(client: redis.Redis, keys: int, name_and_deadline) -> None:
    for start in range(0, keys, BATCH):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, min(start + BATCH, keys)):
            key, deadline = name_and_deadline(number)
            pipeline.execute_command("HSETEX", key, "KEY", "PXAT", deadline, "FIELDS", 1, "field", "value")
        pipeline.execute()


def listen(port: int, keys: int, report_to: Connection) -> None:
    """Sends the lag of each message in milliseconds, once `keys` have arrived or no more do."""
    subscriber = redis.Redis(port=port).pubsub()
    subscriber.subscribe(CHANNEL)
    assert subscriber.get_message(timeout=PREPARE_SECONDS)["type"] == "subscribe"
    report_to.send("listening")
    lags = array.array("d")
    while len(lags) < keys:
        message = subscriber.get_message(timeout=2 * PREPARE_SECONDS)
        now = time.time_ns()
        if message is None:
            break
        lags.append(now / 1e6 - int(message["data"].rsplit(b":", 1)[1]))
    report_to.send(lags)


def report(lags: array.array, options: argparse.Namespace) -> None:
    print(f"{len(lags):,} of {options.near:,} messages, deadlines spread over {options.spread} s, seed {options.seed}")
    if not lags:
        sys.exit("no message has arrived: is MAYFLY_EVENTS__NOTIFY=Ex set?")
    ordered = sorted(lags)
    for name, share in (("minimum", 0), ("median", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("maximum", 1)):
        print(f"{name:8} {ordered[min(int(share * len(ordered)), len(ordered) - 1)]:8.3f} ms")
    if len(lags) < options.near:
        sys.exit("messages are missing")


if __name__ == "__main__":
    main()
