import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../../client/resources.ts';
import type { ControllerRevision, StatefulSet, StatefulSetSpec } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { isReady } from '../shared/pods.ts';
import { StatefulSetController } from './controller.ts';

const create = (context: ControllerContext) => new StatefulSetController(context);
const statefulSet = (spec: Partial<StatefulSetSpec> = {}): StatefulSet => ({
  metadata: { name: 'db', namespace: 'default' },
  spec: {
    replicas: 3,
    serviceName: 'db',
    revisionHistoryLimit: 2,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    selector: { matchLabels: { app: 'db' } },
    template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'db:1' }] } },
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }], ...spec,
  },
});
const current = (harness: Harness): StatefulSet => harness.api.all<StatefulSet>(statefulSets)[0]!;
const edit = (harness: Harness, change: (set: { -readonly [K in keyof StatefulSetSpec]: StatefulSetSpec[K] }) => void): void =>
  harness.api.edit<StatefulSet>(statefulSets, 'default', 'db', (set) => change(set.spec!));
const names = (harness: Harness): string[] =>
  harness
    .activePods()
    .map((pod) => pod.metadata!.name!)
    .toSorted();
const images = (harness: Harness): string[] =>
  harness
    .activePods()
    .toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1))
    .map((pod) => pod.spec!.containers[0]!.image!);
const setImage = (harness: Harness, image: string): void =>
  harness.api.edit<StatefulSet>(statefulSets, 'default', 'db', (set) => (set.spec!.template.spec!.containers[0]!.image = image));
const pod = (harness: Harness, name: string): Pod => harness.pods().find((candidate) => candidate.metadata!.name === name)!;
const claims = (harness: Harness): PersistentVolumeClaim[] => harness.api.all<PersistentVolumeClaim>(persistentVolumeClaims);

async function started(spec: Partial<StatefulSetSpec> = {}): Promise<Harness> {
  const harness = new Harness({ graceful: true });
  await harness.start(create);
  await harness.api.create(statefulSets, 'default', statefulSet(spec));
  await settle(20);
  return harness;
}

test('pods come one after the other, with names, labels, hosts and volumes of their own', async () => {
  const harness = await started();
  assert.deepEqual(names(harness), ['db-0']);
  const { uid } = current(harness).metadata!;
  const [revision] = harness.api.all<ControllerRevision>(controllerRevisions);
  const first = pod(harness, 'db-0');
  assert.deepEqual(first.metadata!.labels, {
    app: 'db',
    'controller-revision-hash': revision!.metadata!.name,
    'statefulset.kubernetes.io/pod-name': 'db-0',
    'apps.kubernetes.io/pod-index': '0',
  });
  assert.equal(first.metadata!.ownerReferences![0]!.uid, uid);
  assert.deepEqual(
    [first.spec!.hostname, first.spec!.subdomain, first.spec!.volumes],
    ['db-0', 'db', [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } }]],
  );
  assert.deepEqual(
    claims(harness).map(({ metadata }) => [metadata!.name, metadata!.labels, metadata!.ownerReferences]),
    [['data-db-0', { app: 'db' }, undefined]],
  );
  await harness.clock.advance(60_000);
  assert.deepEqual(names(harness), ['db-0'], 'the next one waits');
  harness.run(first);
  await settle(20);
  assert.deepEqual(names(harness), ['db-0', 'db-1']);
  await harness.runAll();
  assert.deepEqual(names(harness), ['db-0', 'db-1', 'db-2']);
  const name = revision!.metadata!.name!;
  assert.deepEqual(current(harness).status, {
    observedGeneration: 1,
    replicas: 3,
    availableReplicas: 3,
    readyReplicas: 3,
    currentReplicas: 3,
    updatedReplicas: 3,
    currentRevision: name,
    updateRevision: name,
    collisionCount: 0,
  });
  assert.deepEqual(harness.events.slice(0, 2), [
    'StatefulSet/db Normal SuccessfulCreate Create Claim data-db-0 Pod db-0 in StatefulSet db success',
    'StatefulSet/db Normal SuccessfulCreate Create Pod db-0 in StatefulSet db successful',
  ]);
  const calls = harness.api.calls.length;
  await harness.clock.advance(3_600_000);
  assert.equal(harness.api.calls.length, calls);
  await harness.stop();
});

test('scaling down takes the last first, one at a time, and keeps the volumes', async () => {
  const harness = await started();
  await harness.runAll();
  edit(harness, (spec) => (spec.replicas = 1));
  await settle(20);
  assert.deepEqual(names(harness), ['db-0', 'db-1']);
  await harness.clock.advance(60_000);
  assert.deepEqual(names(harness), ['db-0', 'db-1'], 'until the last is gone');
  harness.api.remove(pods, 'default', 'db-2');
  await settle(20);
  assert.deepEqual(names(harness), ['db-0']);
  await harness.runAll();
  assert.equal(claims(harness).length, 3);
  assert.equal(current(harness).status!.replicas, 1);
  await harness.stop();
});

