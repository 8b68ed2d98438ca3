// node-redis, in RESP2 and RESP3.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createClient, createClientPool, RESP_TYPES, WatchError } from 'redis';
import { startMayfly, waitUntil, within } from './mayfly.mjs';

let server;
before(async () => {
  server = await startMayfly({ events: 'KEA' });
});
after(() => server.stop());

const url = (port) => `redis://127.0.0.1:${port}`;

test('connects with its defaults, in RESP3', async () => {
  const client = await createClient({ url: url(server.port) }).connect();
  assert.equal(await client.ping(), 'PONG');
  assert.match(await client.sendCommand(['CLIENT', 'INFO']), / resp=3 .*lib-name=node-redis/);
  await client.close();
});

test('logs in with a user name', async () => {
  const operator = await createClient({ url: url(server.port) }).connect();
  await operator.aclSetUser('reader', ['on', '>secret', '~session:*', '+hget', '+acl|whoami', '+client']);
  for (const RESP of [2, 3]) {
    const given = { username: 'reader', password: 'secret', RESP };
    const client = await createClient({ url: url(server.port), ...given }).connect();
    assert.equal(await client.aclWhoAmI(), 'reader');
    assert.equal(await client.hGet('session:1', 'field'), null);
    await assert.rejects(client.hGet('other', 'field'), /NOPERM No permissions to access a key/);
    const refused = /NOPERM User reader has no permissions to run the 'hset' command/;
    await assert.rejects(client.hSet('session:1', 'field', 'value'), refused);
    await client.close();
  }
  const wrong = createClient({
    url: url(server.port),
    username: 'reader',
    password: 'wrong',
    socket: { reconnectStrategy: false },
  });
  wrong.on('error', () => {});
  await assert.rejects(wrong.connect(), /WRONGPASS/);
  assert.equal(await operator.aclDelUser('reader'), 1);
  await operator.close();
});

