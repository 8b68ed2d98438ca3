// Frameworks for Node.js that keep sessions, caches and limits in Redis, each as it comes, over HTTP.
//
// Those that keep a string per key, or run Lua, are refused, and say so; with the stores of hash_stores.mjs they do
// their work.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createAdapter } from '@socket.io/redis-adapter';
import { RedisStore } from 'connect-redis';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import expressRedisCache from 'express-redis-cache';
import session from 'express-session';
import { RedisStore as RateLimitRedis } from 'rate-limit-redis';
import { createClient } from 'redis';
import { EntityId, Repository, Schema } from 'redis-om';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import { HashWindows, oneField } from './hash_stores.mjs';
import { startMayfly, waitUntil, within } from './mayfly.mjs';

let server, client;
const closing = [];

before(async () => {
  server = await startMayfly();
  client = await createClient({ url: `redis://127.0.0.1:${server.port}` }).connect();
});
beforeEach(() => client.flushAll());
afterEach(async () => {
  while (closing.length) await closing.pop()();
});
after(async () => {
  await client.close();
  await server.stop();
});

// Serves an application over HTTP; its address.
async function serve(application) {
  const web = createServer(application).listen(0, '127.0.0.1');
  await once(web, 'listening');
  closing.push(() => new Promise((resolve) => web.close(resolve) && web.closeAllConnections()));
  return `http://127.0.0.1:${web.address().port}`;
}

// A shop that counts the visits in a session.
function shop(store, maxAge = 60_000) {
  const application = express();
  application.use(session({ store, secret: 'of the shop', resave: false, saveUninitialized: false, cookie: { maxAge } }));
  application.get('/visit', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.send(`${request.session.visits}`);
  });
  application.get('/leave', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.send('bye')));
  });
  application.set('env', 'test'); // Express logs the errors of any other.
  return application;
}

// Gets a page as a browser does that keeps its cookie.
class Browser {
  async get(address) {
    const response = await fetch(address, { headers: this.cookie ? { cookie: this.cookie } : {} });
    const [cookie] = response.headers.getSetCookie();
    if (cookie) this.cookie = cookie.split(';')[0];
    return response.text();
  }
}

test('connect-redis as it comes wants strings', async () => {
  const store = new RedisStore({ client });
  await assert.rejects(store.set('id', { cookie: {} }), /ERR unknown command 'SET'/);
  const address = await serve(shop(store));
  const browser = new Browser();
  assert.deepEqual([await browser.get(`${address}/visit`), await browser.get(`${address}/visit`)], ['1', '1']);
});

test('sessions of express-session survive with connect-redis on hashes, and are destroyed', async () => {
  const store = new RedisStore({ client: oneField(client) });
  const [first, second] = [await serve(shop(store)), await serve(shop(store))];
  const browser = new Browser();
  assert.equal(await browser.get(`${first}/visit`), '1');
  assert.equal(await browser.get(`${first}/visit`), '2');
  assert.equal(await browser.get(`${second}/visit`), '3', 'another process of the same shop');
  const [key] = await client.keys('sess:*');
  const ttl = await client.ttl(key);
  assert.ok(ttl > 0 && ttl <= 60, `${ttl}`);
  assert.equal(await new Browser().get(`${second}/visit`), '1', 'another browser');
  assert.equal(await store.length(), 2);
  assert.deepEqual((await store.all()).map(({ visits }) => visits).sort(), [1, 3]);
  assert.equal(await browser.get(`${first}/leave`), 'bye');
  assert.equal(await client.exists(key), 0);
  assert.equal(await browser.get(`${first}/visit`), '1');
});

test('sessions of express-session expire', async () => {
  const address = await serve(shop(new RedisStore({ client: oneField(client) }), 1_000));
  const browser = new Browser();
  assert.equal(await browser.get(`${address}/visit`), '1');
  await waitUntil('the session expires', async () => (await client.dbSize()) === 0);
  assert.equal(await browser.get(`${address}/visit`), '1');
});

