import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './nearest.ts';

test('a mistyped word is known again, and a strange one is not', () => {
  const words = ['status', 'server', 'token', 'timeout', 'namespace'];
  assert.equal(nearest('statsu', words), 'status');
  assert.equal(nearest('stauts', words), 'status');
  assert.equal(nearest('namesapce', words), 'namespace');
  assert.equal(nearest('name', words), 'namespace');
  assert.equal(nearest('tokne', words), 'token');
  assert.equal(nearest('frobnicate', words), undefined);
  assert.equal(nearest('x', words), undefined);
});
