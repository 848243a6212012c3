import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReason } from '../../../types/kubernetes/status.ts';
import type { Exchange } from './exchange.ts';
import { LargeAnswers } from './large-answers.ts';

test('a user whose large answers wait unread gets no more of them until some are read; others do', () => {
  const answers = new LargeAnswers();
  const closes: (() => void)[] = [];
  const exchange = { onClose: (fn: () => void) => void closes.push(fn) } as Exchange;
  const ask = (name: string, bytes = 2 << 20): void => answers.admit({ user: { name, groups: [] }, exchange }, bytes);
  for (let n = 0; n < 64; n++) ask('slow');
  assert.throws(() => ask('slow'), (error) => isReason(error, 'TooManyRequests'));
  ask('slow', 1000);
  ask('quick');
  closes[0]!();
  ask('slow');
  assert.throws(() => ask('slow'));
});
