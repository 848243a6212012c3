// The comparison that all of test/golden rests on has to be able to fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../../tools/record/answer.ts';
import { covers, differences } from './compare.ts';
import { KNOWN_DIFFERENCES } from './known-differences.ts';
import { review, type Found } from './replay.ts';

const json = (value: unknown, status = 200): Answer => ({ status, headers: {}, body: { form: 'json', value } });
const paths = (peer: Answer, ours: Answer): string[] => differences(peer, ours).map(({ path }) => path);

test('equal answers do not differ, whatever the order of keys', () => {
  assert.deepEqual(paths(json({ a: 1, b: [{ c: null }] }), json({ b: [{ c: null }], a: 1 })), []);
});

test('every place that differs is found', () => {
  assert.deepEqual(paths(json({ a: 1, b: [1, 2], 'c/d': 'x' }), json({ a: '1', b: [1], 'c/d': 'y', e: null })), [
    'body.a',
    'body.b[1]',
    'body["c/d"]',
    'body.e',
  ]);
  assert.deepEqual(paths(json({ a: null }), json({})), ['body.a']);
  assert.deepEqual(paths(json({}), json([])), ['body']);
  assert.deepEqual(paths({ ...json({}), headers: { warning: 'x' } }, json({})), ['headers.warning']);
  assert.deepEqual(paths(json({ kind: 'Status', message: 'no' }, 404), json({})), ['status']);
});

test('a remedy below the message is ours to add; another message is not', () => {
  assert.deepEqual(paths(json({ message: 'no such thing' }), json({ message: 'no such thing\nMake one.' })), []);
  assert.deepEqual(paths(json({ message: 'no such thing' }), json({ message: 'no such things' })), ['body.message']);
  assert.deepEqual(paths(json({ message: '' }), json({ message: '\nx' })), ['body.message']);
});

test('a listed path covers itself and what lies below', () => {
  assert.ok(covers('body.a', 'body.a'));
  assert.ok(covers('body.a', 'body.a.b'));
  assert.ok(covers('body.a', 'body.a[0].b'));
  assert.ok(!covers('body.a', 'body.ab'));
  assert.ok(!covers('body.a.b', 'body.a'));
});

test('a difference that is not listed, and an entry that is none, are both told', () => {
  const listed = KNOWN_DIFFERENCES.flatMap(({ at }) => at).filter((entry) => !entry.includes(' | * | '));
  if (listed.length === 0) return; // nothing is left to be right
  const [scenario, step, path] = listed[0]!.split(' | ');
  const found: Found[] = listed
    .filter((entry) => entry.startsWith(`${scenario} | `))
    .map((entry) => ({ scenario: scenario!, step: entry.split(' | ')[1]!, path: entry.split(' | ')[2]!, peer: 1, ours: 2 }));
  const goneAnyway = KNOWN_DIFFERENCES.flatMap(({ at }) => at).filter((entry) => entry.startsWith(`${scenario} | * | `));
  assert.deepEqual(review(scenario!, found).fresh, []);
  assert.deepEqual(review(scenario!, found).gone.filter((entry) => !goneAnyway.includes(entry)), []);
  const fresh: Found = { scenario: scenario!, step: step!, path: 'body.somethingNew', peer: 1, ours: 2 };
  assert.deepEqual(review(scenario!, [...found, fresh]).fresh, [fresh]);
  assert.ok(review(scenario!, found.filter((one) => one.path !== path || one.step !== step)).gone.includes(listed[0]!));
});

test('every entry names a scenario, a step and a path', () => {
  for (const entry of KNOWN_DIFFERENCES.flatMap(({ at }) => at)) {
    assert.match(entry, /^(kube|docker)\/[\w-]+ \| .+ \| (status|headers|body)/);
  }
});
