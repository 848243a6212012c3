import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '../../../client/fake-transport.test-helper.ts';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { configMaps, namespaces, pods, secrets } from '../../../client/resources.ts';
import type { Namespace } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { NamespaceController } from './controller.ts';

const create = (context: ControllerContext) => new NamespaceController(context);
const namespace: Namespace = { metadata: { name: 'team' }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } };
const current = (harness: Harness): Namespace | undefined => harness.api.all<Namespace>(namespaces)[0];

test('pods go first, then the rest, then the namespace; the conditions say what is waited for', async () => {
  const harness = new Harness({ graceful: true });
  await harness.start(create);
  await harness.api.create(namespaces, undefined, namespace);
  await harness.api.create(pods, 'team', { metadata: { name: 'p' }, spec: { nodeName: 'n', containers: [] } } as KubeObject);
  await harness.api.create(configMaps, 'team', { metadata: { name: 'c' } });
  await harness.api.create(configMaps, 'other', { metadata: { name: 'stays' } });
  await harness.api.create(secrets, 'team', { metadata: { name: 's', finalizers: ['example.org/hold'] } });
  await settle();
  assert.equal(harness.api.calls.filter((call) => call.startsWith('delete')).length, 0);
  await harness.api.delete(namespaces, undefined, 'team');
  await settle(30);
  const conditions = (): string[] =>
    current(harness)!.status!.conditions!.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);
  assert.ok(
    conditions().includes(
      'NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances',
    ),
  );
  assert.ok(
    conditions().includes(
      'NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization',
    ),
  );
  assert.equal(harness.api.all(configMaps).length, 2, 'what pods use stays until they are gone');
  harness.api.remove(pods, 'team', 'p');
  await settle(30);
  assert.deepEqual(
    harness.api.all(configMaps).map((object) => object.metadata!.name),
    ['stays'],
  );
  assert.ok(
    conditions().includes(
      'NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances',
    ),
  );
  harness.api.remove(secrets, 'team', 's');
  await harness.clock.advance(20_000);
  assert.equal(current(harness), undefined);
  assert.equal(harness.clock.pending, 0);
  await harness.stop();
});

test('what cannot be deleted is said, and tried again', async () => {
  const harness = new Harness();
  await harness.start(create);
  await harness.api.create(namespaces, undefined, namespace);
  await harness.api.create(configMaps, 'team', { metadata: { name: 'c' } });
  harness.api.fail = (verb, resource) => (verb === 'deletecollection' && resource === 'configmaps' ? status(500, 'InternalError', 'no disk') : undefined);
  await harness.api.delete(namespaces, undefined, 'team');
  await settle(30);
  const failure = current(harness)!.status!.conditions!.find(({ type }) => type === 'NamespaceDeletionContentFailure')!;
  assert.deepEqual(
    [failure.status, failure.reason, failure.message],
    ['True', 'ContentDeletionFailed', 'Failed to delete all resource types, 1 remaining: no disk'],
  );
  harness.api.fail = () => undefined;
  await harness.clock.advance(60_000);
  assert.equal(current(harness), undefined);
  await harness.stop();
});
