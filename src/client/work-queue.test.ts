import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, settle } from './manual-clock.test-helper.ts';
import { WorkQueue } from './work-queue.ts';

function gate() {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

test('a burst of adds is one run, and a key runs never twice at once', async () => {
  const clock = new ManualClock();
  const runs: string[] = [];
  const gates = [gate(), gate()];
  const queue = new WorkQueue({ clock, workers: 4, process: async (key) => {
    runs.push(key);
    await gates[runs.length - 1]?.promise;
  } });
  queue.start();
  queue.add('a');
  queue.add('a');
  await settle();
  assert.deepEqual(runs, ['a']);
  queue.add('a');
  queue.add('a');
  await settle();
  assert.deepEqual(runs, ['a'], 'still running');
  gates[0]!.open();
  await settle();
  assert.deepEqual(runs, ['a', 'a']);
  gates[1]!.open();
  await settle();
  assert.ok(queue.idle);
});

test('no more workers than asked for, in order of arrival', async () => {
  const clock = new ManualClock();
  let running = 0;
  let most = 0;
  const order: string[] = [];
  const queue = new WorkQueue({ clock, workers: 2, process: async (key) => {
    most = Math.max(most, ++running);
    order.push(key);
    await Promise.resolve();
    running--;
  } });
  for (let n = 0; n < 200; n++) queue.add(`k${n}`);
  queue.start();
  await settle(400);
  assert.equal(most, 2);
  assert.deepEqual(order, Array.from({ length: 200 }, (_, n) => `k${n}`));
});

test('delays: the earlier one counts; rate-limited waits double until forgotten', async () => {
  const clock = new ManualClock();
  const start = clock.now();
  const runs: [string, number][] = [];
  const queue = new WorkQueue({ clock, process: async (key) => void runs.push([key, clock.now() - start]), baseDelayMs: 5, maxDelayMs: 30 });
  queue.start();
  queue.addAfter('a', 100);
  queue.addAfter('a', 500);
  queue.addAfter('b', 100);
  queue.addAfter('b', 50);
  await clock.advance(1000);
  assert.deepEqual(runs, [['b', 50], ['a', 100]]);
  for (const wait of [5, 10, 20, 30, 30]) {
    runs.length = 0;
    const before = clock.now() - start;
    queue.addRateLimited('c');
    await clock.advance(1000);
    assert.deepEqual(runs, [['c', before + wait]]);
  }
  assert.equal(queue.failures('c'), 5);
  queue.forget('c');
  assert.equal(queue.failures('c'), 0);
});

test('a full queue drops, and asks for everything once there is room', async () => {
  const clock = new ManualClock();
  const seen = new Set<string>();
  let overflows = 0;
  const all = Array.from({ length: 20 }, (_, n) => `k${n}`);
  let rest = all;
  const queue = new WorkQueue({ clock, capacity: 8, process: async (key) => void seen.add(key), onOverflow: () => {
    overflows++;
    rest = all.filter((key) => !seen.has(key));
    for (const key of rest) queue.add(key);
  } });
  for (const key of all) queue.add(key);
  assert.equal(queue.length, 8);
  queue.start();
  await settle(40);
  assert.equal(seen.size, 20);
  assert.equal(overflows, 2);
});

test('stop waits for what runs and begins nothing more', async () => {
  const clock = new ManualClock();
  const hold = gate();
  const runs: string[] = [];
  const queue = new WorkQueue({ clock, process: async (key) => {
    runs.push(key);
    await hold.promise;
  } });
  queue.start();
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  await settle();
  const stopped = queue.stop();
  let done = false;
  void stopped.then(() => (done = true));
  await settle();
  assert.equal(done, false);
  hold.open();
  await stopped;
  await clock.advance(100);
  assert.deepEqual(runs, ['a']);
  assert.equal(clock.pending, 0);
});
