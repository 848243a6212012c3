import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Addresses } from './addresses.ts';
import { chooseSubnet, DEFAULT_POOLS, formatIPv4, formatSubnet, overlaps, parseIPv4, parseSubnet } from './subnets.ts';

const make = (subnet: string, gateway: string, range?: string): Addresses =>
  new Addresses(parseSubnet(subnet), parseIPv4(gateway), range === undefined ? undefined : parseSubnet(range));

test('lowest first, without network, broadcast and gateway', () => {
  const addresses = make('10.0.0.0/29', '10.0.0.1');
  const given = Array.from({ length: 5 }, () => formatIPv4(addresses.allocate()));
  assert.deepEqual(given, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  assert.throws(() => addresses.allocate(), { code: 'exhausted' });
  addresses.release(parseIPv4('10.0.0.4'));
  assert.throws(() => addresses.allocate(parseIPv4('10.0.0.5')), { code: 'conflict' });
  assert.equal(formatIPv4(addresses.allocate()), '10.0.0.4');
  assert.throws(() => addresses.allocate(parseIPv4('10.0.0.1')), { code: 'conflict' });
  assert.throws(() => addresses.allocate(parseIPv4('10.0.0.8')), { code: 'invalid' });
});

test('every address of a large subnet is given out exactly once', () => {
  const addresses = make('172.17.0.0/16', '172.17.0.1');
  const seen = new Set<number>();
  for (let n = 0; n < 65_533; n++) seen.add(addresses.allocate());
  assert.equal(seen.size, 65_533);
  assert.throws(() => addresses.allocate(), { code: 'exhausted' });
  addresses.release(parseIPv4('172.17.128.7'));
  assert.equal(formatIPv4(addresses.allocate()), '172.17.128.7');
});

test('a range limits what is chosen, not what may be wished for', () => {
  const addresses = make('10.0.0.0/8', '10.0.0.1', '10.0.4.64/30');
  assert.equal(formatIPv4(addresses.allocate()), '10.0.4.64');
  assert.equal(formatIPv4(addresses.allocate(parseIPv4('10.0.0.9'))), '10.0.0.9');
  addresses.release(parseIPv4('10.0.0.9'));
  assert.deepEqual(Array.from({ length: 3 }, () => formatIPv4(addresses.allocate())), ['10.0.4.65', '10.0.4.66', '10.0.4.67']);
  assert.throws(() => addresses.allocate(), { code: 'exhausted' });
});

test('subnets are chosen around what is taken', () => {
  assert.equal(formatSubnet(chooseSubnet(DEFAULT_POOLS, [])), '172.17.0.0/16');
  assert.equal(formatSubnet(chooseSubnet(DEFAULT_POOLS, [parseSubnet('172.16.0.0/14')])), '172.20.0.0/16');
  assert.equal(formatSubnet(chooseSubnet(DEFAULT_POOLS, [parseSubnet('172.16.0.0/12'), parseSubnet('192.168.5.1/32')])), '192.168.16.0/20');
  assert.throws(() => chooseSubnet([{ base: '10.0.0.0/30', size: 31 }], [parseSubnet('10.0.0.0/8')]), { code: 'exhausted' });
  assert.ok(!overlaps(parseSubnet('10.0.0.0/25'), parseSubnet('10.0.0.128/25')));
  assert.ok(overlaps(parseSubnet('255.255.255.0/24'), parseSubnet('0.0.0.0/0')));
});
