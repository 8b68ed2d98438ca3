// What lets middleware of Express live on hashes that expire. These are examples of ours and no part of any of it.

const FIELD = 'value';

// A client of node-redis for programs that keep one string per key: each is kept in a hash of one field, set together
// with the lifetime of its key. connect-redis runs with it in the place of the client itself.
export function oneField(client) {
  return {
    get: (key) => client.hGet(key, FIELD),
    set: (key, value, { expiration: { type, value: lifetime } }) =>
      client.sendCommand(['HSETEX', key, 'KEY', type, `${lifetime}`, 'FIELDS', '1', FIELD, value]),
    mGet: (keys) => Promise.all(keys.map((key) => client.hGet(key, FIELD))),
    expire: (key, seconds) => client.expire(key, seconds),
    del: (keys) => client.del(keys),
    scanIterator: (options) => client.scanIterator(options),
  };
}

// A store of express-rate-limit: a window is a hash that counts its hits and is gone when it ends.
export class HashWindows {
  constructor(client, prefix = 'window:') {
    this.client = client;
    this.prefix = prefix;
  }

  init({ windowMs }) {
    this.windowMs = windowMs;
  }

  async increment(key) {
    const window = this.prefix + key;
    const transaction = this.client.multi().hIncrBy(window, 'hits', 1).pExpire(window, this.windowMs, 'NX');
    const [totalHits, , leftMs] = await transaction.pTTL(window).exec();
    return { totalHits, resetTime: new Date(Date.now() + leftMs) };
  }

  decrement(key) {
    return this.client.hIncrBy(this.prefix + key, 'hits', -1);
  }

  resetKey(key) {
    return this.client.del(this.prefix + key);
  }
}
