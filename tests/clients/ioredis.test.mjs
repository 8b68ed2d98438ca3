// ioredis, in RESP2 and RESP3.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { startMayfly, waitUntil, within } from './mayfly.mjs';

let server;
before(async () => {
  server = await startMayfly({ events: 'KEA' });
});
after(() => server.stop());

test('connects with its defaults, in RESP3', async () => {
  const client = new Redis(server.port);
  assert.equal(await client.ping(), 'PONG');
  assert.match(await client.client('INFO'), / resp=3 .*lib-name=ioredis/);
  await client.quit();
});

for (const protocol of [2, 3]) {
  describe(`RESP${protocol}`, () => {
    let client;
    before(() => {
      client = new Redis({ port: server.port, protocol });
    });
    beforeEach(() => client.flushall());
    after(() => client.quit());

    test('speaks the protocol it asked for', async () => {
      assert.match(await client.client('INFO'), new RegExp(` resp=${protocol} `));
    });

    test('hashes', async () => {
      assert.equal(await client.hset('user', { name: 'Ada', visits: 1 }), 2);
      assert.equal(await client.hset('user', 'name', 'Ada Lovelace'), 0);
      assert.deepEqual({ ...(await client.hgetall('user')) }, { name: 'Ada Lovelace', visits: '1' });
      assert.deepEqual(await client.hmget('user', 'visits', 'none'), ['1', null]);
      assert.equal(await client.hincrby('user', 'visits', 41), 42);
      assert.equal(await client.hincrbyfloat('user', 'score', 0.5), '0.5');
      assert.deepEqual((await client.hkeys('user')).sort(), ['name', 'score', 'visits']);
      assert.deepEqual(await client.hgetBuffer('user', 'name'), Buffer.from('Ada Lovelace'));
      assert.equal(await client.hdel('user', 'name', 'visits', 'score'), 3);
      assert.equal(await client.exists('user'), 0);
    });

    test('HSETEX of five words expires the whole hash', async () => {
      assert.equal(await client.call('HSETEX', 'hash', 'a', '1', 60), 1);
      const ttl = await client.ttl('hash');
      assert.ok(ttl > 0 && ttl <= 60, `${ttl}`);
      assert.equal(await client.call('HSETEX', 'hash', 'b', '2', 1), 1);
      assert.deepEqual({ ...(await client.hgetall('hash')) }, { a: '1', b: '2' });
      await waitUntil('the hash expires', async () => (await client.exists('hash')) === 0);
      assert.equal(await client.ttl('hash'), -2);
      assert.equal(await client.dbsize(), 0);
    });

    test('expiry', async () => {
      await client.hset('hash', 'field', 'value');
      assert.equal(await client.expire('hash', 60), 1);
      assert.equal(await client.expire('hash', 30, 'GT'), 0);
      assert.equal(await client.persist('hash'), 1);
      assert.equal(await client.ttl('hash'), -1);
      assert.equal(await client.pexpire('hash', 20), 1);
      await waitUntil('the hash expires', async () => (await client.hget('hash', 'field')) === null);
    });

    test('pipelines answer in order', async () => {
      const pipeline = client.pipeline();
      for (let number = 0; number < 10_000; number++) {
        pipeline.hset(`key:${number}`, 'number', number).hget(`key:${number}`, 'number');
      }
      const replies = await pipeline.exec();
      assert.equal(replies.length, 20_000);
      replies.forEach(([error, reply], position) => {
        const number = Math.floor(position / 2);
        assert.deepEqual([error, reply], [null, position % 2 ? `${number}` : 1]);
      });
    });

    test('calls that are not awaited one by one answer in order, also pipelined automatically', async () => {
      const automatic = new Redis({ port: server.port, protocol, enableAutoPipelining: true });
      for (const each of [client, automatic]) {
        const counts = Array.from({ length: 1_000 }, () => each.hincrby('counter', 'count', 1));
        assert.deepEqual(await Promise.all(counts), Array.from({ length: 1_000 }, (_, index) => index + 1));
        await each.del('counter');
      }
      await automatic.quit();
    });

    test('an error in a pipeline stays in its place', async () => {
      const pipeline = client.pipeline().hset('hash', 'field', 'text').hincrby('hash', 'field', 1);
      const [created, refused, value] = await pipeline.hget('hash', 'field').exec();
      assert.deepEqual(created, [null, 1]);
      assert.equal(refused[0].message, 'ERR hash value is not an integer');
      assert.deepEqual(value, [null, 'text']);
    });

    test('scan streams find every key and field', async () => {
      const pipeline = client.pipeline();
      for (let number = 0; number < 2_000; number++) pipeline.hset(`key:${number}`, 'field', number);
      for (let number = 0; number < 2_000; number++) pipeline.hset('large', `field:${number}`, number);
      await pipeline.exec();
      const keys = new Set();
      for await (const page of client.scanStream({ match: 'key:*', count: 100 })) page.forEach((key) => keys.add(key));
      assert.equal(keys.size, 2_000);
      const fields = new Map();
      for await (const page of client.hscanStream('large', { count: 100 })) {
        for (let index = 0; index < page.length; index += 2) fields.set(page[index], page[index + 1]);
      }
      assert.equal(fields.size, 2_000);
      assert.equal(fields.get('field:1999'), '1999');
    });

    test('a duplicate is a connection of its own', async () => {
      const duplicate = client.duplicate({ db: 5, connectionName: 'the-duplicate' });
      assert.equal(await duplicate.hset('hash', 'field', 'five'), 1);
      assert.equal(await client.exists('hash'), 0);
      assert.equal(await duplicate.client('GETNAME'), 'the-duplicate');
      assert.notEqual(await duplicate.client('ID'), await client.client('ID'));
      assert.match(await client.client('LIST'), / name=the-duplicate .* db=5 /);
      await duplicate.quit();
    });

    test('errors are ReplyErrors with their text', async () => {
      await assert.rejects(client.call('HSETEX', 'hash', 'field', 'value', 0), {
        name: 'ReplyError',
        message: "ERR invalid expire time in 'hsetex' command",
      });
      await assert.rejects(client.lpush('list', 'value'), /^ReplyError: ERR unknown command 'lpush'/);
      assert.equal(await client.ping(), 'PONG');
    });

    test('multi runs as one, with errors in their places', async () => {
      const replies = await client.multi().hset('a', 'n', 1).hset('b', 'n', 'text').hincrby('b', 'n', 1).hget('a', 'n').exec();
      assert.equal(replies[2][0].message, 'ERR hash value is not an integer');
      replies.splice(2, 1);
      assert.deepEqual(replies, [[null, 1], [null, 1], [null, '1']]);
      await assert.rejects(client.multi().hset('a', 'n', 2).lpush('list', 'value').exec(), /^ReplyError: EXECABORT /);
      assert.equal(await client.hget('a', 'n'), '1');
    });

    test('optimistic increments lose none', async () => {
      let refused = 0;
      async function count() {
        const own = client.duplicate();
        for (let done = 0; done < 20; ) {
          await own.watch('counter');
          const value = Number((await own.hget('counter', 'count')) ?? 0);
          const replies = await own.multi().hset('counter', 'count', value + 1).hincrby('copy', 'count', 1).exec();
          replies === null ? refused++ : done++;
        }
        await own.quit();
      }
      await Promise.all(Array.from({ length: 8 }, count));
      assert.equal(await client.hget('counter', 'count'), '160');
      assert.equal(await client.hget('copy', 'count'), '160');
      assert.ok(refused > 0, 'they have met');
    });

    test('messages arrive by channel and by pattern until unsubscribed', async () => {
      const subscriber = client.duplicate();
      const heard = [];
      subscriber.on('message', (channel, message) => heard.push([channel, message]));
      subscriber.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
      assert.equal(await subscriber.subscribe('news', 'weather'), 2);
      assert.equal(await subscriber.psubscribe('n*'), 3);
      assert.equal(await client.publish('news', 'one'), 2);
      await waitUntil('both are heard', () => heard.length === 2);
      assert.deepEqual(heard.sort(), [['n*', 'news', 'one'], ['news', 'one']]);
      assert.equal(await subscriber.unsubscribe('news'), 2);
      // Without the pattern, ioredis waits for one more answer than Redis gives.
      assert.equal(await subscriber.punsubscribe('n*'), 1);
      assert.equal(await client.publish('news', 'lost'), 0);
      assert.equal(await client.publish('weather', 'rain'), 1);
      await waitUntil('the rain is heard', () => heard.length === 3);
      assert.deepEqual(heard[2], ['weather', 'rain']);
      await subscriber.quit();
    });

    test('the end of a hash is told that nobody touches', async () => {
      const subscriber = client.duplicate();
      const expired = [];
      subscriber.on('message', (channel, key) => expired.push(key));
      await subscriber.subscribe('__keyevent@0__:expired');
      const pipeline = client.pipeline();
      for (let number = 0; number < 100; number++) {
        pipeline.hset(`short:${number}`, 'field', 'value').pexpire(`short:${number}`, 10 + number);
      }
      await pipeline.exec();
      await waitUntil('all have expired', () => expired.length === 100);
      assert.equal(new Set(expired).size, 100);
      await subscriber.quit();
    });

    test('a subscriber hears what another connection of its client caches', async () => {
      // ioredis has no cache of its own and drops the pushes of RESP3: invalidations are redirected, as in RESP2.
      const subscriber = new Redis({ port: server.port, protocol: 2 });
      const heard = [];
      subscriber.on('message', (channel, keys) => heard.push([channel, keys && `${keys}`]));
      const number = await subscriber.client('ID');
      await subscriber.subscribe('__redis__:invalidate');
      const reader = client.duplicate();
      await reader.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', number);
      await client.hset('user', 'visits', 1);
      await reader.hgetall('user');
      await client.hincrby('user', 'visits', 1);
      await waitUntil('the write is heard', () => heard.length === 1);
      assert.equal((await reader.hgetall('user')).visits, '2');
      await client.pexpire('user', 200);
      await waitUntil('the TTL is heard', () => heard.length === 2);
      await reader.hgetall('user');
      await waitUntil('the expiry is heard', () => heard.length === 3);
      assert.deepEqual(heard, Array(3).fill(['__redis__:invalidate', 'user']));
      await client.flushall();
      await waitUntil('the flush is heard', () => heard.length === 4);
      assert.ok(!heard[3][1], 'it names no key');
      await reader.quit();
      await subscriber.quit();
    });

    test('the payload of DUMP restores what it was made of', async () => {
      await client.hset('source', { name: 'Ada', visits: 42 });
      assert.equal(await client.restore('copy', 60_000, await client.dumpBuffer('source')), 'OK');
      assert.deepEqual({ ...(await client.hgetall('copy')) }, { name: 'Ada', visits: '42' });
      assert.ok((await client.ttl('copy')) > 0);
    });

    test('listens again after a restart of the server', async () => {
      const first = await startMayfly();
      const subscriber = new Redis({ port: first.port, protocol, retryStrategy: () => 20 });
      subscriber.on('error', () => {});
      const heard = [];
      subscriber.on('message', (channel, message) => heard.push(message));
      await subscriber.subscribe('news');
      await first.stop();
      const second = await startMayfly({ port: first.port });
      const publisher = new Redis({ port: first.port, protocol });
      await waitUntil('somebody listens', async () => (await publisher.publish('news', 'back')) === 1);
      await waitUntil('it is heard', () => heard.length === 1);
      assert.deepEqual(heard, ['back']);
      await subscriber.quit();
      await publisher.quit();
      await second.stop();
    });

    test('reconnects after a restart of the server', async () => {
      const first = await startMayfly();
      const lasting = new Redis({ port: first.port, protocol, db: 2, retryStrategy: () => 20 });
      // What it reports while nobody listens is the point of this test, not a failure.
      lasting.on('error', () => {});
      await lasting.hset('hash', 'field', 'value');
      await first.stop();
      const waiting = lasting.hset('hash', 'field', 'value');
      const second = await startMayfly({ port: first.port });
      assert.equal(await within('the call is sent again', waiting), 1);
      assert.match(await lasting.client('INFO'), / db=2 /);
      await lasting.quit();
      await second.stop();
    });
  });
}