for (const RESP of [2, 3]) {
  describe(`RESP${RESP}`, () => {
    let client;
    before(async () => {
      client = await createClient({ url: url(server.port), RESP }).connect();
    });
    beforeEach(() => client.flushAll());
    after(() => client.close());

    test('speaks the protocol it asked for', async () => {
      assert.match(await client.sendCommand(['CLIENT', 'INFO']), new RegExp(` resp=${RESP} `));
    });

    test('hashes', async () => {
      assert.equal(await client.hSet('user', { name: 'Ada', visits: 1 }), 2);
      assert.equal(await client.hSet('user', 'name', 'Ada Lovelace'), 0);
      assert.deepEqual({ ...(await client.hGetAll('user')) }, { name: 'Ada Lovelace', visits: '1' });
      assert.deepEqual(await client.hmGet('user', ['visits', 'none']), ['1', null]);
      assert.equal(await client.hIncrBy('user', 'visits', 41), 42);
      assert.equal(await client.hIncrByFloat('user', 'score', 0.5), '0.5');
      assert.deepEqual((await client.hKeys('user')).sort(), ['name', 'score', 'visits']);
      const pairs = await client.hRandFieldCountWithValues('user', 3);
      assert.deepEqual(pairs.map(({ field }) => field).sort(), ['name', 'score', 'visits']);
      assert.equal(await client.hDel('user', ['name', 'visits', 'score']), 3);
      assert.equal(await client.exists('user'), 0);
    });

    test('values are bytes that nothing changes', async () => {
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      await client.hSet('binary', 'field', value);
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      assert.deepEqual(await binary.hGet('binary', 'field'), value);
    });

    test('HSETEX of five words expires the whole hash', async () => {
      assert.equal(await client.sendCommand(['HSETEX', 'hash', 'a', '1', '60']), 1);
      const ttl = await client.ttl('hash');
      assert.ok(ttl > 0 && ttl <= 60, `${ttl}`);
      assert.equal(await client.sendCommand(['HSETEX', 'hash', 'b', '2', '1']), 1);
      assert.deepEqual({ ...(await client.hGetAll('hash')) }, { a: '1', b: '2' });
      await waitUntil('the hash expires', async () => (await client.exists('hash')) === 0);
      assert.equal(await client.ttl('hash'), -2);
      assert.equal(await client.dbSize(), 0);
    });

    test('its own hSetEx sets fields, and is refused with an expiry', async () => {
      // node-redis sends HSETEX key [FNX|FXX] [EX …] FIELDS n field value: the form of Redis 8.
      assert.equal(await client.hSetEx('hash', { field: 'value' }), 1);
      assert.equal(await client.ttl('hash'), -1);
      await assert.rejects(
        client.hSetEx('hash', { field: 'other' }, { expiration: { type: 'EX', value: 60 } }),
        /^.*Error: ERR HSETEX with FIELDS and an expiry sets per-field TTLs, which are not supported/,
      );
      assert.equal(await client.hGet('hash', 'field'), 'value');
    });

    test('expiry', async () => {
      await client.hSet('hash', 'field', 'value');
      assert.equal(await client.expire('hash', 60), 1);
      assert.equal(await client.expire('hash', 30, 'GT'), 0);
      assert.equal(await client.persist('hash'), 1);
      assert.equal(await client.ttl('hash'), -1);
      assert.equal(await client.pExpire('hash', 20), 1);
      await waitUntil('the hash expires', async () => (await client.hGet('hash', 'field')) === null);
    });

    test('pipelines without MULTI answer in order', async () => {
      const pipeline = client.multi();
      for (let number = 0; number < 10_000; number++) {
        pipeline.hSet(`key:${number}`, 'number', number).hGet(`key:${number}`, 'number');
      }
      const replies = await pipeline.execAsPipeline();
      const expected = Array.from({ length: 10_000 }, (_, number) => [1, `${number}`]).flat();
      assert.deepEqual(replies, expected);
    });

    test('calls that are not awaited one by one answer in order', async () => {
      const counts = Array.from({ length: 1_000 }, () => client.hIncrBy('counter', 'count', 1));
      assert.deepEqual(await Promise.all(counts), Array.from({ length: 1_000 }, (_, index) => index + 1));
    });

    test('scan iterators find every key and field', async () => {
      const pipeline = client.multi();
      for (let number = 0; number < 2_000; number++) pipeline.hSet(`key:${number}`, 'field', number);
      for (let number = 0; number < 2_000; number++) pipeline.hSet('large', `field:${number}`, number);
      await pipeline.execAsPipeline();
      const keys = new Set();
      for await (const page of client.scanIterator({ MATCH: 'key:*', COUNT: 100, TYPE: 'hash' })) {
        page.forEach((key) => keys.add(key));
      }
      assert.equal(keys.size, 2_000);
      const fields = new Map();
      for await (const page of client.hScanIterator('large', { COUNT: 100 })) {
        page.forEach(({ field, value }) => fields.set(field, value));
      }
      assert.equal(fields.size, 2_000);
      assert.equal(fields.get('field:1999'), '1999');
    });

    test('a duplicate is a connection of its own', async () => {
      const duplicate = await client.duplicate({ database: 5, name: 'the-duplicate' }).connect();
      assert.equal(await duplicate.hSet('hash', 'field', 'five'), 1);
      assert.equal(await client.exists('hash'), 0);
      assert.equal(await duplicate.clientGetName(), 'the-duplicate');
      assert.notEqual(await duplicate.clientId(), await client.clientId());
      const names = (await client.clientList()).map(({ name, db }) => [name, db]);
      assert.ok(names.some(([name, db]) => name === 'the-duplicate' && db === 5), `${names}`);
      await duplicate.close();
    });

    test('a pool shares its connections', async () => {
      const pool = await createClientPool({ url: url(server.port), RESP }, { maximum: 4 }).connect();
      await Promise.all(Array.from({ length: 500 }, () => pool.hIncrBy('counter', 'count', 1)));
      assert.equal(await client.hGet('counter', 'count'), '500');
      await pool.close();
    });

    test('errors have their text', async () => {
      await assert.rejects(client.sendCommand(['HSETEX', 'hash', 'field', 'value', '0']), {
        message: "ERR invalid expire time in 'hsetex' command",
      });
      await assert.rejects(client.lPush('list', 'value'), { message: /^ERR unknown command 'LPUSH'/ });
      assert.equal(await client.ping(), 'PONG');
    });

    test('multi runs as one, with errors in their places', async () => {
      const replies = await client.multi().hSet('a', 'n', 1).hSet('b', 'n', 'text').hGet('a', 'n').exec();
      assert.deepEqual(replies, [1, 1, '1']);
      await assert.rejects(client.multi().hIncrBy('b', 'n', 1).hSet('a', 'm', 1).exec(), ({ replies, errorIndexes }) => {
        assert.equal(replies[0].message, 'ERR hash value is not an integer');
        return replies[1] === 1 && `${errorIndexes}` === '0';
      });
      await assert.rejects(client.multi().hSet('a', 'n', 2).lPush('list', 'value').exec());
      assert.equal(await client.hGet('a', 'n'), '1');
    });

    test('optimistic increments lose none', async () => {
      let refused = 0;
      async function count() {
        const own = await client.duplicate().connect();
        for (let done = 0; done < 20; ) {
          await own.watch('counter');
          const value = Number((await own.hGet('counter', 'count')) ?? 0);
          try {
            await own.multi().hSet('counter', 'count', value + 1).hIncrBy('copy', 'count', 1).exec();
            done++;
          } catch (error) {
            assert.ok(error instanceof WatchError, `${error}`);
            refused++;
          }
        }
        await own.close();
      }
      await Promise.all(Array.from({ length: 8 }, count));
      assert.equal(await client.hGet('counter', 'count'), '160');
      assert.equal(await client.hGet('copy', 'count'), '160');
      assert.ok(refused > 0, 'they have met');
    });

    test('messages arrive by channel and by pattern until unsubscribed', async () => {
      const subscriber = await client.duplicate().connect();
      const heard = [];
      const listener = (message, channel) => heard.push([channel, message]);
      await subscriber.subscribe(['news', 'weather'], listener);
      await subscriber.pSubscribe('n*', listener);
      assert.equal(await client.publish('news', 'one'), 2);
      await waitUntil('both are heard', () => heard.length === 2);
      assert.deepEqual(heard, [['news', 'one'], ['news', 'one']]);
      await subscriber.unsubscribe('news');
      await subscriber.pUnsubscribe();
      assert.equal(await client.publish('news', 'lost'), 0);
      assert.equal(await client.publish('weather', 'rain'), 1);
      await waitUntil('the rain is heard', () => heard.length === 3);
      assert.deepEqual(heard[2], ['weather', 'rain']);
      await subscriber.close();
    });

    test('shard channels are channels of their own', async () => {
      const subscriber = await client.duplicate().connect();
      const heard = [];
      await subscriber.sSubscribe('orders', (message) => heard.push(message));
      assert.equal(await client.publish('orders', 'lost'), 0);
      assert.equal(await client.sPublish('orders', 'heard'), 1);
      await waitUntil('it is heard', () => heard.length === 1);
      assert.deepEqual(heard, ['heard']);
      await subscriber.close();
    });

    test('the end of a hash is told that nobody touches', async () => {
      const subscriber = await client.duplicate().connect();
      const expired = [];
      await subscriber.subscribe('__keyevent@0__:expired', (key) => expired.push(key));
      const pipeline = client.multi();
      for (let number = 0; number < 100; number++) {
        pipeline.hSet(`short:${number}`, 'field', 'value').pExpire(`short:${number}`, 10 + number);
      }
      await pipeline.execAsPipeline();
      await waitUntil('all have expired', () => expired.length === 100);
      assert.equal(new Set(expired).size, 100);
      await subscriber.close();
    });

    test('the payload of DUMP restores what it was made of', async () => {
      await client.hSet('source', { name: 'Ada', visits: 42 });
      const payload = await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).dump('source');
      assert.equal(await client.restore('copy', 60_000, payload), 'OK');
      assert.deepEqual({ ...(await client.hGetAll('copy')) }, { name: 'Ada', visits: '42' });
      assert.ok((await client.ttl('copy')) > 0);
    });

    test('listens again after a restart of the server', async () => {
      const first = await startMayfly();
      const options = { url: url(first.port), RESP, socket: { reconnectStrategy: () => 20 } };
      const subscriber = createClient(options);
      subscriber.on('error', () => {});
      await subscriber.connect();
      const heard = [];
      await subscriber.subscribe('news', (message) => heard.push(message));
      await first.stop();
      const second = await startMayfly({ port: first.port });
      const publisher = await createClient(options).connect();
      await waitUntil('somebody listens', async () => (await publisher.publish('news', 'back')) === 1);
      await waitUntil('it is heard', () => heard.length === 1);
      assert.deepEqual(heard, ['back']);
      await subscriber.close();
      await publisher.close();
      await second.stop();
    });

    test('reconnects after a restart of the server', async () => {
      const first = await startMayfly();
      const socket = { reconnectStrategy: () => 20 };
      const lasting = createClient({ url: `${url(first.port)}/2`, RESP, socket });
      // What it reports while nobody listens is the point of this test, not a failure.
      lasting.on('error', () => {});
      await lasting.connect();
      await lasting.hSet('hash', 'field', 'value');
      await first.stop();
      const waiting = lasting.hSet('hash', 'field', 'value');
      const second = await startMayfly({ port: first.port });
      assert.equal(await within('the call is sent again', waiting), 1);
      assert.match(await lasting.sendCommand(['CLIENT', 'INFO']), / db=2 /);
      await lasting.close();
      await second.stop();
    });
  });
}

