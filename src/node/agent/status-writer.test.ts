import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { systemClock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Pod } from '../../types/kubernetes/generated/core-v1.ts';
import { StatusWriter } from './status-writer.ts';

const pod: Pod = { metadata: { name: 'p', namespace: 'default', uid: 'u' } };

function writer(patch: (body: { readonly status: { readonly phase?: string } }) => Promise<unknown>): StatusWriter {
  const transport = {
    patch: (_resource: unknown, _namespace: unknown, _name: unknown, _type: unknown, body: unknown) => patch(body as { status: object }),
  } as unknown as Transport;
  return new StatusWriter(transport, systemClock, silentLogger);
}

test('of statuses that come while one is written, the newest alone is written, and nothing twice', async () => {
  const written: (string | undefined)[] = [];
  const statuses = writer(async ({ status }) => {
    await new Promise((resolve) => setImmediate(resolve));
    written.push(status.phase);
  });
  await Promise.all(['Pending', 'Running', 'Failed'].map((phase) => statuses.set(pod, { phase })));
  assert.deepEqual(written, ['Pending', 'Failed']);
  await statuses.set(pod, { phase: 'Failed' });
  assert.equal(written.length, 2);
});

test('once closed it lets go of those who wait for a write that fails, and begins no other', async () => {
  let tries = 0;
  const statuses = writer(() => {
    tries++;
    return Promise.reject(new LongshoreError('unavailable', 'the API is closed'));
  });
  const waiting = statuses.set(pod, { phase: 'Failed' });
  while (tries < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  statuses.close();
  await waiting;
  const before = tries;
  await statuses.set(pod, { phase: 'Running' });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(tries, before);
});
