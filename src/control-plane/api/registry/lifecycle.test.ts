import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { isReason, StatusError } from '../../../types/kubernetes/status.ts';
import { configMap, configMaps, context, namespaces, pod, pods, record, resource } from './fixtures.test-helper.ts';
import { realFixture } from './real.test-helper.ts';

const deployments = resource('apps', 'deployments');
const jobs = resource('batch', 'jobs');

type Loose = KubeObject & { readonly spec: Record<string, unknown>; readonly status: Record<string, unknown>; readonly data: Record<string, string> };

function deployment(name: string, replicas = 1): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
    status: { replicas: 99 },
  } as KubeObject;
}

test('generateName draws names until one is free', async () => {
  const { registry } = await realFixture();
  const made = await Promise.all([1, 2, 3].map(() => registry.create(context(), configMaps, 'default', { metadata: { generateName: 'job-' } }, {})));
  const names = made.map(({ stored }) => stored.object.metadata!.name!);
  assert.equal(new Set(names).size, 3);
  for (const name of names) assert.match(name, /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  await assert.rejects(registry.create(context(), configMaps, 'default', { metadata: {} }, {}), /name or generateName is required/);
});

test('dry run answers and leaves nothing', async () => {
  const { registry } = await realFixture();
  const before = registry.revision;
  const { stored, created } = await registry.create(context(), configMaps, 'default', configMap('a', { x: '1' }), { dryRun: true });
  assert.equal(created, true);
  assert.equal(stored.object.metadata!.resourceVersion, undefined);
  assert.ok(stored.object.metadata!.uid);
  assert.equal(registry.revision, before);
  await registry.create(context(), configMaps, 'default', configMap('a', { x: '1' }), {});
  const patched = await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { x: '2' } } }, { dryRun: true });
  assert.equal((patched.stored.object as Loose).data.x, '2');
  assert.equal((await registry.delete(context(), configMaps, 'default', 'a', { dryRun: true })).gone, true);
  assert.equal(((await registry.get(context(), configMaps, 'default', 'a')).object as Loose).data.x, '1');
});

test('generation counts changes of the spec, and the status has a door of its own', async () => {
  const { registry } = await realFixture();
  const made = (await registry.create(context(), deployments, 'default', deployment('d'), { fieldManager: 'm' })).stored.object as Loose;
  assert.equal(made.metadata!.generation, 1);
  assert.deepEqual(made.status, {});
  const labelled = await registry.patch(context(), deployments, 'default', 'd', { type: 'merge', body: { metadata: { labels: { a: 'b' } } } }, {});
  assert.equal(labelled.stored.object.metadata!.generation, 1);
  const scaled = await registry.patch(context(), deployments, 'default', 'd', { type: 'merge', body: { spec: { replicas: 2 }, status: { replicas: 7 } } }, {});
  assert.equal(scaled.stored.object.metadata!.generation, 2);
  assert.deepEqual((scaled.stored.object as Loose).status, {});
  const status = await registry.patch(
    context(),
    deployments,
    'default',
    'd',
    { type: 'merge', body: { spec: { replicas: 9 }, status: { replicas: 2, observedGeneration: 2 } } },
    { subresource: 'status' },
  );
  assert.equal(status.stored.object.metadata!.generation, 2);
  assert.equal((status.stored.object as Loose).spec.replicas, 2);
  assert.deepEqual((status.stored.object as Loose).status, { observedGeneration: 2, replicas: 2 });
});

