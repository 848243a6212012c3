import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { AgentContext } from './context.ts';
import { terminatePod } from './termination.ts';
import type { PodView } from './view.ts';

const ADDRESS = '10.42.0.9';
const pod: Pod = {
  metadata: { uid: 'u', deletionGracePeriodSeconds: 30 },
  spec: { containers: [{ name: 'c' }] },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
};
const view = {
  sandbox: { id: 's', network: { ip: ADDRESS } },
  containers: new Map([['c', { latest: { id: 'r', state: 'CONTAINER_RUNNING' } }]]),
} as unknown as PodView;

/** When, in milliseconds, the container was told to stop; time passes as quickly as it is slept away. */
async function stoppedAt(takesTraffic: (address: string, ms: number) => boolean, of = pod): Promise<number> {
  let ms = 0;
  let stopped: number | undefined;
  const context = {
    clock: {
      monotonic: () => ms,
      sleep: async (length: number) => {
        // What stops, stops at once: only the drain is slept through here.
        if (stopped === undefined) ms += length;
        else await new Promise<void>((resolve) => { setImmediate(resolve); });
      },
    },
    cri: {
      stopContainer: async () => void (stopped ??= ms),
      stopPodSandbox: async () => {},
      listPodSandbox: async () => [],
      listContainers: async () => [],
    },
    prober: { unwatch: () => {} },
    drainMs: 500,
    takesTraffic: (address: string) => takesTraffic(address, ms),
  } as unknown as AgentContext;
  await terminatePod(context, () => ({ pod: of, removed: false }), view, () => {}, () => {});
  assert.ok(stopped !== undefined, 'it was stopped');
  return stopped;
}

test('a pod goes on serving for the drain, and as long as connections still come to it, within bounds', async () => {
  assert.equal(await stoppedAt(() => false), 500);
  assert.equal(await stoppedAt((address, ms) => address === ADDRESS && ms < 900), 900);
  assert.equal(await stoppedAt(() => true), 5000);
  const short = { ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds: 4 } };
  assert.equal(await stoppedAt(() => true, short), 2000);
});

test('a pod that took no traffic does not wait', async () => {
  assert.equal(await stoppedAt(() => true, { ...pod, status: { conditions: [{ type: 'Ready', status: 'False' }] } }), 0);
});