test('express-redis-cache keeps pages in hashes', async () => {
  const cache = expressRedisCache({ host: '127.0.0.1', port: server.port, expire: 60, prefix: 'pages' });
  await within('it connects', once(cache, 'connected'));
  closing.push(() => cache.client.quit());
  let made = 0;
  const application = express();
  application.use((request, response, next) => {
    // It is of 2018 and reads what Node.js no longer has. The rest is as it comes.
    response._headers = { 'content-type': 'text/html' };
    next();
  });
  application.get('/', cache.route({ name: 'home' }), (request, response) => response.send(`page ${++made}`));
  const address = await serve(application);
  const page = async () => (await fetch(address)).text();
  // It answers before it has stored the page, and then stores it in two steps.
  const stored = () => waitUntil('it is stored with its TTL', async () => (await client.ttl('pages:home')) > 0);
  assert.equal(await page(), 'page 1');
  await stored();
  assert.equal(await page(), 'page 1');
  assert.equal(await client.hGet('pages:home', 'body'), 'page 1');
  await client.pExpire('pages:home', 20);
  await waitUntil('the page expires', async () => (await client.exists('pages:home')) === 0);
  assert.equal(await page(), 'page 2');
  await stored();
  await new Promise((resolve) => cache.del('home', resolve));
  assert.equal(await page(), 'page 3');
  await stored();
});

test('rate-limit-redis as it comes wants Lua', async () => {
  const refused = [];
  async function sendCommand(...words) {
    return client.sendCommand(words).catch(({ message }) => refused.push(message) && 'no script');
  }
  const store = new RateLimitRedis({ sendCommand });
  store.init({ windowMs: 60_000 });
  await assert.rejects(store.increment('ada'));
  assert.match(refused[0], /^ERR unknown command 'SCRIPT'/);
  assert.match(refused.at(-1), /^ERR unknown command 'EVALSHA'/);
});

test('express-rate-limit grants with windows that are hashes what it may and no more', async () => {
  const application = express();
  application.use(rateLimit({ windowMs: 60_000, limit: 20, store: new HashWindows(client), validate: false }));
  application.get('/', (request, response) => response.send('granted'));
  const addresses = [await serve(application), await serve(application)];
  const statuses = async () =>
    (await Promise.all(Array.from({ length: 100 }, (_, each) => fetch(addresses[each % 2])))).map(({ status }) => status);
  assert.deepEqual((await statuses()).sort(), [...Array(20).fill(200), ...Array(80).fill(429)]);
  const [window] = await client.keys('window:*');
  await client.pExpire(window, 20);
  await waitUntil('the window ends', async () => (await client.exists(window)) === 0);
  assert.equal((await fetch(addresses[0])).status, 200);
});

test('redis-om saves, reads and expires entities, as it comes', async () => {
  const schema = new Schema('customer', { name: { type: 'string' }, visits: { type: 'number' } }, { dataStructure: 'HASH' });
  const customers = new Repository(schema, client);
  const ada = await customers.save({ name: 'Ada', visits: 1 });
  const key = `customer:${ada[EntityId]}`;
  assert.deepEqual({ ...(await client.hGetAll(key)) }, { name: 'Ada', visits: '1' });
  ada.visits = 42;
  await customers.save(ada);
  assert.equal((await customers.fetch(ada[EntityId])).visits, 42);
  await customers.expire(ada[EntityId], 60);
  assert.ok((await client.ttl(key)) > 0);
  await client.pExpire(key, 20);
  await waitUntil('the entity expires', async () => (await client.exists(key)) === 0);
  assert.equal((await customers.fetch(ada[EntityId])).name, undefined);
  const bob = await customers.save({ name: 'Bob' });
  await customers.remove(bob[EntityId]);
  assert.equal(await client.dbSize(), 0);
});

test('socket.io reaches the clients of another server, as it comes', async () => {
  const nodes = [];
  for (let node = 0; node < 2; node++) {
    const [publisher, subscriber] = [await client.duplicate().connect(), await client.duplicate().connect()];
    const web = createServer().listen(0, '127.0.0.1');
    await once(web, 'listening');
    const sockets = new SocketServer(web, { adapter: createAdapter(publisher, subscriber) });
    sockets.on('connection', (socket) => socket.join('room'));
    closing.push(async () => {
      await sockets.close();
      await publisher.close();
      await subscriber.close();
    });
    nodes.push(sockets);
    const browser = io(`http://127.0.0.1:${web.address().port}`, { transports: ['websocket'] });
    closing.push(() => browser.disconnect());
    await within('the browser is connected', once(browser, 'connect'));
    sockets.heard = once(browser, 'news');
  }
  await waitUntil('both servers know of each other', async () => (await nodes[0].of('/').adapter.serverCount()) === 2);
  assert.equal((await nodes[0].in('room').fetchSockets()).length, 2);
  nodes[0].to('room').emit('news', 'hello');
  for (const { heard } of nodes) assert.deepEqual(await within('the news arrive', heard), ['hello']);
});
