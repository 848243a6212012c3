import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { leases, nodes, pods } from '../../../client/resources.ts';
import { rfc3339, rfc3339Micro } from '../../../lib/clock.ts';
import type { Lease } from '../../../types/kubernetes/generated/coordination-v1.ts';
import type { Node, Pod, Toleration } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { isReady } from '../shared/pods.ts';
import { CidrParts } from './cidr.ts';
import { createNodeIpamController } from './ipam.ts';
import { NodeLifecycleController } from './lifecycle-controller.ts';
import { PodGarbageCollector } from './pod-gc.ts';
import { TaintEvictionController } from './taint-eviction.ts';
import { toleratedForMs } from './taints.ts';

const lifecycle = (context: ControllerContext) => new NodeLifecycleController(context);
const eviction = (context: ControllerContext) => new TaintEvictionController(context);
const podGc = (context: ControllerContext) => new PodGarbageCollector(context);

const nodeOf = (harness: Harness, name: string): Node => harness.api.all<Node>(nodes).find((node) => node.metadata!.name === name)!;
const taints = (harness: Harness, name: string): string[] =>
  (nodeOf(harness, name).spec!.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).toSorted();
const ready = (harness: Harness, name: string): string =>
  nodeOf(harness, name)
    .status!.conditions!.filter(({ type }) => type === 'Ready')
    .map(({ status, reason, message }) => `${status} ${reason}${message ? `: ${message}` : ''}`)
    .join();
const gone = (seconds: number): Toleration[] =>
  ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: seconds,
  }));

async function addLease(harness: Harness, name: string): Promise<void> {
  await harness.api.create<Lease>(leases, 'kube-node-lease', { metadata: { name }, spec: { renewTime: rfc3339Micro(harness.clock.now()) } });
}

/** Time passes, and the nodes named renew their leases. */
async function pass(harness: Harness, ms: number, ...alive: string[]): Promise<void> {
  for (let at = 0; at < ms; at += 10_000) {
    for (const name of alive) {
      harness.api.edit<Lease>(leases, 'kube-node-lease', name, (lease) => (lease.spec!.renewTime = rfc3339Micro(harness.clock.now())));
    }
    await harness.clock.advance(Math.min(10_000, ms - at));
  }
}

async function addPod(harness: Harness, name: string, node: string, tolerations: Toleration[] = gone(300)): Promise<void> {
  await harness.api.create<Pod>(pods, 'default', { metadata: { name }, spec: { nodeName: node, tolerations, containers: [] } });
  harness.run(harness.pods().find((pod) => pod.metadata!.name === name)!);
}

test('a node that falls silent becomes Unknown, is tainted, and loses its pods after their toleration; one that renews does not', async () => {
  const harness = new Harness();
  await harness.start(lifecycle, eviction);
  for (const name of ['a', 'b']) {
    await harness.addNode(name);
    await addLease(harness, name);
  }
  await addPod(harness, 'on-a', 'a');
  await addPod(harness, 'on-b', 'b');
  await addPod(harness, 'daemon', 'b', [{ operator: 'Exists' }]);
  await pass(harness, 120_000, 'a', 'b');
  assert.equal(ready(harness, 'b'), 'True KubeletReady');
  assert.deepEqual(taints(harness, 'b'), []);
  await pass(harness, 30_000, 'a');
  assert.equal(ready(harness, 'b'), 'True KubeletReady');
  await pass(harness, 20_000, 'a');
  assert.equal(ready(harness, 'b'), 'Unknown NodeStatusUnknown: Kubelet stopped posting node status.');
  assert.deepEqual(taints(harness, 'b'), ['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule']);
  assert.deepEqual(
    nodeOf(harness, 'b')
      .status!.conditions!.filter(({ type }) => type === 'DiskPressure')
      .map(({ status, reason }) => [status, reason]),
    [['Unknown', 'NodeStatusNeverUpdated']],
  );
  assert.ok(harness.events.includes('Node/b Normal NodeNotReady Node b status is now: NodeNotReady'));
  assert.ok(harness.events.includes('Pod/on-b Warning NodeNotReady Node is not ready'));
  assert.deepEqual(harness.pods().map((pod) => `${pod.metadata!.name} ${isReady(pod)}`), ['on-a true', 'on-b false', 'daemon false']);
  await pass(harness, 270_000, 'a');
  assert.equal(harness.pods().length, 3);
  await pass(harness, 40_000, 'a');
  assert.deepEqual(harness.pods().map((pod) => pod.metadata!.name), ['on-a', 'daemon']);
  assert.ok(harness.events.includes('Pod/on-b Normal TaintManagerEviction Marking for deletion Pod default/on-b'));
  assert.equal(ready(harness, 'a'), 'True KubeletReady');
  await harness.stop();
});

