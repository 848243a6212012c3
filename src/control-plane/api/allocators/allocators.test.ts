import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../registry/fixtures.test-helper.ts';
import { formatIpv4, parseCidr, parseIpv4 } from './cidr.ts';
import { pickFree, reservedBand } from './pick.ts';

test('ranges and addresses', () => {
  assert.deepEqual(parseCidr('10.96.0.5/24'), { base: 10 * 2 ** 24 + 96 * 2 ** 16, size: 256 });
  assert.throws(() => parseCidr('10.96.0.0/31'), /no range of addresses/);
  assert.throws(() => parseCidr('fd00::/64'), /no range of addresses/);
  for (const text of ['0.0.0.0', '255.255.255.255', '10.96.0.1']) assert.equal(formatIpv4(parseIpv4(text)!), text);
  for (const text of ['10.96.0.01', '256.1.1.1', '1.2.3', 'x', '1.2.3.4.5', '']) assert.equal(parseIpv4(text), undefined);
});

test('a range is used up to the last number, the reserved ones last', () => {
  const taken = new Set<number>();
  const order: number[] = [];
  for (;;) {
    const offset = pickFree(seededRandom(order.length + 1), 40, 16, (at) => taken.has(at));
    if (offset === undefined) break;
    taken.add(offset);
    order.push(offset);
  }
  assert.equal(taken.size, 40);
  assert.ok(order.slice(0, 24).every((offset) => offset >= 16));
  assert.deepEqual(order.slice(24), Array.from({ length: 16 }, (_, n) => n));
});

test('the same randomness gives the same choice', () => {
  const choose = () => pickFree(seededRandom(7), 65534, reservedBand(65534, 16, 256), () => false);
  assert.equal(choose(), choose());
  assert.ok(choose()! >= 256);
});