test('scale reads and writes replicas of whatever kind', async () => {
  const { registry } = await realFixture();
  await registry.create(context(), deployments, 'default', deployment('d', 3), {});
  const scale = (await registry.get(context(), deployments, 'default', 'd', { subresource: 'scale' })).object as Loose;
  assert.equal(scale.kind, 'Scale');
  assert.deepEqual(scale.spec, { replicas: 3 });
  assert.deepEqual(scale.status, { replicas: 0, selector: 'app=d' });
  const changed = await registry.update(context(), deployments, 'default', 'd', { ...scale, spec: { replicas: 5 } }, { subresource: 'scale' });
  assert.deepEqual((changed.stored.object as Loose).spec, { replicas: 5 });
  await assert.rejects(
    registry.update(context(), deployments, 'default', 'd', { ...scale, spec: { replicas: 6 } }, { subresource: 'scale' }),
    /the object has been modified/,
  );
  await registry.patch(
    context(),
    deployments,
    'default',
    'd',
    { type: 'merge', body: { spec: { replicas: 0 } } },
    { subresource: 'scale' },
  );
  const got = (await registry.get(context(), deployments, 'default', 'd')).object as Loose;
  assert.equal(got.spec.replicas, 0);
  assert.equal(got.metadata!.generation, 3);
  await assert.rejects(
    registry.patch(context(), deployments, 'default', 'd', { type: 'merge', body: { spec: { replicas: -1 } } }, { subresource: 'scale' }),
    /Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0/,
  );
});

test('finalizers hold an object; removing the last one ends it', async () => {
  const { registry } = await realFixture();
  await registry.create(context(), configMaps, 'default', { ...configMap('a'), metadata: { name: 'a', finalizers: ['example.com/hold'] } }, {});
  const watched = record(registry, configMaps, 'default');
  const marked = await registry.delete(context(), configMaps, 'default', 'a', {});
  assert.equal(marked.gone, false);
  assert.equal(marked.stored.object.metadata!.deletionGracePeriodSeconds, 0);
  const again = await registry.delete(context(), configMaps, 'default', 'a', {});
  assert.equal(again.stored.revision, marked.stored.revision);
  await assert.rejects(registry.create(context(), configMaps, 'default', configMap('a'), {}), /object is being deleted: configmaps "a" already exists/);
  await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { metadata: { finalizers: null } } }, {});
  await assert.rejects(async () => registry.get(context(), configMaps, 'default', 'a'), /not found/);
  assert.deepEqual(watched.events.map((event) => event.type), ['ADDED', 'MODIFIED', 'DELETED']);
});

test('propagation policies leave their finalizers', async () => {
  const { registry } = await realFixture();
  for (const [name, propagationPolicy, finalizers] of [['f', 'Foreground', ['foregroundDeletion']], ['o', 'Orphan', ['orphan']]] as const) {
    await registry.create(context(), deployments, 'default', deployment(name), {});
    const { stored, gone } = await registry.delete(context(), deployments, 'default', name, { propagationPolicy });
    assert.equal(gone, false);
    assert.deepEqual(stored.object.metadata!.finalizers, finalizers);
    assert.equal(stored.object.metadata!.generation, 2);
  }
  await registry.create(context(), deployments, 'default', deployment('b'), {});
  assert.equal((await registry.delete(context(), deployments, 'default', 'b', { propagationPolicy: 'Background' })).gone, true);
  await assert.rejects(registry.delete(context(), deployments, 'default', 'b', { propagationPolicy: 'Sideways' as 'Orphan' }), /Unsupported value: "Sideways"/);
});

test('a namespace goes in steps, and takes in nothing meanwhile', async () => {
  const { registry } = await realFixture();
  const made = (await registry.create(context(), namespaces, undefined, { metadata: { name: 'n' } }, {})).stored.object as Loose;
  assert.deepEqual(made.spec, { finalizers: ['kubernetes'] });
  assert.deepEqual(made.status, { phase: 'Active' });
  assert.equal(made.metadata!.labels!['kubernetes.io/metadata.name'], 'n');
  const { stored, gone } = await registry.delete(context(), namespaces, undefined, 'n', {});
  assert.equal(gone, false);
  assert.deepEqual((stored.object as Loose).status, { phase: 'Terminating' });
  await assert.rejects(registry.create(context(), configMaps, 'n', configMap('a'), {}), (error: Error) =>
    error instanceof StatusError && error.status.code === 403 && error.status.details?.causes?.[0]?.reason === 'NamespaceTerminating'
    && error.message === 'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated');
  assert.equal((await registry.delete(context(), namespaces, undefined, 'n', {})).stored.revision, stored.revision);
  await registry.update(context(), namespaces, undefined, 'n', { ...stored.object, spec: {} }, { subresource: 'finalize' });
  await assert.rejects(async () => registry.get(context(), namespaces, undefined, 'n'), /namespaces "n" not found/);
  await assert.rejects(
    registry.delete(context(), namespaces, undefined, 'default', {}),
    /namespaces "default" is forbidden: this namespace may not be deleted/,
  );
});

