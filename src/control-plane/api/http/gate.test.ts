import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReason } from '../../../types/kubernetes/status.ts';
import { FairGate } from './gate.ts';

test('a flood of one user does not delay another by more than a turn', async () => {
  const gate = new FairGate({ inFlight: 2, inFlightPerUser: 2, queuePerUser: 100, queueTotal: 1000 });
  const order: string[] = [];
  const releases: (() => void)[] = [];
  const task = (name: string) => () => {
    order.push(name);
    return new Promise<void>((resolve) => releases.push(resolve));
  };
  for (let n = 0; n < 50; n++) gate.run('flood', task(`flood-${n}`), assert.fail);
  gate.run('small', task('small'), assert.fail);
  assert.equal(gate.inFlight, 2);
  while (releases.length > 0) {
    releases.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(order.length, 51);
  assert.ok(order.indexOf('small') <= 4, `small came as number ${order.indexOf('small')}`);
});

test('beyond a full queue a request is refused with 429 and told when to come again', () => {
  const gate = new FairGate({ inFlight: 1, inFlightPerUser: 1, queuePerUser: 2, queueTotal: 3 });
  const refused: Error[] = [];
  const never = (): Promise<void> => new Promise(() => {});
  for (let n = 0; n < 4; n++) gate.run('a', never, (error) => refused.push(error));
  assert.equal(refused.length, 1);
  assert.ok(isReason(refused[0], 'TooManyRequests'));
  gate.run('b', never, (error) => refused.push(error));
  gate.run('b', never, (error) => refused.push(error));
  assert.equal(refused.length, 2, 'the total is bounded as well');
  gate.close(new Error('stopping'));
  assert.equal(refused.length, 5);
});

test('one user never holds every place, however slow their requests are', async () => {
  const gate = new FairGate({ inFlight: 4, inFlightPerUser: 3, queuePerUser: 100, queueTotal: 1000 });
  const order: string[] = [];
  const releases: (() => void)[] = [];
  const task = (name: string) => () => {
    order.push(name);
    return new Promise<void>((resolve) => releases.push(resolve));
  };
  for (let n = 0; n < 5; n++) gate.run('slow', task(`slow-${n}`), assert.fail);
  gate.run('quick', task('quick'), assert.fail);
  assert.deepEqual(order, ['slow-0', 'slow-1', 'slow-2', 'quick']);
  releases[0]!();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([order.at(-1), gate.inFlight, gate.waiting], ['slow-3', 4, 1]);
});