test('a node that comes back in time keeps its pods', async () => {
  const harness = new Harness();
  await harness.start(lifecycle, eviction);
  for (const name of ['a', 'b']) {
    await harness.addNode(name);
    await addLease(harness, name);
  }
  await addPod(harness, 'on-b', 'b');
  await pass(harness, 100_000, 'a');
  assert.equal(taints(harness, 'b').length, 2);
  const now = rfc3339(harness.clock.now());
  harness.api.edit<Node>(
    nodes,
    undefined,
    'b',
    (node) =>
      (node.status!.conditions![0] = {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      }),
  );
  await pass(harness, 400_000, 'a', 'b');
  assert.deepEqual(taints(harness, 'b'), []);
  assert.equal(harness.pods().length, 1);
  assert.ok(harness.events.includes('Pod/on-b Normal TaintManagerEviction Cancelling deletion of Pod default/on-b'));
  await harness.stop();
});

test('when every node is silent it is we who are cut off: nothing is evicted', async () => {
  const harness = new Harness();
  await harness.start(lifecycle, eviction);
  for (const name of ['a', 'b']) {
    await harness.addNode(name);
    await addLease(harness, name);
    await addPod(harness, `on-${name}`, name);
  }
  await pass(harness, 1_000_000);
  assert.equal(harness.pods().length, 2);
  assert.deepEqual(taints(harness, 'a'), ['node.kubernetes.io/unreachable:NoSchedule']);
  await harness.stop();
});

test('nodes are emptied one at a time', async () => {
  const harness = new Harness();
  await harness.start(lifecycle);
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await harness.addNode(name);
    await addLease(harness, name);
  }
  const emptied = (): number =>
    harness.api.all<Node>(nodes).filter(({ spec }) => spec!.taints?.some(({ effect }) => effect === 'NoExecute')).length;
  for (const [at, name] of ['d', 'e'].entries()) {
    harness.api.edit<Node>(nodes, undefined, name, (node) => (node.status!.conditions![0]!.status = at === 0 ? 'False' : 'Unknown'));
  }
  await settle(20);
  assert.equal(emptied(), 1);
  await pass(harness, 10_000, 'a', 'b', 'c');
  assert.equal(emptied(), 2);
  await harness.stop();
});

test('taints follow conditions and cordons, and leave those of others alone', async () => {
  const harness = new Harness();
  await harness.start(lifecycle);
  await harness.addNode('a', (node) => ({ ...node, spec: { taints: [{ key: 'mine', effect: 'NoSchedule' }] } }));
  await addLease(harness, 'a');
  await harness.addNode('other');
  await settle();
  harness.api.edit<Node>(nodes, undefined, 'a', (node) => {
    node.spec!.unschedulable = true;
    node.status!.conditions!.push({ type: 'DiskPressure', status: 'True' });
  });
  await settle(20);
  assert.deepEqual(taints(harness, 'a'), ['mine:NoSchedule', 'node.kubernetes.io/disk-pressure:NoSchedule', 'node.kubernetes.io/unschedulable:NoSchedule']);
  harness.api.edit<Node>(nodes, undefined, 'a', (node) => {
    delete node.spec!.unschedulable;
    node.status!.conditions!.pop();
  });
  await settle(20);
  assert.deepEqual(taints(harness, 'a'), ['mine:NoSchedule']);
  await harness.stop();
});