test('a priority class of the system stays', async () => {
  const { registry } = await realFixture();
  const classes = resource('scheduling.k8s.io', 'priorityclasses');
  for (const [name, value] of [
    ['system-node-critical', 2_000_001_000],
    ['mine', 1000],
  ] as const) {
    await registry.create(context(), classes, undefined, { metadata: { name }, value }, {});
  }
  await assert.rejects(
    registry.delete(context(), classes, undefined, 'system-node-critical', {}),
    /priorityclasses\.scheduling\.k8s\.io "system-node-critical" is forbidden: this is a system priority class and cannot be deleted/,
  );
  assert.equal((await registry.delete(context(), classes, undefined, 'mine', {})).gone, true);
});

test('a collection is deleted by selector', async () => {
  const { registry } = await realFixture();
  for (const [name, app] of [
    ['a', 'x'],
    ['b', 'x'],
    ['c', 'y'],
  ] as const) {
    await registry.create(context(), configMaps, 'default', configMap(name, {}, { app }), {});
  }
  const gone = await registry.deleteCollection(context(), configMaps, 'default', { labelSelector: 'app=x' }, {});
  assert.deepEqual(gone.map((item) => item.object.metadata!.name), ['a', 'b']);
  assert.equal((await registry.list(context(), configMaps, 'default', {})).items.length, 1);
});

test('binding a pod happens once', async () => {
  const { registry } = await realFixture();
  const { stored } = await registry.create(context(), pods, 'default', pod('p'), {});
  assert.deepEqual((stored.object as Loose).status, { phase: 'Pending', qosClass: 'BestEffort' });
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } };
  const bind = (body: object) => registry.create(context(), pods, 'default', body, { name: 'p', subresource: 'binding' });
  await assert.rejects(bind({ ...binding, target: {} }), /target.name: Required value/);
  await assert.rejects(bind({ ...binding, metadata: { name: 'p', uid: 'x' } }), /Precondition failed: UID in precondition: x/);
  const outcomes = await Promise.allSettled([bind(binding), bind({ ...binding, target: { name: 'n2' } })]);
  assert.equal(outcomes[0].status, 'fulfilled');
  assert.ok(
    outcomes[1].status === 'rejected' &&
      /Operation cannot be fulfilled on pods\/binding "p": pod p is already assigned to node "n1"/.test(String(outcomes[1].reason)),
  );
  const bound = (await registry.get(context(), pods, 'default', 'p')).object as Loose;
  assert.equal(bound.spec.nodeName, 'n1');
  assert.deepEqual((bound.status.conditions as { type: string; status: string }[]).map(({ type, status }) => [type, status]), [['PodScheduled', 'True']]);
  assert.equal(outcomes[0].value.stored.object.kind, 'Status');
});

