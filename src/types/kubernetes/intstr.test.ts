import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percentOf, resolveFenceposts, scaledIntOrPercent } from './intstr.ts';

test('percentages round as asked', () => {
  assert.equal(scaledIntOrPercent('25%', 10, 'up'), 3);
  assert.equal(scaledIntOrPercent('25%', 10, 'down'), 2);
  assert.equal(scaledIntOrPercent(4, 10, 'up'), 4);
  assert.equal(percentOf('130%'), 130);
  assert.equal(percentOf('x%'), undefined);
  assert.throws(() => scaledIntOrPercent('five', 10, 'up'), { code: 'invalid' });
});

test('a rolling update can always move', () => {
  assert.deepEqual(resolveFenceposts('25%', '25%', 3), { surge: 1, unavailable: 0 });
  assert.deepEqual(resolveFenceposts(0, '10%', 3), { surge: 0, unavailable: 1 });
});
