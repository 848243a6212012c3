import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readQuery, TYPE, writeAnswer } from './message.ts';
import { queryPacket } from './message.test-helper.ts';

test('a query is read with its case kept and folded', () => {
  const query = readQuery(queryPacket('Web.Default.svc', TYPE.A, { edns: 1232 }))!;
  assert.equal(query.question.name, 'web.default.svc');
  assert.equal(query.question.asked, 'Web.Default.svc');
  assert.equal(query.udpSize, 1232);
});

test('what is cut short, an answer, or has two questions is not a query', () => {
  const good = queryPacket('a.b', TYPE.A);
  for (let end = 0; end < good.length; end++) assert.equal(readQuery(good.subarray(0, end)), undefined, `cut at ${end}`);
  const answer = Buffer.from(good);
  answer[2] = 0x80;
  assert.equal(readQuery(answer), undefined);
  const two = Buffer.from(good);
  two[5] = 2;
  assert.equal(readQuery(two), undefined);
});

test('an answer that does not fit is cut and says so', () => {
  const query = readQuery(queryPacket('many.svc', TYPE.A))!;
  const answers = Array.from({ length: 60 }, (_, n) => ({ name: 'many.svc', ttl: 5, type: 'A' as const, address: `10.0.0.${n}` }));
  const cut = writeAnswer(query, { rcode: 0, authoritative: true, answers }, 512);
  assert.ok(cut.length <= 512);
  assert.equal(cut.readUInt16BE(2) & 0x200, 0x200);
  const whole = writeAnswer(query, { rcode: 0, authoritative: true, answers }, 65_535);
  assert.equal(whole.readUInt16BE(6), 60);
  // Names of the answers point back at the question: 16 bytes a record.
  assert.equal(whole.length, 12 + 10 + 4 + 60 * 16);
});