test('an eviction charges the budget, and is refused when it is used up', async () => {
  const { registry } = await realFixture();
  const budgets = resource('policy', 'poddisruptionbudgets');
  await registry.create(
    context(),
    budgets,
    'default',
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'x' } } },
    },
    {},
  );
  await registry.patch(
    context(),
    budgets,
    'default',
    'b',
    {
      type: 'merge',
      body: { status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 } },
    },
    { subresource: 'status' },
  );
  for (const name of ['a', 'b']) {
    await registry.create(context(), pods, 'default', pod(name, { nodeName: 'n1', labels: { app: 'x' } }), {});
    await registry.patch(
      context(),
      pods,
      'default',
      name,
      { type: 'merge', body: { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } } },
      { subresource: 'status' },
    );
  }
  const evict = (name: string) =>
    registry.create(
      context(),
      pods,
      'default',
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } },
      { name, subresource: 'eviction' },
    );
  await evict('a');
  const evicted = (await registry.get(context(), pods, 'default', 'a')).object as Loose;
  assert.ok(evicted.metadata!.deletionTimestamp);
  assert.ok(
    (evicted.status.conditions as { type: string; reason?: string }[]).some(
      ({ type, reason }) => type === 'DisruptionTarget' && reason === 'EvictionByEvictionAPI',
    ),
  );
  const budget = (await registry.get(context(), budgets, 'default', 'b')).object as Loose;
  assert.equal(budget.status.disruptionsAllowed, 0);
  assert.deepEqual(Object.keys(budget.status.disruptedPods as object), ['a']);
  await registry.patch(context(), budgets, 'default', 'b', { type: 'merge', body: { status: { currentHealthy: 1 } } }, { subresource: 'status' });
  await assert.rejects(evict('b'), (error: Error) => error instanceof StatusError && error.status.code === 429
    && error.message === "Cannot evict pod as it would violate the pod's disruption budget."
    && error.status.details?.causes?.[0]?.message === 'The disruption budget b needs 1 healthy pods and has 1 currently');
  assert.equal((await registry.get(context(), pods, 'default', 'b')).object.metadata!.deletionTimestamp, undefined);
});

test('jobs are told apart by the uid that the server gave them', async () => {
  const { registry } = await realFixture();
  const { stored } = await registry.create(
    context(),
    jobs,
    'default',
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
    },
    {},
  );
  const { uid } = stored.object.metadata!;
  const { spec } = stored.object as Loose & { spec: { selector: { matchLabels: object }; template: { metadata: { labels: Record<string, string> } } } };
  assert.deepEqual(spec.selector.matchLabels, { 'batch.kubernetes.io/controller-uid': uid });
  assert.equal(spec.template.metadata.labels['job-name'], 'j');
});

test('server-side apply makes, changes, and meets another manager', async () => {
  const { registry } = await realFixture();
  const applied = (value: string): KubeObject =>
    ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: value } }) as KubeObject;
  const apply = (value: string, fieldManager: string, force = false) =>
    registry.patch(context(), configMaps, 'default', 'a', { type: 'apply', body: applied(value) }, { fieldManager, force });
  const made = await apply('1', 'one');
  assert.equal(made.created, true);
  assert.equal(made.stored.object.metadata!.managedFields?.[0]?.operation, 'Apply');
  const same = await apply('1', 'one');
  assert.equal(same.created, false);
  assert.equal(same.stored.revision, made.stored.revision);
  await assert.rejects(apply('2', 'two'), (error: Error) => isReason(error, 'Conflict') && /conflict with "one"/.test(error.message));
  const forced = await apply('2', 'two', true);
  assert.equal((forced.stored.object as Loose).data.k, '2');
  await assert.rejects(registry.patch(context(), configMaps, 'default', 'a', { type: 'apply', body: applied('3') }, {}), /fieldManager: Required value/);
});

