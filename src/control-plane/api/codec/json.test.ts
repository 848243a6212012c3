import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { encodeJson, MAX_DEPTH, parseJson, parseTrustedJson } from './json.ts';

const parse = (text: string) => parseJson(Buffer.from(text));
const refused = (error: Error): boolean => error instanceof StatusError && error.status.code === 400;

test('int64 is exact in and out', () => {
  const text = '{"a":9223372036854775807,"b":-9223372036854775808,"c":9007199254740993,"d":9007199254740991,"e":1.5,"f":[12345678901234567]}';
  const { value } = parse(text);
  assert.deepEqual(value, { a: 9223372036854775807n, b: -9223372036854775808n, c: 9007199254740993n, d: 9007199254740991, e: 1.5, f: [12345678901234567n] });
  assert.equal(encodeJson(value).toString(), text);
  assert.deepEqual(parseTrustedJson(encodeJson(value)), value);
});

test('digits within strings cost nothing and change nothing', () => {
  assert.deepEqual(parse('{"a":"12345678901234567890","b":"1e999"}').value, { a: '12345678901234567890', b: '1e999' });
});

test('numbers that no double holds are refused', () => {
  assert.throws(() => parse('{"a":1e309}'), /json: cannot unmarshal number 1e309/);
  assert.throws(() => parse('{"a":-1E400}'), refused);
  assert.deepEqual(parse('{"a":1e3}').value, { a: 1000 });
});

test('nesting is bounded, and refused at once', () => {
  assert.doesNotThrow(() => parse('['.repeat(MAX_DEPTH) + ']'.repeat(MAX_DEPTH)));
  assert.throws(() => parse('['.repeat(MAX_DEPTH + 1) + ']'.repeat(MAX_DEPTH + 1)), /nests more than/);
  assert.throws(() => parse('{"a":'.repeat(100_000)), /nests more than/);
  assert.doesNotThrow(() => parse(`"${'['.repeat(100_000)}"`));
});

test('keys that come twice are found, wherever they are', () => {
  assert.deepEqual(parse('{"a":1,"b":{"c":1,"c":2},"d":[{"e":1},{"e":1,"e":{"f":1,"f":1}}],"a":"{\\"x\\":1,\\"x\\":2}"}').duplicates, [
    'b.c',
    'd[1].e',
    'd[1].e.f',
    'a',
  ]);
  assert.deepEqual(parse('{"a\\u0062":1,"ab":2}').duplicates, ['ab']);
  assert.deepEqual(parse('{"__proto__":1,"__proto__":2}').duplicates, ['__proto__']);
  assert.deepEqual(parse('{"a:b":{"c":":"},"d":"{:}"}').duplicates, []);
  assert.deepEqual(parse(' [ ] ').duplicates, []);
});

test('__proto__ is a key like the others', () => {
  const { value } = parse('{"__proto__":{"polluted":1}}');
  assert.ok(Object.hasOwn(value as object, '__proto__'));
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('what is no JSON is refused', () => {
  for (const text of ['', '{', '{"a":}', '{"a":1,}', 'nul', '"\\x"', '{"a":1}}', '[1 2]', '\u0000']) {
    assert.throws(() => parse(text), refused, JSON.stringify(text));
  }
});

test('a long body with many keys is read in time that grows with its length', () => {
  const text = `{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":{"v":"x"}`).join(',')},"k0":1}`;
  assert.deepEqual(parse(text).duplicates, ['k0']);
});
