import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Node, Pod, PodSpec } from '../../types/kubernetes/generated/core-v1.ts';
import { ClassPlanner } from './class-plan.ts';
import { explain, explainPreemption } from './explain.ts';
import type { SchedulingContext } from './filter.ts';
import { podInfo } from './model.ts';
import { plan } from './plan.ts';
import { preempt } from './preempt.ts';
import { Scheduler, type SchedulerActions } from './scheduler.ts';
import { Snapshot } from './snapshot.ts';

const node = (
  name: string,
  extra: {
    labels?: Record<string, string>;
    taints?: { key: string; value?: string; effect: string }[];
    cpu?: string;
    memory?: string;
    pods?: string;
    unschedulable?: boolean;
  } = {},
): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...extra.labels } },
  spec: { taints: extra.taints ?? [], ...(extra.unschedulable && { unschedulable: true }) },
  status: { allocatable: { cpu: extra.cpu ?? '2', memory: extra.memory ?? '4Gi', pods: extra.pods ?? '110' } },
});

const pod = (name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}, cpu = '100m'): Pod => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}`, labels },
  spec: { containers: [{ name: 'c', image: 'busybox', resources: { requests: { cpu, memory: '64Mi' } } }], ...spec },
});

function context(nodes: readonly Node[], placed: readonly (readonly [Pod, string])[] = []): SchedulingContext {
  const snapshot = new Snapshot();
  for (const each of nodes) snapshot.setNode(each);
  for (const [each, where] of placed) snapshot.place(podInfo(each), where);
  return {
    snapshot,
    volumes: { claim: (_, name) => (name === 'there' ? { state: 'bound', affinity: undefined } : { state: 'missing' }) },
    namespaceLabels: () => ({}),
  };
}

function refusals(result: ReturnType<typeof plan>): Record<string, string> {
  assert.equal(result.node, undefined);
  return Object.fromEntries([...result.refusals].map(([name, { reasons }]) => [name, reasons.join('; ')]));
}

test('every filter says why it said no', () => {
  const nodes = [
    node('full', { cpu: '50m' }), node('cordoned', { unschedulable: true }), node('tainted', { taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] }),
    node('unlabelled'), node('crowded', { pods: '0', labels: { disk: 'ssd' } }),
  ];
  nodes[0] = node('full', { cpu: '50m', labels: { disk: 'ssd' } });
  assert.deepEqual(refusals(plan(podInfo(pod('p', { nodeSelector: { disk: 'ssd' } })), context(nodes))), {
    full: 'Insufficient cpu',
    cordoned: 'node(s) were unschedulable',
    tainted: 'node(s) had untolerated taint(s)',
    unlabelled: "node(s) didn't match Pod's node affinity/selector",
    crowded: 'Too many pods',
  });
});

test('a refusal tells on which taint it stands, for whoever asks why', () => {
  const result = plan(podInfo(pod('p')), context([node('n', { taints: [{ key: 'gpu', value: 'only', effect: 'NoSchedule' }] })]));
  assert.equal(result.node === undefined && result.refusals.get('n')?.detail, 'taint gpu=only:NoSchedule is not tolerated');
});

test('tolerations, affinity and spreading lead to the one node that is left', () => {
  const nodes = [
    node('a', { labels: { zone: '1' } }),
    node('b', { labels: { zone: '2' } }),
    node('c', { labels: { zone: '2' }, taints: [{ key: 'k', effect: 'NoSchedule' }] }),
  ];
  const anti = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  };
  const placed = [
    [pod('x1', {}, { app: 'x' }), 'a'],
    [pod('x2', {}, { app: 'x' }), 'b'],
  ] as const;
  assert.equal(
    plan(podInfo(pod('p', { affinity: anti, tolerations: [{ key: 'k', operator: 'Exists' }] })), context(nodes, placed)).node,
    'c',
  );
  const spread = [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'x' } } }];
  assert.equal(plan(podInfo(pod('p', { topologySpreadConstraints: spread }, { app: 'x' })), context(nodes, [[pod('x1', {}, { app: 'x' }), 'a']])).node, 'b');
});

test('anti-affinity of a placed pod keeps others out, and the first pod of a group may want itself', () => {
  const anti = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'y' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  };
  const result = plan(podInfo(pod('y', {}, { app: 'y' })), context([node('a')], [[pod('x', { affinity: anti }), 'a']]));
  assert.deepEqual(refusals(result), { a: "node(s) didn't satisfy existing pods anti-affinity rules" });
  const self = {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'z' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  };
  assert.equal(plan(podInfo(pod('z', { affinity: self }, { app: 'z' })), context([node('a')])).node, 'a');
});

test('planning is pure: the same question has the same answer, and changes nothing', () => {
  const ctx = context([node('a'), node('b'), node('c')], [[pod('p0'), 'b']]);
  const first = plan(podInfo(pod('p')), ctx);
  for (let n = 0; n < 10; n++) assert.deepEqual(plan(podInfo(pod('p')), ctx), first);
  assert.equal(ctx.snapshot.placed('default/p'), undefined);
});

test('many alike pods are spread evenly, and each place is one that every filter allows', () => {
  const nodes = Array.from({ length: 10 }, (_, n) => node(`n${n}`, n === 3 ? { taints: [{ key: 'no', effect: 'NoSchedule' }] } : {}));
  const ctx = context(nodes);
  const planner = new ClassPlanner(ctx);
  const counts = new Map<string, number>();
  for (let n = 0; n < 90; n++) {
    const info = podInfo({
      ...pod(`p${n}`),
      metadata: {
        ...pod(`p${n}`).metadata,
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'rs', controller: true }],
      },
    });
    const result = planner.plan(info);
    assert.ok(result.node !== undefined);
    assert.equal(plan(info, ctx).node !== undefined, true);
    counts.set(result.node, (counts.get(result.node) ?? 0) + 1);
    ctx.snapshot.place(info, result.node);
  }
  assert.equal(counts.has('n3'), false);
  assert.deepEqual([...counts.values()], Array(9).fill(10));
});

test('a class sees what changed on a node since it looked', () => {
  const ctx = context([node('a', { cpu: '150m' }), node('b', { cpu: '150m' })]);
  const planner = new ClassPlanner(ctx);
  for (const name of ['p1', 'p2']) {
    const info = podInfo(pod(name));
    ctx.snapshot.place(info, planner.plan(info).node!);
  }
  assert.deepEqual(refusals(planner.plan(podInfo(pod('p3')))), { a: 'Insufficient cpu', b: 'Insufficient cpu' });
  ctx.snapshot.unplace('default/p1');
  assert.ok(planner.plan(podInfo(pod('p3'))).node);
});

test('the message counts reasons as kubectl users know them', () => {
  const result = plan(podInfo(pod('p', {}, {}, '10')), context([node('a'), node('b'), node('c', { unschedulable: true })]));
  assert.ok(result.node === undefined);
  assert.equal(
    explain(result.refusals, explainPreemption(result.refusals)),
    '0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
  );
});

test('preemption takes the least important, and no more than it must', () => {
  const low = (name: string, priority: number): Pod => pod(name, { priority }, {}, '900m');
  const ctx = context([node('a'), node('b')], [[low('a1', 10), 'a'], [low('a2', 20), 'a'], [low('b1', 5), 'b'], [low('b2', 10), 'b']]);
  const important = podInfo(pod('p', { priority: 100 }, {}, '1'));
  const result = plan(important, ctx);
  assert.ok(result.node === undefined);
  const found = preempt(important, ctx, result.refusals)!;
  assert.equal(found.node, 'b');
  assert.deepEqual(found.victims.map(({ key }) => key), ['default/b1']);
  assert.equal(ctx.snapshot.placed('default/b1')?.node, 'b');
});

class Recorder implements SchedulerActions {
  readonly bound = new Map<string, string>();
  readonly messages: string[] = [];
  readonly told: (() => void)[] = [];
  bind(each: Pod, where: string): Promise<void> {
    this.bound.set(each.metadata!.name!, where);
    this.told.shift()?.();
    return Promise.resolve();
  }
  markUnschedulable(_: Pod, message: string): Promise<void> {
    this.messages.push(message);
    this.told.shift()?.();
    return Promise.resolve();
  }
  evict(): Promise<void> { return Promise.resolve(); }
  event(): void {}
  next(): Promise<void> { return new Promise((resolve) => this.told.push(resolve)); }
}

test('a pending pod is told why once, and bound when a node comes', async () => {
  const actions = new Recorder();
  const { volumes, namespaceLabels } = context([]);
  const scheduler = new Scheduler({
    clock: { ...systemClock, after: (_, fn) => systemClock.after(1, fn) },
    logger: silentLogger,
    actions,
    context: { volumes, namespaceLabels },
  });
  let turn = actions.next();
  scheduler.podChanged(pod('p'));
  await turn;
  assert.deepEqual(actions.messages, ['no nodes available to schedule pods']);
  // Our own status update comes back through the watch and must not start a new round.
  scheduler.podChanged({ ...pod('p'), status: { phase: 'Pending' } });
  assert.equal(scheduler.queueSizes.active, 0);
  turn = actions.next();
  scheduler.nodeChanged(node('a'));
  await turn;
  assert.equal(actions.bound.get('p'), 'a');
  scheduler.close();
});

test('gated pods, pods of other schedulers and pods that are being deleted are left alone', async () => {
  const actions = new Recorder();
  const { volumes, namespaceLabels } = context([]);
  const scheduler = new Scheduler({ clock: systemClock, logger: silentLogger, actions, context: { volumes, namespaceLabels } });
  scheduler.nodeChanged(node('a'));
  scheduler.podChanged(pod('gated', { schedulingGates: [{ name: 'g' }] }));
  scheduler.podChanged(pod('other', { schedulerName: 'mine' }));
  scheduler.podChanged({ ...pod('dying'), metadata: { ...pod('dying').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
  const turn = actions.next();
  scheduler.podChanged(pod('normal'));
  await turn;
  assert.deepEqual([...actions.bound.keys()], ['normal']);
  scheduler.podChanged(pod('gated'));
  await actions.next();
  assert.equal(actions.bound.get('gated'), 'a');
  scheduler.close();
});
