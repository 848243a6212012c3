import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import { ListCache } from './list-cache.ts';

const pods = RESOURCES.find((row) => row.group === '' && row.resource === 'pods')!;

test('one body for one revision, namespace and kind; dropped soon, and when the revision moves on', () => {
  const due: (() => void)[] = [];
  const cache = new ListCache((_ms, fn) => {
    due.push(fn);
    return () => {};
  });
  let made = 0;
  const make = (): Buffer => {
    made++;
    return Buffer.alloc(100_000, made);
  };
  const first = cache.body(pods, 'a', 7, make);
  assert.equal(cache.body(pods, 'a', 7, make), first);
  assert.notEqual(cache.body(pods, 'b', 7, make), first);
  assert.notEqual(cache.body(pods, undefined, 7, make), first);
  const second = cache.body(pods, 'a', 8, make);
  assert.notEqual(second, first);
  due[0]!(); // The end of the first one's time, which is gone already.
  assert.equal(cache.body(pods, 'a', 8, make), second);
  for (const fn of due.splice(0)) fn();
  assert.notEqual(cache.body(pods, 'a', 8, make), second);
  assert.equal(made, 5);
});

test('what is small or huge is not kept', () => {
  const cache = new ListCache(() => () => {});
  for (const size of [1000, 40 * 1024 * 1024]) {
    assert.notEqual(
      cache.body(pods, 'a', 1, () => Buffer.alloc(size)),
      cache.body(pods, 'a', 1, () => Buffer.alloc(size)),
    );
  }
});
