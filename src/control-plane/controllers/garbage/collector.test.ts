import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { configMaps, customResourceDefinitions, nodes, pods, replicaSets } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import type { KubeObject, OwnerReference } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { GarbageCollector } from './collector.ts';

const create = (context: ControllerContext) => new GarbageCollector(context);

async function make(
  harness: Harness,
  resource: ResourceRef,
  name: string,
  owners: readonly (readonly [ResourceRef, KubeObject, boolean?])[] = [],
  namespace = 'default',
): Promise<KubeObject> {
  const ownerReferences = owners.map(([{ group, version, kind }, { metadata }, block]): OwnerReference => ({
    apiVersion: group ? `${group}/${version}` : version,
    kind,
    name: metadata!.name!,
    uid: metadata!.uid!,
    ...(block && { blockOwnerDeletion: true }),
  }));
  return harness.api.create<KubeObject>(resource, resource.namespaced ? namespace : undefined, {
    metadata: { name, ...(ownerReferences.length > 0 && { ownerReferences }) },
  });
}

const names = (harness: Harness, resource: ResourceRef): string[] => harness.api.all<KubeObject>(resource).map(({ metadata }) => metadata!.name!).toSorted();

test('dependents go after their last owner, and theirs after them', async () => {
  const harness = new Harness();
  await harness.start(create);
  const set = await make(harness, replicaSets, 'set');
  const other = await make(harness, configMaps, 'other');
  const pod = await make(harness, pods, 'pod', [[replicaSets, set]]);
  await make(harness, configMaps, 'of-pod', [[pods, pod]]);
  await make(harness, pods, 'shared', [[replicaSets, set], [configMaps, other]]);
  await make(harness, pods, 'free');
  await settle(20);
  assert.deepEqual(names(harness, pods), ['free', 'pod', 'shared']);
  await harness.api.delete(replicaSets, 'default', 'set');
  await settle(20);
  assert.deepEqual(names(harness, pods), ['free', 'shared']);
  assert.deepEqual(names(harness, configMaps), ['other']);
  assert.deepEqual(
    harness.api
      .all<KubeObject>(pods)
      .find((p) => p.metadata!.name === 'shared')!
      .metadata!.ownerReferences!.map(({ name }) => name),
    ['other'],
    'the reference to what is gone is dropped',
  );
  await harness.stop();
});

test('what was orphaned while nobody looked is found at the start; an owner that only the API knows is not taken for gone', async () => {
  const harness = new Harness();
  const set = await make(harness, replicaSets, 'set');
  await make(harness, pods, 'pod', [[replicaSets, set]]);
  harness.api.remove(replicaSets, 'default', 'set');
  const node = await make(harness, nodes, 'n');
  await make(harness, pods, 'mirror', [[nodes, node]]);
  await harness.start(create);
  await settle(20);
  assert.deepEqual(names(harness, pods), ['mirror']);
  await harness.stop();
  const behind = new Harness({ manual: true });
  await behind.start(create);
  const late = await make(behind, replicaSets, 'late');
  await make(behind, pods, 'pod', [[replicaSets, late]]);
  // The pod is seen before its owner.
  behind.api.deliver((n) => n - 1);
  behind.api.deliver((n) => n - 1);
  await settle(20);
  assert.deepEqual(names(behind, pods), ['pod']);
  await behind.stop();
});

test('an owner of the same name with another uid is another owner; one in another namespace is none', async () => {
  const harness = new Harness();
  await harness.start(create);
  const first = await make(harness, replicaSets, 'set');
  harness.api.remove(replicaSets, 'default', 'set');
  await make(harness, replicaSets, 'set');
  await make(harness, pods, 'pod', [[replicaSets, first]]);
  const far = await make(harness, replicaSets, 'far', [], 'elsewhere');
  await make(harness, pods, 'lost', [[replicaSets, far]]);
  await settle(20);
  assert.deepEqual(names(harness, pods), []);
  assert.ok(harness.events.some((event) => event.startsWith('Pod/lost Warning OwnerRefInvalidNamespace')));
  await harness.stop();
});

test('in the foreground an owner waits for those that block it, and for no others', async () => {
  const harness = new Harness({ graceful: true });
  await harness.start(create);
  const set = await make(harness, replicaSets, 'set');
  await harness.api.create<KubeObject>(pods, 'default', {
    metadata: {
      name: 'blocks',
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'set', uid: set.metadata!.uid!, blockOwnerDeletion: true }],
    },
    spec: { nodeName: 'n' },
  } as KubeObject);
  await make(harness, configMaps, 'does-not', [[replicaSets, set]]);
  await harness.api.delete(replicaSets, 'default', 'set', { propagationPolicy: 'Foreground' });
  await settle(20);
  assert.deepEqual(names(harness, replicaSets), ['set']);
  assert.ok(harness.pods()[0]!.metadata!.deletionTimestamp);
  harness.api.remove(pods, 'default', 'blocks');
  await settle(20);
  assert.deepEqual(names(harness, replicaSets), []);
  assert.deepEqual(names(harness, configMaps), []);
  await harness.stop();
});

test('two that block each other are both deleted', async () => {
  const harness = new Harness();
  await harness.start(create);
  const a = await make(harness, configMaps, 'a');
  const b = await make(harness, configMaps, 'b', [[configMaps, a, true]]);
  harness.api.edit<KubeObject>(
    configMaps,
    'default',
    'a',
    (object) =>
      (object.metadata!.ownerReferences = [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'b', uid: b.metadata!.uid!, blockOwnerDeletion: true },
      ]),
  );
  await harness.api.delete(configMaps, 'default', 'a', { propagationPolicy: 'Foreground' });
  await settle(40);
  await harness.clock.advance(10_000);
  assert.deepEqual(names(harness, configMaps), []);
  await harness.stop();
});

test('orphans are let go before their owner is', async () => {
  const harness = new Harness();
  await harness.start(create);
  const set = await make(harness, replicaSets, 'set');
  await make(harness, pods, 'pod', [[replicaSets, set]]);
  await harness.api.delete(replicaSets, 'default', 'set', { propagationPolicy: 'Orphan' });
  await settle(20);
  assert.deepEqual(names(harness, replicaSets), []);
  assert.equal(harness.pods()[0]!.metadata!.ownerReferences, undefined);
  await harness.stop();
});

test('custom resources own and are owned; an unknown kind of owner is left alone', async () => {
  const harness = new Harness();
  await harness.start(create);
  const widgets: ResourceRef = { group: 'example.org', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true };
  await harness.api.create(customResourceDefinitions, undefined, {
    metadata: { name: 'widgets.example.org' },
    spec: { group: 'example.org', scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget' }, versions: [{ name: 'v1', served: true, storage: true }] },
    status: { conditions: [{ type: 'Established', status: 'True' }] },
  } as KubeObject);
  await settle(20);
  const widget = await make(harness, widgets, 'w');
  await make(harness, pods, 'of-widget', [[widgets, widget]]);
  await make(harness, pods, 'of-unknown', [[{ ...widgets, kind: 'Gadget' }, { metadata: { name: 'g', uid: 'somewhere' } }]]);
  await settle(20);
  assert.deepEqual(names(harness, pods), ['of-unknown', 'of-widget']);
  await harness.api.delete(widgets, 'default', 'w');
  await settle(20);
  assert.deepEqual(names(harness, pods), ['of-unknown']);
  await harness.stop();
});
