import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openRegistry } from '../../src/engine/registry/registry.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import type { Registry } from '../../src/engine/registry/registry.ts';
import { startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
let other: TestEngine;
/** Holds what the registry serves. */
let hub: TestEngine;
let registry: Registry;
let address: string;
before(async () => {
  [engine, other, hub] = await Promise.all([startEngine(), startEngine(), startEngine()]);
  registry = openRegistry({ images: hub.engine.images, clock: systemClock, random: systemRandom, logger: silentLogger });
  const { host, port } = await registry.listen();
  address = `${host}:${port}`;
});
after(async () => {
  await registry.close();
  await Promise.all([engine.close(), other.close(), hub.close()]);
});

test('push to a registry, pull from it elsewhere, and run', async () => {
  await engine.ok('tag', 'busybox', `${address}/team/app:v1`);
  assert.match(await engine.ok('push', `${address}/team/app:v1`), /v1: digest: sha256:[0-9a-f]{64} size: \d+/);
  await other.ok('rmi', 'busybox');
  const pulled = await other.ok('pull', `${address}/team/app:v1`);
  assert.match(pulled, /Digest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for 127\.0\.0\.1:\d+\/team\/app:v1/);
  assert.equal(await other.ok('run', '--rm', `${address}/team/app:v1`, 'echo', 'pulled'), 'pulled');
  assert.match(await other.ok('pull', `${address}/team/app:v1`), /Status: Image is up to date/);
  const missing = await other.docker('pull', `${address}/team/app:v2`);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /not found|manifest unknown/i);
  assert.equal((await other.docker('pull', '127.0.0.1:1/none')).code, 1);
});
