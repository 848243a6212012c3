import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReason } from '../../../types/kubernetes/status.ts';
import type { Exchange } from './exchange.ts';
import { LargeAnswers } from './large-answers.ts';

test('a user whose large answers wait unread gets no more of them until some are read; others do', () => {
  const answers = new LargeAnswers();
  const closes: (() => void)[] = [];
  const exchange = { onClose: (fn: () => void) => void closes.push(fn) } as Exchange;
  const small = Buffer.alloc(1000);
  const large = Buffer.alloc(2 << 20);
  const ask = (name: string, body = large): void => answers.admit({ user: { name, groups: [] }, exchange }, body);
  for (let n = 0; n < 64; n++) ask('slow');
  assert.throws(() => ask('slow'), (error) => isReason(error, 'TooManyRequests'));
  ask('slow', small);
  ask('quick');
  closes[0]!();
  ask('slow');
  assert.throws(() => ask('slow'));
});

test('what is held for one user is bounded in bytes as well, and a body that goes to several is held once', () => {
  const answers = new LargeAnswers();
  const closes: (() => void)[] = [];
  const exchange = { onClose: (fn: () => void) => void closes.push(fn) } as Exchange;
  const ask = (body: Buffer): void => answers.admit({ user: { name: 'u', groups: [] }, exchange }, body);
  const shared = Buffer.alloc(100 << 20);
  for (let n = 0; n < 10; n++) ask(shared);
  ask(Buffer.alloc(90 << 20));
  assert.throws(() => ask(Buffer.alloc(90 << 20)), (error) => isReason(error, 'TooManyRequests'));
  closes.splice(0).forEach((close) => close());
  ask(Buffer.alloc(300 << 20));
  assert.throws(() => ask(Buffer.alloc(2 << 20)), 'one may be of any size, and is alone then');
});
