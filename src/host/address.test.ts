import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, formatMac, parseAddress, parseCidr, parseMac } from './address.ts';

test('addresses survive the way there and back', () => {
  for (const text of ['10.0.0.1', '255.255.255.255', '::', '::1', 'fd00::1', '2001:db8:0:1:1:1:1:1', 'fe80::1:0:0:1', '1::']) {
    assert.equal(formatAddress(parseAddress(text)), text);
  }
  assert.equal(formatAddress(parseAddress('::ffff:10.0.0.1')), '::ffff:a00:1');
  assert.equal(formatAddress(parseAddress('2001:0db8:0:0:1:0:0:1')), '2001:db8::1:0:0:1');
});

test('prefixes', () => {
  assert.deepEqual({ ...parseCidr('10.1.2.3/8'), bytes: '' }, { family: 4, bytes: '', prefixLength: 8 });
  assert.equal(parseCidr('fd00::1').prefixLength, 128);
  for (const bad of ['10.0.0.0/33', '10.0.0/8', '10.0.0.1/', '10.0.0.1/x', 'fe80::1%eth0', '::/129', '', '010.0.0.1/8']) {
    assert.throws(() => parseCidr(bad), { code: 'invalid' }, bad);
  }
});

test('MACs', () => {
  assert.equal(formatMac(parseMac('02:42:AC:11:00:02')), '02:42:ac:11:00:02');
  assert.throws(() => parseMac('02:42'), { code: 'invalid' });
});
