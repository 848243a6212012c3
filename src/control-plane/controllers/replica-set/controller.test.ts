import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '../../../client/fake-transport.test-helper.ts';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { pods, replicaSets, replicationControllers } from '../../../client/resources.ts';
import type { ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Pod, ReplicationController } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { ReplicaController } from './controller.ts';
import { replicaSetKind, replicationControllerKind } from './kinds.ts';

const create = (context: ControllerContext) => new ReplicaController(context, replicaSetKind);

const replicaSet = (replicas: number, spec: Partial<ReplicaSet['spec']> = {}): ReplicaSet => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web', extra: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    ...spec,
  },
});

const current = (harness: Harness): ReplicaSet => harness.api.all<ReplicaSet>(replicaSets)[0]!;

test('makes the pods asked for, in growing groups, with name, labels and owner', async () => {
  const harness = new Harness();
  await harness.start(create);
  await harness.api.create(replicaSets, 'default', replicaSet(20));
  await settle(40);
  assert.equal(harness.pods().length, 20);
  const pod = harness.pods()[0]!;
  const { uid } = current(harness).metadata!;
  assert.match(pod.metadata!.name!, /^web-[a-z0-9]{5}$/);
  assert.deepEqual(pod.metadata!.labels, { app: 'web', extra: 'x' });
  assert.deepEqual(pod.metadata!.ownerReferences, [
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid, controller: true, blockOwnerDeletion: true },
  ]);
  assert.deepEqual(current(harness).status, { replicas: 20, fullyLabeledReplicas: 20, terminatingReplicas: 0, observedGeneration: 1 });
  assert.ok(harness.events.includes(`ReplicaSet/web Normal SuccessfulCreate Created pod: ${pod.metadata!.name}`));
  await harness.runAll();
  assert.deepEqual(current(harness).status, {
    replicas: 20,
    fullyLabeledReplicas: 20,
    readyReplicas: 20,
    availableReplicas: 20,
    terminatingReplicas: 0,
    observedGeneration: 1,
  });
  const calls = harness.api.calls.length;
  await harness.clock.advance(3_600_000);
  assert.equal(harness.api.calls.length, calls, 'a settled set costs nothing');
  await harness.stop();
});

test('replaces pods that fail or go, and makes no extra ones while its cache is behind', async () => {
  const harness = new Harness({ manual: true });
  await harness.start(create);
  await harness.api.create(replicaSets, 'default', replicaSet(3));
  const drain = async (): Promise<void> => {
    do await settle(); while (harness.api.deliver());
    await settle();
  };
  await drain();
  await drain();
  assert.equal(harness.pods().length, 3);
  harness.api.edit<ReplicaSet>(replicaSets, 'default', 'web', (set) => (set.spec!.replicas = 6));
  // Only the change of the set is seen, none of the pods that follow: wake it again and again.
  for (let n = 0; n < 5; n++) {
    harness.api.deliver();
    await settle();
    harness.api.edit<ReplicaSet>(replicaSets, 'default', 'web', (set) => (set.metadata!.annotations = { n: String(n) }));
  }
  await drain();
  assert.equal(harness.pods().length, 6);
  harness.finish(harness.pods()[0]!, 'Failed');
  await harness.api.delete(pods, 'default', harness.pods()[1]!.metadata!.name!);
  await drain();
  await drain();
  assert.equal(harness.activePods().length, 6);
  await harness.stop();
});

test('deletes the least useful pods first', async () => {
  const harness = new Harness();
  await harness.start(create);
  await harness.api.create(replicaSets, 'default', replicaSet(5));
  await settle(20);
  const [a, b, c, d, e] = harness.pods();
  harness.run(a!, { node: 'n1' });
  await harness.clock.advance(100_000);
  harness.run(b!, { node: 'n2' });
  harness.run(c!, { node: 'n2' });
  harness.run(d!, { node: 'n3', ready: false });
  harness.api.edit<Pod>(pods, 'default', b!.metadata!.name!, (pod) => (pod.metadata!.annotations = { 'controller.kubernetes.io/pod-deletion-cost': '10' }));
  await settle();
  const left = (): string[] => harness.pods().map((pod) => pod.metadata!.name!);
  for (const [replicas, gone] of [[4, e], [3, d], [2, c], [1, a]] as const) {
    harness.api.edit<ReplicaSet>(replicaSets, 'default', 'web', (set) => (set.spec!.replicas = replicas));
    await settle(20);
    assert.equal(left().length, replicas);
    assert.ok(!left().includes(gone!.metadata!.name!), `at ${replicas}`);
  }
  assert.ok(harness.events.some((event) => /SuccessfulDelete Deleted pod: web-/.test(event)));
  await harness.stop();
});

