import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanName } from './entry-name.ts';

test('a name that goes back and forth stays inside, or is refused', () => {
  assert.equal(cleanName('dir/../foo'), 'foo');
  assert.equal(cleanName('/a//./b/../c/'), 'a/c');
  assert.equal(cleanName('./'), '');
  for (const name of ['..', '../x', 'a/../../x', '/../x', 'a/b/../../..']) {
    assert.throws(() => cleanName(name), /leads out of its root/, name);
  }
});
