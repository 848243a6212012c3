import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireSchema, schemaOf } from '../../../types/kubernetes/schema.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { jsonPatch } from './json-patch.ts';
import { mergePatch } from './merge-patch.ts';
import type { JsonObject } from './own.ts';
import { patchObject } from './patch.ts';
import { strategicMerge } from './strategic-merge.ts';

const SCHEMAS: Readonly<Record<string, string>> = {
  Pod: 'io.k8s.api.core.v1.Pod',
  Deployment: 'io.k8s.api.apps.v1.Deployment',
  Service: 'io.k8s.api.core.v1.Service',
};

/** What upstream made of them: see tools/strategic-merge-golden. */
const golden = (await readFile(join(import.meta.dirname, 'golden.jsonl'), 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { kind: string; original: JsonObject; patch: JsonObject; result: JsonObject });

/** Upstream leaves nulls in what it adds; decoding drops them. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null).map(([key, item]) => [key, withoutNulls(item)]));
}

/** The cause is what says why; the message is upstream's. */
const because = (why: RegExp) => (error: Error): boolean => error instanceof StatusError && why.test(error.status.details?.causes?.[0]?.message ?? '');

test('strategic merge patches do what upstream does', () => {
  assert.ok(golden.length > 40);
  for (const { kind, original, patch, result } of golden) {
    const before = JSON.stringify(original);
    assert.deepEqual(withoutNulls(strategicMerge(original, patch, requireSchema(SCHEMAS[kind]!))), withoutNulls(result), JSON.stringify(patch));
    assert.equal(JSON.stringify(original), before);
  }
});

test('a strategic merge patch that makes no sense is refused', () => {
  const pod = requireSchema(SCHEMAS.Pod!);
  assert.throws(
    () => strategicMerge({ spec: { containers: [{ name: 'a' }] } }, { spec: { containers: [{ image: 'x' }] } }, pod),
    /does not contain declared merge key: name/,
  );
  assert.throws(() => strategicMerge({}, { $patch: 'sideways' }, pod), /unknown patch type: sideways/);
  assert.throws(
    () => patchObject({ schema: 'com.example.v1.Widget' }, { type: 'strategic', body: {} }, {}),
    (error: Error) => error instanceof StatusError && error.status.code === 415,
  );
  assert.equal(schemaOf('com.example.v1.Widget'), undefined);
});

test('merge patches follow RFC 7386', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) assert.deepEqual(mergePatch(target, patch), result);
});

test('no patch reaches a prototype', () => {
  const hostile = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":{"polluted":1}}}') as JsonObject;
  const merged = mergePatch({ a: {} }, hostile) as JsonObject;
  const strategic = strategicMerge({ a: {} }, hostile, undefined);
  const patched = jsonPatch({}, [
    { op: 'add', path: '/__proto__', value: { polluted: 1 } },
    { op: 'add', path: '/a', value: {} },
    { op: 'add', path: '/a/__proto__', value: 1 },
  ]) as JsonObject;
  for (const result of [merged, strategic, patched]) {
    assert.equal(Object.getPrototypeOf(result), Object.prototype);
    assert.ok(Object.hasOwn(result, '__proto__'));
    assert.equal((result as { polluted?: unknown }).polluted, undefined);
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.throws(() => jsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]), because(/missing value/));
  assert.deepEqual(Object.entries(jsonPatch({}, [{ op: 'replace', path: '/__proto__', value: 1 }]) as object), [['__proto__', 1]]);
});

test('JSON patches follow RFC 6902', () => {
  const cases: [unknown, object[], unknown][] = [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo', foo: 'bar' }],
    [
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [{ foo: ['all', 'grass', 'cows', 'eat'] }, [{ op: 'move', from: '/foo/1', path: '/foo/3' }], { foo: ['all', 'cows', 'eat', 'grass'] }],
    [
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2, 'c'] },
    ],
    [
      { '/': 9, '~1': 10 },
      [
        { op: 'test', path: '/~01', value: 10 },
        { op: 'replace', path: '/~1', value: 8 },
      ],
      { '/': 8, '~1': 10 },
    ],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }], { foo: ['bar', ['abc', 'def']] }],
    [
      { a: { b: [1] } },
      [
        { op: 'copy', from: '/a', path: '/c' },
        { op: 'add', path: '/c/b/0', value: 0 },
        { op: 'add', path: '/a/b/-', value: 2 },
      ],
      { a: { b: [1, 2] }, c: { b: [0, 1] } },
    ],
    [{ a: 1 }, [{ op: 'replace', path: '', value: [1] }], [1]],
    [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
    [{ a: 1 }, [{ op: 'test', path: '/b', value: null }], { a: 1 }],
  ];
  for (const [target, patch, result] of cases) {
    const before = JSON.stringify(target);
    assert.deepEqual(jsonPatch(target, patch), result, JSON.stringify(patch));
    assert.equal(JSON.stringify(target), before);
  }
});

test('a copy can be changed after its origin was changed in place', () => {
  const patch = [
    { op: 'add', path: '/a/x', value: 1 },
    { op: 'copy', from: '/a', path: '/b' },
    { op: 'add', path: '/a/y', value: 2 },
    { op: 'add', path: '/b/z', value: 3 },
  ];
  assert.deepEqual(jsonPatch({ a: {} }, patch), { a: { x: 1, y: 2 }, b: { x: 1, z: 3 } });
});

test('JSON patches that fail, fail with the right code', () => {
  const code = (expected: number) => (error: Error): boolean => error instanceof StatusError && error.status.code === expected;
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }]), code(422));
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: 'remove', path: '/b' }]), code(422));
  assert.throws(() => jsonPatch({ a: [] }, [{ op: 'add', path: '/a/1', value: 2 }]), code(422));
  assert.throws(() => jsonPatch({ a: [] }, [{ op: 'add', path: '/a/01', value: 2 }]), code(422));
  assert.throws(() => jsonPatch({ a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/c' }]), code(422));
  assert.throws(() => jsonPatch({ a: 1 }, { op: 'remove' }), code(400));
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: 'merge', path: '/a' }]), code(422));
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: 'add', path: 'a', value: 1 }]), code(400));
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: 'add', path: '/a' }]), code(400));
  assert.throws(() => jsonPatch({}, Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: 1 }))), code(413));
});

test('copies do not amplify', () => {
  const patch = Array.from({ length: 40 }, (_, n) => ({ op: 'copy', from: '/a', path: `/a/x${n}` }));
  const start = performance.now();
  assert.throws(() => jsonPatch({ a: { text: 'x'.repeat(1000) } }, patch), because(/accumulated size increase of copy/));
  assert.ok(performance.now() - start < 1000);
});
