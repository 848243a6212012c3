import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../lib/log.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import { EventWriter } from './events.ts';
import { FakeTransport, status } from './fake-transport.test-helper.ts';
import { ManualClock, SeededRandom, settle } from './manual-clock.test-helper.ts';
import { events } from './resources.ts';

interface Event extends KubeObject {
  readonly count: number;
  readonly message: string;
  readonly reason: string;
  readonly involvedObject: Record<string, string>;
  readonly lastTimestamp: string;
  readonly source: object;
}

function setUp() {
  const clock = new ManualClock();
  const transport = new FakeTransport({ clock, random: new SeededRandom(1) });
  const recorder = new EventWriter({ transport, clock, logger: silentLogger, component: 'test-controller' });
  return { clock, transport, recorder, all: () => transport.all<Event>(events) };
}

const target = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion: '3' } });

test('an event carries what kubectl shows; the same again is counted', async () => {
  const { clock, recorder, all } = setUp();
  recorder.event(target('a'), 'Normal', 'Created', 'made it');
  await clock.advance(5000);
  recorder.event(target('a'), 'Normal', 'Created', 'made it');
  await settle();
  const [event, ...others] = all();
  assert.equal(others.length, 0);
  assert.deepEqual(event!.involvedObject, { apiVersion: 'v1', kind: 'Pod', namespace: 'ns', name: 'a', uid: 'uid-a', resourceVersion: '3' });
  assert.match(event!.metadata!.name!, /^a\.[0-9a-f]{16}$/);
  assert.equal(event!.count, 2);
  assert.equal(event!.lastTimestamp, '2025-01-01T00:00:05Z');
  assert.deepEqual(event!.source, { component: 'test-controller' });
});

test('a noisy object is held back, without harm to others', async () => {
  const { clock, recorder, all } = setUp();
  for (let n = 0; n < 100; n++) recorder.event(target('noisy'), 'Normal', `R${n}`, 'x');
  recorder.event(target('quiet'), 'Normal', 'R', 'x');
  await settle(100);
  assert.equal(all().filter((e) => e.involvedObject['name'] === 'noisy').length, 25);
  assert.equal(all().filter((e) => e.involvedObject['name'] === 'quiet').length, 1);
  await clock.advance(300_000);
  for (let n = 0; n < 5; n++) recorder.event(target('noisy'), 'Normal', `S${n}`, 'x');
  await settle(20);
  assert.equal(all().length, 27);
});

test('many similar ones are folded together', async () => {
  const { recorder, all } = setUp();
  for (let n = 0; n < 20; n++) recorder.event(target('a'), 'Warning', 'Failed', `try ${n}`);
  await settle(100);
  const messages = all().map((e) => e.message);
  assert.equal(messages.filter((m) => !m.startsWith('(combined')).length, 10);
  assert.deepEqual(all().filter((e) => e.message.startsWith('(combined')).map((e) => [e.message, e.count]), [['(combined from similar events): try 19', 10]]);
});

test('a failing server is tried again, a refusal is not, and an expired event is written anew', async () => {
  const { clock, transport, recorder, all } = setUp();
  let failures = 2;
  transport.fail = () => (failures-- > 0 ? status(503, 'ServiceUnavailable', 'later') : undefined);
  recorder.event(target('a'), 'Normal', 'R', 'x');
  await clock.advance(10_000);
  assert.equal(all().length, 1);
  transport.remove(events, 'ns', all()[0]!.metadata!.name!);
  recorder.event(target('a'), 'Normal', 'R', 'x');
  await settle();
  assert.equal(all()[0]!.count, 2);
  transport.fail = () => status(403, 'Forbidden', 'the namespace is being terminated');
  recorder.event(target('b'), 'Normal', 'R', 'x');
  await clock.advance(10_000);
  assert.equal(transport.calls.filter((call) => call.includes('ns/b.')).length, 1);
  assert.equal(all().length, 1);
});
