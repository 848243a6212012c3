import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilMs } from './lifecycle.ts';
import { parseSignal } from './signals.ts';
import { humanDuration } from './status.ts';

test('durations in words', () => {
  const seconds = (n: number): string => humanDuration(n * 1000);
  for (const [n, text] of [
    [0.4, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [119, 'About a minute'],
    [120, '2 minutes'],
    [3599, '59 minutes'],
    [3600, 'About an hour'],
    [7200, '2 hours'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [13 * 86400, '13 days'],
    [14 * 86400, '2 weeks'],
    [60 * 86400, '2 months'],
    [730 * 86400, '2 years'],
  ] as const)
    assert.equal(seconds(n), text);
});

test('signals by name and number', () => {
  assert.deepEqual(['9', 'KILL', 'SIGKILL', 'sigterm', 'RTMIN+3'].map(parseSignal), [9, 9, 9, 15, 37]);
  assert.throws(() => parseSignal('NOPE'), /invalid signal: NOPE/);
  assert.throws(() => parseSignal('0'), /invalid signal/);
});

test('until: a moment or how long ago', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal(untilMs('24h', now), now - 86_400_000);
  assert.equal(untilMs('1h30m', now), now - 5_400_000);
  assert.equal(untilMs('1700000000', now), 1_700_000_000_000);
  assert.equal(untilMs('2026-01-01T00:00:00Z', now), now - 86_400_000);
  assert.throws(() => untilMs('yesterday', now), /invalid value/);
});