test('tolerations: the shortest that applies counts', () => {
  const unreachable = { key: 'u', effect: 'NoExecute' };
  assert.equal(toleratedForMs([], undefined), Number.POSITIVE_INFINITY);
  assert.equal(toleratedForMs([unreachable], undefined), 0);
  assert.equal(toleratedForMs([unreachable], [{ key: 'other', operator: 'Exists' }]), 0);
  assert.equal(toleratedForMs([unreachable], [{ operator: 'Exists' }]), Number.POSITIVE_INFINITY);
  assert.equal(toleratedForMs([unreachable], [{ key: 'u', operator: 'Exists', effect: 'NoSchedule' }]), 0);
  assert.equal(toleratedForMs([unreachable], [{ key: 'u', value: 'x' }]), 0);
  assert.equal(toleratedForMs([{ ...unreachable, value: 'x' }], [{ key: 'u', operator: 'Equal', value: 'x', tolerationSeconds: -5 }]), 0);
  assert.equal(
    toleratedForMs(
      [unreachable, { key: 'v', effect: 'NoExecute' }],
      [
        { key: 'u', operator: 'Exists', tolerationSeconds: 60 },
        { key: 'v', operator: 'Exists', tolerationSeconds: 30 },
      ],
    ),
    30_000,
  );
});

test('pods of a node that is gone, deleted pods without a node, and too many finished ones are collected', async () => {
  const harness = new Harness({ options: { terminatedPodThreshold: 2 }, graceful: true });
  await harness.addNode('a');
  await harness.start(podGc);
  await addPod(harness, 'on-a', 'a');
  await addPod(harness, 'lost', 'nowhere');
  await harness.api.create<Pod>(pods, 'default', { metadata: { name: 'held', finalizers: ['x/y'] }, spec: { containers: [] } });
  await harness.clock.advance(30_000);
  assert.equal(harness.pods().length, 3);
  await harness.clock.advance(15_000);
  assert.deepEqual(harness.pods().map((pod) => pod.metadata!.name), ['on-a', 'held']);
  await harness.api.delete(nodes, undefined, 'a');
  await harness.clock.advance(45_000);
  assert.deepEqual(
    harness.pods().map((pod) => pod.metadata!.name),
    ['held'],
  );
  assert.equal(
    harness.api.calls.filter((call) => call === 'patch pods/status default/on-a').length,
    1,
    'it is failed first, so that its owner sees what became of it',
  );
  await harness.addNode('b');
  for (const n of [1, 2, 3, 4]) {
    await harness.clock.advance(1000);
    await addPod(harness, `done-${n}`, 'b');
    harness.finish(harness.pods().find((pod) => pod.metadata!.name === `done-${n}`)!, 'Succeeded');
  }
  await settle(20);
  assert.deepEqual(harness.pods().map((pod) => pod.metadata!.name), ['held', 'done-3', 'done-4']);
  await harness.stop();
});

test('nodes get parts of the range, keep them, and pass them on', async () => {
  const harness = new Harness({ options: { clusterCidr: '10.244.0.0/22' } });
  await harness.addNode('first', (node) => ({ ...node, spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] } }));
  await harness.start(createNodeIpamController);
  for (const name of ['a', 'b', 'c', 'd']) await harness.addNode(name);
  await settle(20);
  const parts = (): (string | undefined)[] => harness.api.all<Node>(nodes).map(({ spec }) => spec?.podCIDR);
  assert.deepEqual(parts(), ['10.244.1.0/24', '10.244.0.0/24', '10.244.2.0/24', '10.244.3.0/24', undefined]);
  assert.ok(harness.events.includes('Node/d Normal CIDRNotAvailable Node d status is now: CIDRNotAvailable'));
  await harness.api.delete(nodes, undefined, 'b');
  await settle(20);
  assert.deepEqual(parts(), ['10.244.1.0/24', '10.244.0.0/24', '10.244.3.0/24', '10.244.2.0/24']);
  await harness.stop();
});

test('a range that cannot be divided is refused', () => {
  for (const [cidr, size] of [
    ['10.0.0.0', 24],
    ['10.0.0.0/33', 24],
    ['10.0.0.300/16', 24],
    ['10.0.0.0/25', 24],
    ['10.0.0.0/4', 24],
    ['fd00::/64', 80],
  ] as const) {
    assert.throws(() => new CidrParts(cidr, size), { code: 'invalid' }, cidr);
  }
  const parts = new CidrParts('192.168.7.9/16', 24);
  assert.equal(parts.take('10.0.0.0/24'), false);
  assert.equal(parts.allocate(), '192.168.0.0/24');
});
