import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachKeys } from './detach-keys.ts';

test('the sequence detaches, also in pieces; what only began it is passed on', () => {
  const keys = new DetachKeys();
  assert.deepEqual(keys.filter(Buffer.from('ab\x10')), { data: Buffer.from('ab'), detached: false });
  assert.deepEqual(keys.filter(Buffer.from('c')), { data: Buffer.from('\x10c'), detached: false });
  assert.deepEqual(keys.filter(Buffer.from('\x10\x10\x11rest')), { data: Buffer.from('\x10'), detached: true });
  const own = new DetachKeys('ctrl-x,x');
  assert.deepEqual(own.filter(Buffer.from('1\x18x')), { data: Buffer.from('1'), detached: true });
  for (const wrong of ['ctrl-,', 'ctrl-A,a', 'ab', '']) {
    assert.throws(() => new DetachKeys(wrong), { code: 'invalid', message: /Invalid detach keys/ });
  }
});
