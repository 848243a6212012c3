import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { deployments, podDisruptionBudgets, pods, replicaSets } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import type { Deployment, ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../../types/kubernetes/generated/policy-v1.ts';
import { Harness } from '../harness.test-helper.ts';
import { DisruptionController } from './controller.ts';

async function started(spec: PodDisruptionBudgetSpec, replicas = 5): Promise<Harness> {
  const harness = new Harness();
  await harness.start((context) => new DisruptionController(context));
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [] } };
  const deployment = await harness.api.create<Deployment>(deployments, 'default', {
    metadata: { name: 'd' },
    spec: { replicas, selector: {}, template },
  });
  const set = await harness.api.create<ReplicaSet>(replicaSets, 'default', {
    metadata: {
      name: 'd-1',
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: deployment.metadata!.uid!, controller: true }],
    },
    spec: { replicas: 2, selector: {}, template },
  });
  for (let n = 0; n < replicas; n++) {
    await harness.api.create<Pod>(pods, 'default', {
      metadata: {
        name: `p${n}`,
        labels: { app: 'a' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'd-1', uid: set.metadata!.uid!, controller: true }],
      },
      spec: { containers: [] },
    });
    harness.run(harness.pods().at(-1)!);
  }
  await harness.api.create<PodDisruptionBudget>(podDisruptionBudgets, 'default', {
    metadata: { name: 'b' },
    spec: { selector: { matchLabels: { app: 'a' } }, ...spec },
  });
  await settle(20);
  return harness;
}
const status = (harness: Harness): NonNullable<PodDisruptionBudget['status']> =>
  harness.api.all<PodDisruptionBudget>(podDisruptionBudgets)[0]!.status!;
const counts = (harness: Harness): number[] => [
  status(harness).expectedPods,
  status(harness).desiredHealthy,
  status(harness).currentHealthy,
  status(harness).disruptionsAllowed,
];

test('numbers and percentages of what the Deployment wants', async () => {
  for (const [spec, expected] of [
    [{ minAvailable: 3 }, [5, 3, 5, 2]],
    [{ minAvailable: '50%' }, [5, 3, 5, 2]],
    [{ maxUnavailable: 1 }, [5, 4, 5, 1]],
    [{ maxUnavailable: '30%' }, [5, 3, 5, 2]],
    [{ maxUnavailable: 9 }, [5, 0, 5, 5]],
    [{ minAvailable: 9 }, [5, 9, 5, 0]],
  ] as const) {
    const harness = await started(spec);
    assert.deepEqual(counts(harness), expected, JSON.stringify(spec));
    await harness.stop();
  }
});

test('it follows its pods; a granted eviction counts at once, and no longer when it did not happen', async () => {
  const harness = await started({ minAvailable: 3 });
  const condition = (): string => status(harness).conditions!.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`).join();
  assert.equal(condition(), 'DisruptionAllowed=True SufficientPods');
  harness.run(harness.pods()[0]!, { ready: false });
  await settle();
  assert.deepEqual(counts(harness), [5, 3, 4, 1]);
  harness.api.edit<PodDisruptionBudget>(podDisruptionBudgets, 'default', 'b', (budget) => {
    budget.status!.disruptedPods = { p1: rfc3339(harness.clock.now()) };
    budget.status!.disruptionsAllowed = 0;
  });
  await settle();
  assert.deepEqual(counts(harness), [5, 3, 3, 0]);
  assert.equal(condition(), 'DisruptionAllowed=False InsufficientPods');
  await harness.clock.advance(125_000);
  assert.deepEqual(counts(harness), [5, 3, 4, 1]);
  assert.equal(status(harness).disruptedPods, undefined);
  await harness.stop();
});

test('where the number can’t be known nothing may be evicted', async () => {
  const harness = await started({ maxUnavailable: 1 });
  await harness.api.create<Pod>(pods, 'default', {
    metadata: {
      name: 'odd',
      labels: { app: 'a' },
      ownerReferences: [{ apiVersion: 'x/v1', kind: 'Odd', name: 'o', uid: 'u', controller: true }],
    },
    spec: { containers: [] },
  });
  await settle(20);
  assert.equal(status(harness).disruptionsAllowed, 0);
  assert.deepEqual(status(harness).conditions!.map(({ reason, message }) => [reason, message]), [['SyncFailed', 'found no controllers for pod "odd"']]);
  await harness.stop();
});

test('a mark of disruption that led to nothing is taken back', async () => {
  const harness = await started({ minAvailable: 1 });
  harness.api.edit<Pod>(pods, 'default', 'p0', (pod) =>
    pod.status!.conditions!.push({ type: 'DisruptionTarget', status: 'True', lastTransitionTime: rfc3339(harness.clock.now()) }),
  );
  await harness.clock.advance(121_000);
  assert.equal(harness.pods()[0]!.status!.conditions!.find(({ type }) => type === 'DisruptionTarget')!.status, 'False');
  await harness.stop();
});