test('an update replaces the last first, each when the one before is ready, and then becomes the current revision', async () => {
  const harness = await started();
  await harness.runAll();
  const before = current(harness).status!.currentRevision;
  setImage(harness, 'db:2');
  await settle(20);
  assert.deepEqual(names(harness), ['db-0', 'db-1']);
  harness.api.remove(pods, 'default', 'db-2');
  await settle(20);
  assert.deepEqual(images(harness), ['db:1', 'db:1', 'db:2']);
  await harness.clock.advance(60_000);
  assert.deepEqual(images(harness), ['db:1', 'db:1', 'db:2']);
  assert.equal(current(harness).status!.currentRevision, before);
  assert.notEqual(current(harness).status!.updateRevision, before);
  await harness.runAll();
  assert.deepEqual(images(harness), ['db:2', 'db:2', 'db:2']);
  assert.equal(current(harness).status!.currentRevision, current(harness).status!.updateRevision);
  await harness.stop();
});

test('below the partition pods stay, and are made again, at the old revision', async () => {
  const harness = await started({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
  await harness.runAll();
  setImage(harness, 'db:2');
  await harness.runAll();
  assert.deepEqual(images(harness), ['db:1', 'db:1', 'db:2']);
  await harness.api.delete(pods, 'default', 'db-0');
  await harness.runAll();
  assert.deepEqual(images(harness), ['db:1', 'db:1', 'db:2']);
  assert.equal(current(harness).status!.currentReplicas, 2);
  edit(harness, (spec) => (spec.updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 0 } }));
  await harness.runAll();
  assert.deepEqual(images(harness), ['db:2', 'db:2', 'db:2']);
  await harness.stop();
});

test('Parallel makes and removes all at once; OnDelete leaves updates to others; maxUnavailable hastens them', async () => {
  const harness = await started({ podManagementPolicy: 'Parallel', replicas: 4, updateStrategy: { type: 'OnDelete' } });
  assert.equal(harness.activePods().length, 4);
  await harness.runAll();
  setImage(harness, 'db:2');
  await harness.runAll();
  assert.deepEqual(new Set(images(harness)), new Set(['db:1']));
  await harness.api.delete(pods, 'default', 'db-1');
  await harness.runAll();
  assert.deepEqual(images(harness), ['db:1', 'db:2', 'db:1', 'db:1']);
  edit(harness, (spec) => (spec.updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: 2 } }));
  await settle(20);
  assert.equal(harness.activePods().length, 2);
  await harness.runAll();
  edit(harness, (spec) => (spec.replicas = 0));
  await settle(20);
  assert.equal(harness.activePods().length, 0);
  await harness.stop();
});

test('ended pods are made anew; history is pruned', async () => {
  const harness = await started();
  await harness.runAll();
  harness.finish(pod(harness, 'db-1'), 'Succeeded');
  await harness.runAll();
  assert.ok(harness.activePods().length === 3 && harness.activePods().every(isReady));
  for (const image of ['db:2', 'db:3', 'db:4', 'db:5']) {
    setImage(harness, image);
    await harness.runAll();
  }
  const revisions = (): number[] => harness.api.all<ControllerRevision>(controllerRevisions).map(({ revision }) => revision).toSorted((a, b) => a - b);
  assert.deepEqual(revisions(), [3, 4, 5]);
  setImage(harness, 'db:3');
  await harness.runAll();
  assert.deepEqual(revisions(), [4, 5, 6]);
  await harness.stop();
});

test('the retention policy decides who owns the claims', async () => {
  const harness = await started({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' }, replicas: 2 });
  await harness.runAll();
  const owners = (): (string | undefined)[] =>
    claims(harness).map(({ metadata }) => metadata!.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`).join());
  assert.deepEqual(owners(), ['StatefulSet/db', 'StatefulSet/db']);
  edit(harness, (spec) => (spec.replicas = 1));
  await settle(20);
  assert.deepEqual(owners(), ['StatefulSet/db', 'Pod/db-1']);
  await harness.stop();
});

test('a start ordinal shifts the names', async () => {
  const harness = await started({ ordinals: { start: 5 }, replicas: 2 });
  await harness.runAll();
  assert.deepEqual(names(harness), ['db-5', 'db-6']);
  edit(harness, (spec) => (spec.ordinals = { start: 6 }));
  await harness.runAll();
  assert.deepEqual(names(harness), ['db-6', 'db-7']);
  await harness.stop();
});
