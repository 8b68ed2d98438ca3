// Starts Mayfly for the JavaScript client tests, on free ports, and ends it as an operator would.
//
// The binary is that of MAYFLY_BINARY, which tests/run sets.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 30_000;
const CLIENTS = /listening for clients address=127\.0\.0\.1:(\d+)/;

// A running server with four shards, on any free port unless `port` names one, which tells of these keyspace `events`.
export async function startMayfly({ port = 0, events = '' } = {}) {
  const flags = [`--port=${port}`, '--metrics-port=0', '--shards=4'];
  const env = { ...process.env, MAYFLY_EVENTS__NOTIFY: events };
  const server = spawn(process.env.MAYFLY_BINARY, flags, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  process.once('exit', () => server.kill('SIGKILL'));
  const exited = once(server, 'exit');
  let log = '';
  const ready = new Promise((resolve, reject) => {
    createInterface(server.stderr).on('line', (line) => {
      log += `${line}\n`;
      if (line.includes(': ready ')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`the server did not start:\n${log}`)));
  });
  await within('the server starts', ready);

  async function stop() {
    server.kill('SIGTERM');
    const [code, signal] = await within('the server stops', exited);
    assert.deepEqual([code, signal], [0, null], log);
    assert.doesNotMatch(log, / ERROR |panicked/);
  }
  return { port: Number(log.match(CLIENTS)[1]), stop };
}

// What `promise` resolves to; an error if that takes too long.
export function within(what, promise) {
  const late = sleep(WAIT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`waited ${WAIT_MS} ms in vain: ${what}`);
  });
  return Promise.race([promise, late]);
}

// Waits until `condition` resolves to something true.
export async function waitUntil(what, condition) {
  const deadline = Date.now() + WAIT_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited ${WAIT_MS} ms in vain: ${what}`);
    await sleep(10);
  }
}