test('unknown and duplicate fields: warned of, refused when strict, passed over when ignored', async () => {
  const { registry } = await realFixture();
  const body = { ...configMap('a'), extra: 1 };
  const warned = context();
  await registry.create(warned, configMaps, 'default', body, { dryRun: true, strictFaults: ['duplicate field "data.x"'] });
  assert.deepEqual(warned.warnings, ['duplicate field "data.x"', 'unknown field "extra"']);
  const ignored = context();
  await registry.create(ignored, configMaps, 'default', body, { dryRun: true, fieldValidation: 'Ignore' });
  assert.deepEqual(ignored.warnings, []);
  await assert.rejects(registry.create(context(), configMaps, 'default', body, { fieldValidation: 'Strict' }), (error: Error) => isReason(error, 'BadRequest')
    && error.message === 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "extra"');
});

test('events are forgotten an hour after they were last told of', async () => {
  const { registry, clock } = await realFixture();
  const events = resource('', 'events');
  const event = (name: string): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      reason: 'R',
      type: 'Normal',
      lastTimestamp: new Date(clock.now()).toISOString().slice(0, 19) + 'Z',
    }) as KubeObject;
  await registry.create(context(), events, 'default', event('old'), {});
  clock.advance(50 * 60_000);
  await registry.create(context(), events, 'default', event('new'), {});
  for (let minute = 0; minute < 12; minute++) {
    clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve)); // A sweep schedules the next one when it is done.
  }
  assert.deepEqual((await registry.list(context(), events, 'default', {})).items.map((item) => item.object.metadata!.name), ['new']);
});

test('events and autoscalers are one thing in two versions', async () => {
  const { registry } = await realFixture();
  const core = resource('', 'events');
  const events = resource('events.k8s.io', 'events');
  const watched = record(registry, events, 'default');
  await registry.create(
    context(),
    core,
    'default',
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      message: 'hello',
      type: 'Normal',
    },
    {},
  );
  const other = (await registry.get(context(), events, 'default', 'e')).object as Loose & { regarding: { name: string }; note: string };
  assert.deepEqual([other.apiVersion, other.regarding.name, other.note], ['events.k8s.io/v1', 'p', 'hello']);
  assert.equal(watched.events[0]!.stored.object.apiVersion, 'events.k8s.io/v1');
  assert.equal((await registry.list(context(), core, 'default', { fieldSelector: 'involvedObject.name=p' })).items.length, 1);

  const v1 = resource('autoscaling', 'horizontalpodautoscalers', 'v1');
  const v2 = resource('autoscaling', 'horizontalpodautoscalers', 'v2');
  await registry.create(
    context(),
    v1,
    'default',
    {
      apiVersion: 'autoscaling/v1',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'h' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
        maxReplicas: 3,
        targetCPUUtilizationPercentage: 50,
      },
    },
    {},
  );
  const newer = (await registry.get(context(), v2, 'default', 'h')).object as Loose;
  assert.deepEqual(newer.spec.metrics, [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }]);
  await registry.patch(context(), v2, 'default', 'h', { type: 'merge', body: { spec: { maxReplicas: 5 } } }, {});
  const older = (await registry.list(context(), v1, 'default', {})).items[0]!.object as Loose;
  assert.deepEqual([older.apiVersion, older.spec.maxReplicas, older.spec.targetCPUUtilizationPercentage], ['autoscaling/v1', 5, 50]);
});

test('a certificate signing request names who made it; approval is a door of its own', async () => {
  const { registry } = await realFixture();
  const csrs = resource('certificates.k8s.io', 'certificatesigningrequests');
  const body = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'c' },
    spec: { request: 'AAAA', signerName: 'example.com/x', usages: ['client auth'], username: 'mallory' },
  };
  const permissive = { ...(await import('../rules/rules.ts')).kubernetesRules, validate: () => [] };
  const other = await realFixture({ rules: permissive });
  await registry.close();
  const made = (await other.registry.create(context(), csrs, undefined, body, {})).stored.object as Loose;
  assert.equal(made.spec.username, 'alice');
  const approved = await other.registry.update(
    context(),
    csrs,
    undefined,
    'c',
    {
      ...made,
      spec: { ...made.spec, username: 'eve' },
      status: { conditions: [{ type: 'Approved', status: 'True' }], certificate: 'AAAA' },
    },
    { subresource: 'approval' },
  );
  const after = approved.stored.object as Loose;
  assert.equal(after.spec.username, 'alice');
  assert.equal(after.status.certificate, undefined);
  assert.equal((after.status.conditions as { type: string }[])[0]!.type, 'Approved');
});
