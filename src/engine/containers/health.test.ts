import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText } from './health.ts';

test('durations are written as Go writes them', () => {
  const texts: Record<number, string> = {
    50: '50ms',
    999.5: '999.5ms',
    1000: '1s',
    1500: '1.5s',
    30_000: '30s',
    60_000: '1m0s',
    90_500: '1m30.5s',
    3_600_000: '1h0m0s',
    3_661_000: '1h1m1s',
  };
  for (const [ms, text] of Object.entries(texts)) assert.equal(durationText(Number(ms)), text);
  assert.equal(durationText(0.25), '250µs');
});
