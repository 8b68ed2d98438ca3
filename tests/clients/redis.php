<?php
// phpredis (Debian's php-redis), which speaks RESP2.

$port = (int) $argv[1];
fwrite(STDERR, 'phpredis ' . phpversion('redis') . ' PHP ' . PHP_VERSION . "\n");

$count = 0;

/** Reports whether `got` is what was expected, as a line of TAP. */
function expect(string $what, $expected, $got): void {
    global $count;
    $count++;
    if ($expected === $got) {
        echo "ok $count - $what\n";
    } else {
        echo "not ok $count - $what\n# expected ", json_encode($expected), ', got ', json_encode($got), "\n";
    }
}

function eventually(callable $condition): bool {
    for ($tries = 0; $tries < 3000; $tries++) {
        if ($condition()) {
            return true;
        }
        usleep(10_000);
    }
    return false;
}

function connected(): Redis {
    global $port;
    $redis = new Redis();
    $redis->connect('127.0.0.1', $port);
    return $redis;
}

$redis = connected();
expect('connects with its defaults', true, $redis->ping());
$redis->flushAll();

expect('sets the fields of a hash', true, $redis->hMSet('user', ['name' => 'Ada', 'visits' => 1]));
expect('reads a hash', ['name' => 'Ada', 'visits' => '1'], $redis->hGetAll('user'));
expect('reads several fields', ['name' => 'Ada', 'none' => false], $redis->hMGet('user', ['name', 'none']));
expect('counts', 42, $redis->hIncrBy('user', 'visits', 41));
expect('removes fields', 2, $redis->hDel('user', 'name', 'visits'));
expect('a hash without fields is gone', 0, $redis->exists('user'));

expect('HSETEX sets a field and the TTL', 1, $redis->rawCommand('HSETEX', 'session', 'user', 'ada', '60'));
$ttl = $redis->ttl('session');
expect('the TTL is that of the hash', true, $ttl > 0 && $ttl <= 60);
expect('HSETEX again', 0, $redis->rawCommand('HSETEX', 'session', 'user', 'bob', '1'));
expect('the hash expires', true, eventually(fn() => $redis->exists('session') === 0));
$redis->rawCommand('HSETEX', 'session', 'user', 'ada', '0');
expect('errors have their text', "ERR invalid expire time in 'hsetex' command", $redis->getLastError());
$redis->clearLastError();

$pipeline = $redis->pipeline();
$expected = [];
for ($number = 0; $number < 1000; $number++) {
    $pipeline->hSet("key:$number", 'number', (string) $number)->hGet("key:$number", 'number');
    array_push($expected, 1, (string) $number);
}
expect('pipelines answer in order', $expected, $pipeline->exec());

$redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$found = [];
$cursor = null;
while ($keys = $redis->scan($cursor, 'key:*', 100)) {
    $found += array_flip($keys);
}
expect('scan finds every key', 1000, count($found));

$redis->hMSet('large', array_fill_keys(array_map(fn($number) => "field:$number", range(1, 1000)), 'v'));
$found = [];
$cursor = null;
while ($fields = $redis->hScan('large', $cursor, 'field:*', 100)) {
    $found += $fields;
}
expect('hScan finds every field', 1000, count($found));

$payload = $redis->dump('key:7');
expect('RESTORE takes what DUMP gave', true, $redis->restore('copy', 0, $payload));
expect('and makes the same hash of it', ['number' => '7'], $redis->hGetAll('copy'));

$redis->select(15);
$redis->hSet('moving', 'f', 'v');
expect('MOVE', true, $redis->move('moving', 3));
expect('and it is gone here', 0, $redis->exists('moving'));
expect('SWAPDB', true, $redis->swapdb(3, 15));
expect('brings it back', 1, $redis->exists('moving'));
expect('there are 16 databases', false, $redis->select(16));
// phpredis 5 hands out one byte too many here.
expect('which is told', 'ERR DB index is out of range', rtrim($redis->getLastError(), "\0"));
$redis->clearLastError();
expect('SELECT', true, $redis->select(0));
expect('databases are apart', 0, $redis->exists('moving'));

$other = connected();
expect('a transaction answers all at once', [1, 2], $redis->multi()->hSet('a', 'n', '1')->hIncrBy('b', 'n', 2)->exec());
$redis->watch('a');
$other->hSet('a', 'n', '7');
expect('a watched key that changed stops it', false, $redis->multi()->hSet('a', 'n', '8')->exec());
expect('and it has changed nothing', '7', $redis->hGet('a', 'n'));

// phpredis tells of messages only, and nothing else runs while it listens: another process speaks once somebody listens.
// It leaves the subscription by an exception; after an unsubscribe it would wait for messages for good, at a Redis as
// well.
function listen(string $how, array $channels, callable $listener): void {
    $speaker = pcntl_fork();
    if ($speaker === 0) {
        $redis = connected();
        $listens = fn() => $redis->pubsub('numpat') + array_sum($redis->pubsub('numsub', $channels)) === count($channels);
        $told = eventually($listens) && $redis->hSet('short', 'f', 'v') === 1 && $redis->pExpire('short', 20);
        exit($told ? 0 : 1);
    }
    $subscriber = connected();
    $subscriber->setOption(Redis::OPT_READ_TIMEOUT, 30);
    try {
        $subscriber->$how($channels, $listener);
    } catch (RedisException $exception) {
        expect("$how ends", 'Connection closed', $exception->getMessage());
    }
    pcntl_waitpid($speaker, $status);
    expect("$how was seen by another client", 0, $status);
}

$heard = [];
listen('subscribe', ['__keyevent@0__:expired', 'news'], function ($subscriber, $channel, $message) use ($other, &$heard) {
    $heard[] = [$channel, $message];
    if (count($heard) === 1) {
        $other->publish('news', 'hello');
    } else {
        $subscriber->close();
    }
});
$expected = [['__keyevent@0__:expired', 'short'], ['news', 'hello']];
expect('the event of an expired key and messages arrive', $expected, $heard);
expect('nobody listens any more', true, eventually(fn() => $other->publish('news', 'lost') === 0));

$heard = [];
listen('psubscribe', ['__keyevent@0__:ex*'], function ($subscriber, $pattern, $channel, $message) use (&$heard) {
    $heard[] = [$pattern, $channel, $message];
    if (count($heard) === 2) {
        $subscriber->close();
    }
});
$expected = [
    ['__keyevent@0__:ex*', '__keyevent@0__:expire', 'short'],
    ['__keyevent@0__:ex*', '__keyevent@0__:expired', 'short'],
];
expect('events arrive by pattern', $expected, $heard);

$lasting = connected();
$lasting->select(2);
$id = $lasting->rawCommand('CLIENT', 'ID');
expect('the server closes a connection', 1, $other->rawCommand('CLIENT', 'KILL', 'ID', $id));
// It does so on another thread, a moment after it said so.
expect('and lists it no more', false, in_array($id, array_column($other->client('list'), 'id')));
$closed = fn() => (int) $other->info('clients')['connected_clients'] === count($other->client('list'));
expect('and counts it no more', true, eventually($closed));
expect('the client connects again', 1, $lasting->hSet('back', 'f', 'v'));
expect('to the same database', 0, $other->exists('back'));

echo "1..$count\n";
