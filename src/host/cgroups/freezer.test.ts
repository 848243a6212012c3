import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settleFreezer } from './freezer.ts';
import type { FreezerState } from './freezer.ts';

/** A group whose state `next` decides, by what was written so far. */
function group(next: (written: readonly FreezerState[]) => string): {
  written: FreezerState[];
  slept: () => number;
  settle: (state: FreezerState) => Promise<boolean>;
} {
  const written: FreezerState[] = [];
  let now = 0;
  const clock = { monotonic: () => now, sleep: (ms: number) => Promise.resolve(void (now += ms)) };
  const control = { read: () => Promise.resolve(next(written)), write: (state: FreezerState) => Promise.resolve(void written.push(state)) };
  return { written, slept: () => now, settle: (state) => settleFreezer(control, state, clock, 10_000) };
}

test('a group that freezes at once is told once', async () => {
  const quick = group((written) => written.at(-1)!);
  assert.equal(await quick.settle('FROZEN'), true);
  assert.deepEqual(quick.written, ['FROZEN']);
});

test('a group that is stuck half-way is let go on for a moment', async () => {
  const stuck = group((written) => (written.includes('THAWED') ? written.at(-1)! : 'FREEZING'));
  assert.equal(await stuck.settle('FROZEN'), true);
  assert.deepEqual(stuck.written.slice(-2), ['THAWED', 'FROZEN']);
  assert.ok(stuck.slept() < 500);
});

test('a group that never freezes is thawed in the end, and its end told', async () => {
  const never = group(() => 'FREEZING');
  assert.equal(await never.settle('FROZEN'), false);
  assert.equal(never.written.at(-1), 'THAWED');
  assert.ok(never.slept() >= 10_000 && never.slept() < 10_100);
});

test('thawing writes nothing else', async () => {
  const slow = group((written) => (written.length < 30 ? 'FREEZING' : 'THAWED'));
  assert.equal(await slow.settle('THAWED'), true);
  assert.deepEqual(new Set(slow.written), new Set(['THAWED']));
});
