import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addQuantities, canonicalQuantity, compareQuantities, parseQuantity, quantityToMilli, quantityToNumber, subQuantities } from './quantity.ts';

// What resource.Quantity of apimachinery answered.
const CANONICAL: readonly (readonly [string | number, string])[] = [
  ['0', '0'],
  ['00', '0'],
  ['0Ki', '0'],
  ['1000m', '1'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.', '1.'],
  ['1.5', '1500m'],
  ['1.500', '1.500'],
  ['+5', '+5'],
  ['0100', '0100'],
  ['1024Ki', '1Mi'],
  ['1.5Gi', '1536Mi'],
  ['1536Mi', '1536Mi'],
  ['0.5Ki', '512'],
  ['0.1Ki', '102400m'],
  ['1000Ki', '1000Ki'],
  ['8192Ki', '8Mi'],
  ['0.0000000001', '1n'],
  ['1e3', '1e3'],
  ['1.5e3', '1500'],
  ['2e6', '2e6'],
  ['1e4', '10e3'],
  ['1000k', '1M'],
  ['9223372036854775808Ki', '9223372036854775807'],
  ['-1.5', '-1500m'],
  ['-5', '-5'],
  [2, '2'],
  [0.25, '250m'],
];

test('quantities take the API server\'s form', () => {
  for (const [text, canonical] of CANONICAL) assert.equal(canonicalQuantity(text), canonical, String(text));
});

test("what is no quantity is refused in the API server's words", () => {
  for (const text of ['', 'abc', '1.2.3', '--1', '1 2']) {
    assert.throws(() => parseQuantity(text), { code: 'invalid', message: /must match the regular expression|suffix/ }, text);
  }
  for (const text of ['1mi', '1K', '1e', '1ki', '5x'.replace('x', 'ee')]) {
    assert.throws(() => parseQuantity(text), { message: "unable to parse quantity's suffix" }, text);
  }
  assert.throws(() => parseQuantity('.'), { message: 'unable to parse numeric part of quantity' });
  assert.throws(() => parseQuantity('1e999999999'), { code: 'invalid' });
});

test('sums, differences and comparisons are exact', () => {
  assert.equal(addQuantities('0.1', '0.2'), '300m');
  assert.equal(addQuantities('1Gi', '1Mi'), '1025Mi');
  assert.equal(addQuantities('0', '1Gi'), '1Gi');
  assert.equal(subQuantities('1', '1m'), '999m');
  assert.equal(compareQuantities('1024Mi', '1Gi'), 0);
  assert.equal(compareQuantities('999m', '1'), -1);
  assert.equal(compareQuantities('9007199254740993', '9007199254740992'), 1);
});

test('numbers round away from zero', () => {
  assert.equal(quantityToNumber('128Mi'), 134_217_728);
  assert.equal(quantityToNumber('100m'), 1);
  assert.equal(quantityToMilli('100u'), 1);
  assert.equal(quantityToMilli('1.5'), 1500);
  assert.equal(quantityToMilli('-1500u'), -2);
});