test('adopts orphans that match, and releases what matches no longer', async () => {
  const harness = new Harness();
  await harness.api.create<Pod>(pods, 'default', { metadata: { name: 'lone', labels: { app: 'web' } }, spec: { containers: [] } });
  await harness.api.create<Pod>(pods, 'other', { metadata: { name: 'far', labels: { app: 'web' } }, spec: { containers: [] } });
  await harness.start(create);
  await harness.api.create(replicaSets, 'default', replicaSet(2));
  await settle(20);
  assert.equal(harness.pods('default').length, 2);
  const lone = (): Pod => harness.pods('default').find((pod) => pod.metadata!.name === 'lone')!;
  assert.equal(lone().metadata!.ownerReferences?.[0]?.name, 'web');
  assert.equal(harness.pods('other')[0]!.metadata!.ownerReferences, undefined);
  harness.api.edit<Pod>(pods, 'default', 'lone', (pod) => (pod.metadata!.labels = { app: 'debug' }));
  await settle(20);
  assert.equal(lone().metadata!.ownerReferences, undefined);
  assert.equal(harness.pods('default').length, 3);
  await harness.stop();
});

test('says why pods cannot be made, tries again, and clears it', async () => {
  const harness = new Harness();
  await harness.start(create);
  let tries = 0;
  harness.api.fail = (verb, resource) => {
    if (verb !== 'create' || resource !== 'pods') return undefined;
    tries++;
    return status(403, 'Forbidden', 'exceeded quota');
  };
  await harness.api.create(replicaSets, 'default', replicaSet(100));
  await settle(20);
  assert.equal(tries, 1, 'one try before the others');
  const failure = current(harness).status!.conditions![0]!;
  assert.deepEqual([failure.type, failure.status, failure.reason, failure.message], ['ReplicaFailure', 'True', 'FailedCreate', 'exceeded quota']);
  assert.ok(harness.events.includes('ReplicaSet/web Warning FailedCreate Error creating: exceeded quota'));
  harness.api.fail = () => undefined;
  await harness.clock.advance(60_000);
  await settle(40);
  assert.equal(harness.pods().length, 100);
  assert.equal(current(harness).status!.conditions, undefined);
  await harness.stop();
});

test('a pod counts as available after minReadySeconds', async () => {
  const harness = new Harness();
  await harness.start(create);
  await harness.api.create(replicaSets, 'default', replicaSet(1, { minReadySeconds: 30 }));
  await harness.runAll();
  assert.equal(current(harness).status!.readyReplicas, 1);
  assert.equal(current(harness).status!.availableReplicas, undefined);
  await harness.clock.advance(29_000);
  assert.equal(current(harness).status!.availableReplicas, undefined);
  await harness.clock.advance(1100);
  assert.equal(current(harness).status!.availableReplicas, 1);
  await harness.stop();
});

test('a set that is being deleted, or whose namespace is, makes nothing', async () => {
  const harness = new Harness();
  await harness.api.create(replicaSets, 'default', { ...replicaSet(2), metadata: { ...replicaSet(2).metadata, finalizers: ['x/y'] } });
  await harness.api.delete(replicaSets, 'default', 'web');
  await harness.start(create);
  assert.equal(harness.pods().length, 0);
  await harness.stop();
});

test('replication controllers work the same way', async () => {
  const harness = new Harness();
  await harness.start((context) => new ReplicaController(context, replicationControllerKind));
  await harness.api.create<ReplicationController>(replicationControllers, 'default', {
    metadata: { name: 'old' },
    spec: { replicas: 2, selector: { app: 'old' }, template: { metadata: { labels: { app: 'old' } }, spec: { containers: [] } } },
  });
  await harness.runAll();
  const [controller] = harness.api.all<ReplicationController>(replicationControllers);
  assert.deepEqual(controller!.status, { replicas: 2, fullyLabeledReplicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 1 });
  assert.equal(harness.pods()[0]!.metadata!.ownerReferences![0]!.apiVersion, 'v1');
  await harness.stop();
});