describe('its client-side cache, in RESP3', () => {
  let writer, reader;
  before(async () => {
    writer = await createClient({ url: url(server.port) }).connect();
    reader = await createClient({ url: url(server.port), RESP: 3, clientSideCache: { maxEntries: 100 } }).connect();
  });
  beforeEach(async () => {
    await writer.flushAll();
    await writer.hSet('user', { name: 'Ada', visits: 1 });
    await waitUntil('the hash is read', async () => (await read()).visits === '1');
  });
  after(async () => {
    await reader.close();
    await writer.close();
  });

  const read = async () => ({ ...(await reader.hGetAll('user')) });
  const asked = async () => Number((await writer.info('commandstats')).match(/cmdstat_hgetall:calls=(\d+)/)[1]);

  test('what was read is not asked for again', async () => {
    await read();
    const before = await asked();
    for (let reading = 0; reading < 100; reading++) assert.deepEqual(await read(), { name: 'Ada', visits: '1' });
    assert.equal(await asked(), before);
  });

  test('writes of another client are seen', async () => {
    for (let visits = 2; visits < 20; visits++) {
      await writer.hIncrBy('user', 'visits', 1);
      await waitUntil('the write is seen', async () => (await read()).visits === `${visits}`);
    }
  });

  test('the expiry of a hash is seen', async () => {
    await writer.pExpire('user', 200);
    await waitUntil('the hash expires', async () => (await read()).name === undefined);
    assert.equal(await writer.exists('user'), 0);
  });

  test('a flush is seen', async () => {
    await writer.flushAll();
    await waitUntil('the flush is seen', async () => (await read()).name === undefined);
  });
});
