// node-redis by TLS, against the server that test_tls.py has started.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createClient } from 'redis';

const { TLS_PORT, TLS_CA, TLS_CERT, TLS_KEY } = process.env;

function client(shown) {
  const socket = { host: 'localhost', port: Number(TLS_PORT), tls: true, ca: readFileSync(TLS_CA), ...shown };
  return createClient({ socket: { ...socket, reconnectStrategy: false } }).on('error', () => {});
}

const certificate = () => ({ cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) });

test('with a certificate', async () => {
  const connection = await client(certificate()).connect();
  const value = 'x'.repeat(1_000_000);
  await connection.hSet('node', 'field', value);
  assert.equal(await connection.hGet('node', 'field'), value);
  const echoed = await Promise.all(Array.from({ length: 5_000 }, (_, number) => connection.echo(`${number}`)));
  assert.deepEqual(echoed, Array.from({ length: 5_000 }, (_, number) => `${number}`));
  await connection.close();
});

test('messages', async () => {
  const [subscriber, publisher] = await Promise.all([client(certificate()).connect(), client(certificate()).connect()]);
  const heard = new Promise((resolve) => subscriber.subscribe('node-news', resolve));
  while ((await publisher.publish('node-news', 'hello')) === 0);
  assert.equal(await heard, 'hello');
  subscriber.destroy();
  publisher.destroy();
});

test('without one it is refused', async () => {
  await assert.rejects(async () => {
    const connection = await client({}).connect();
    await connection.ping();
  });
});
