import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeName, isStandardQuery, parseQuery, respond, reverseAddress, TYPE_A } from './message.ts';
import { nameservers } from './upstream.ts';

function query(name: string, type = TYPE_A): Buffer {
  return Buffer.concat([Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), encodeName(name), Buffer.from([0, type, 0, 1])]);
}

test('a query is parsed, whatever the case', () => {
  const parsed = parseQuery(query('Web.Example'));
  assert.deepEqual([parsed?.id, parsed?.name, parsed?.type, parsed && isStandardQuery(parsed)], [0x1234, 'web.example', 1, true]);
});

test('malformed messages are none', () => {
  const good = query('a.b');
  for (let length = 0; length < good.length; length++) assert.equal(parseQuery(good.subarray(0, length)), undefined, `cut at ${length}`);
  const pointer = Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
  assert.equal(parseQuery(pointer), undefined, 'a compression loop');
  const response = Buffer.from(good);
  response[2] = 0x81;
  assert.equal(parseQuery(response), undefined, 'a response, which would be answered forever');
  const long = Buffer.concat([good.subarray(0, 12), ...Array.from({ length: 100 }, () => Buffer.from([3, 97, 97, 97])), Buffer.from([0, 0, 1, 0, 1])]);
  assert.equal(parseQuery(long), undefined, 'a name of more than 255 bytes');
});

test('a response repeats the question, and says when not all fits', () => {
  const data = query('web');
  const parsed = parseQuery(data)!;
  const answers = Array.from({ length: 50 }, (_, n) => ({ type: TYPE_A, data: Buffer.from([10, 0, 0, n]) }));
  const whole = respond(data, parsed, 0, answers, 600, 65_535);
  assert.equal(whole.readUInt16BE(6), 50);
  assert.equal(whole.readUInt16BE(2), 0x8180);
  const cut = respond(data, parsed, 0, answers, 600, 512);
  assert.ok(cut.length <= 512);
  assert.equal(cut.readUInt16BE(2) & 0x0200, 0x0200);
  assert.deepEqual(cut.subarray(12, parsed.end), data.subarray(12, parsed.end));
});

test('reverse names and resolv.conf', () => {
  assert.equal(reverseAddress('2.0.17.172.in-addr.arpa'), '172.17.0.2');
  assert.equal(reverseAddress('web'), undefined);
  assert.deepEqual(
    nameservers(
      '# x\nnameserver 1.1.1.1\nsearch a\n nameserver  fe80::1%eth0\nnameserver nonsense\nnameserver 8.8.8.8\nnameserver 9.9.9.9\n',
    ),
    ['1.1.1.1', 'fe80::1%eth0', '8.8.8.8'],
  );
});
