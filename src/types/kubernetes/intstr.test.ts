import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scaledIntOrPercent } from './intstr.ts';

test('percentages round as asked', () => {
  assert.equal(scaledIntOrPercent('25%', 10, 'up'), 3);
  assert.equal(scaledIntOrPercent('25%', 10, 'down'), 2);
  assert.equal(scaledIntOrPercent(4, 10, 'up'), 4);
  assert.equal(scaledIntOrPercent('130%', 10, 'up'), 13);
  assert.throws(() => scaledIntOrPercent('five', 10, 'up'), { code: 'invalid' });
});
