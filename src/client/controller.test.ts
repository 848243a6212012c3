import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../lib/log.ts';
import { Controller } from './controller.ts';
import { FakeTransport, status } from './fake-transport.test-helper.ts';
import { Informer } from './informer.ts';
import { ManualClock, SeededRandom, settle } from './manual-clock.test-helper.ts';
import { configMaps } from './resources.ts';

test('begins after its informers, retries what fails, and wakes owners of before and after', async () => {
  const clock = new ManualClock();
  const random = new SeededRandom(1);
  const transport = new FakeTransport({ clock, random });
  const informer = new Informer(configMaps, {}, { transport, clock, random, logger: silentLogger });
  const synced: string[] = [];
  let failing = 2;
  const controller = new Controller({
    name: 'test', clock, logger: silentLogger, informers: [informer],
    sync: async (key) => {
      synced.push(key);
      if (key === 'x' && failing-- > 0) throw status(409, 'Conflict', 'newer');
    },
  });
  controller.watch(informer, (object) => [object.metadata!.labels!['owner']!]);
  await transport.create(configMaps, 'a', { metadata: { name: 'one', labels: { owner: 'x' } } });
  const started = controller.start();
  await settle();
  assert.deepEqual(synced, []);
  informer.start();
  await started;
  await settle();
  assert.deepEqual(synced, ['x']);
  await clock.advance(5);
  assert.deepEqual(synced, ['x', 'x']);
  await clock.advance(9);
  assert.equal(synced.length, 2);
  await clock.advance(1);
  assert.equal(synced.length, 3);
  await clock.advance(10_000);
  assert.equal(synced.length, 3);
  transport.edit(configMaps, 'a', 'one', (object) => (object.metadata!.labels = { owner: 'y' }));
  await settle();
  assert.deepEqual(synced.slice(3), ['y', 'x']);
  await controller.stop();
  informer.stop();
});
