import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEnv, healthOf } from './process-checks.ts';

test('a variable has a name', () => {
  checkEnv(['A=1', 'B', 'C=', 'D==']);
  for (const bad of ['', '=', '=foo']) {
    assert.throws(() => checkEnv([bad]), { code: 'invalid', message: `invalid environment variable: ${bad}` });
  }
});

test('the numbers of a health check are looked at, with a test or without', () => {
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval']) {
    for (const value of [-1e9, 500_000]) {
      assert.throws(() => healthOf({ [field]: value }), { code: 'invalid', message: `${field} in Healthcheck cannot be less than 1ms` });
    }
  }
  assert.throws(() => healthOf({ Test: ['CMD', 'x'], Retries: -1 }), { message: 'Retries in Healthcheck cannot be negative' });
  assert.equal(healthOf({ Interval: 1e9 }), undefined);
  assert.equal(healthOf({ Test: ['NONE'] }), undefined);
  assert.deepEqual(healthOf({ Test: ['CMD', 'x'], Interval: 2e9, Timeout: 5e7 }), {
    test: ['CMD', 'x'],
    intervalMs: 2000,
    timeoutMs: 50,
    startPeriodMs: 0,
    startIntervalMs: 0,
    retries: 0,
  });
});
