import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../../client/resources.ts';
import type { ControllerRevision, DaemonSet, DaemonSetSpec } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Node, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { isReady } from '../shared/pods.ts';
import { DaemonSetController } from './controller.ts';
import { targetNode } from './placement.ts';

const create = (context: ControllerContext) => new DaemonSetController(context);
const daemonSet = (spec: Partial<DaemonSetSpec> = {}): DaemonSet => ({
  metadata: { name: 'log', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'log' } },
    revisionHistoryLimit: 2,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    template: { metadata: { labels: { app: 'log' } }, spec: { containers: [{ name: 'c', image: 'log:1' }] } },
    ...spec,
  },
});
const current = (harness: Harness): DaemonSet => harness.api.all<DaemonSet>(daemonSets)[0]!;
const placed = (harness: Harness): string[] =>
  harness
    .activePods()
    .map((pod) => targetNode(pod)!)
    .toSorted();
const setImage = (harness: Harness, image: string): void =>
  harness.api.edit<DaemonSet>(daemonSets, 'default', 'log', (set) => (set.spec!.template.spec!.containers[0]!.image = image));

/** The scheduler places each pod where it was made for, and it runs. */
async function runAll(harness: Harness): Promise<void> {
  for (let round = 0; round < 40; round++) {
    await settle();
    const waiting = harness.activePods().filter((pod) => !isReady(pod));
    const leaving = harness.pods().filter((pod) => pod.metadata!.deletionTimestamp !== undefined);
    if (waiting.length + leaving.length === 0) return;
    for (const pod of waiting) harness.run(pod, { node: targetNode(pod)! });
    for (const pod of leaving) harness.api.remove(pods, 'default', pod.metadata!.name!);
  }
}

test('one pod on each node that suits, pinned there, tolerating what befalls nodes', async () => {
  const harness = new Harness();
  await harness.start(create);
  for (const name of ['a', 'b']) await harness.addNode(name);
  await harness.addNode('tainted', (node) => ({ ...node, spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }));
  await harness.addNode('cordoned', (node) => ({
    ...node,
    spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
  }));
  await harness.api.create(daemonSets, 'default', daemonSet());
  await runAll(harness);
  assert.deepEqual(placed(harness), ['a', 'b', 'cordoned']);
  const pod = harness.pods()[0]!;
  const [revision] = harness.api.all<ControllerRevision>(controllerRevisions);
  const text = JSON.stringify(revision!.data);
  assert.match(text, /^\{"spec":\{"template":\{"\$patch":"replace","metadata":/, 'keys stand in order: kubectl compares bytes');
  assert.equal(pod.metadata!.labels!['controller-revision-hash'], revision!.metadata!.labels!['controller-revision-hash']);
  assert.deepEqual(
    pod.spec!.tolerations!.map(({ key, effect }) => `${key?.split('/')[1]}:${effect}`),
    [
      'not-ready:NoExecute',
      'unreachable:NoExecute',
      'disk-pressure:NoSchedule',
      'memory-pressure:NoSchedule',
      'pid-pressure:NoSchedule',
      'unschedulable:NoSchedule',
    ],
  );
  assert.deepEqual(pod.spec!.affinity!.nodeAffinity!.requiredDuringSchedulingIgnoredDuringExecution!.nodeSelectorTerms, [
    { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] },
  ]);
  assert.deepEqual(current(harness).status, {
    currentNumberScheduled: 3,
    numberMisscheduled: 0,
    desiredNumberScheduled: 3,
    numberReady: 3,
    observedGeneration: 1,
    updatedNumberScheduled: 3,
    numberAvailable: 3,
  });
  await harness.addNode('c');
  await harness.api.delete(nodes, undefined, 'b');
  harness.api.edit<Node>(nodes, undefined, 'a', (node) => (node.spec!.taints = [{ key: 'x', effect: 'NoSchedule' }]));
  await runAll(harness);
  assert.deepEqual(
    placed(harness),
    ['a', 'b', 'c', 'cordoned'],
    'pods stay where they only could not be placed now; that of a node that is gone is the pod collector’s',
  );
  assert.equal(current(harness).status!.numberMisscheduled, 1);
  harness.api.edit<Node>(nodes, undefined, 'a', (node) => (node.spec!.taints = [{ key: 'x', effect: 'NoExecute' }]));
  await runAll(harness);
  assert.ok(!placed(harness).includes('a'));
  await harness.stop();
});

test('node selectors and affinity are heeded', async () => {
  const harness = new Harness();
  await harness.start(create);
  await harness.addNode('ssd', (node) => ({ ...node, metadata: { ...node.metadata, labels: { disk: 'ssd', size: '9' } } }));
  await harness.addNode('hdd', (node) => ({ ...node, metadata: { ...node.metadata, labels: { disk: 'hdd', size: '9' } } }));
  await harness.addNode('small', (node) => ({ ...node, metadata: { ...node.metadata, labels: { disk: 'ssd', size: '1' } } }));
  const { template } = daemonSet().spec!;
  await harness.api.create(
    daemonSets,
    'default',
    daemonSet({
      template: {
        ...template,
        spec: {
          ...template.spec!,
          nodeSelector: { disk: 'ssd' },
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'size', operator: 'Gt', values: ['5'] }] }],
              },
            },
          },
        },
      },
    }),
  );
  await runAll(harness);
  assert.deepEqual(placed(harness), ['ssd']);
  harness.api.edit<Node>(nodes, undefined, 'small', (node) => (node.metadata!.labels!['size'] = '7'));
  await runAll(harness);
  assert.deepEqual(placed(harness), ['small', 'ssd']);
  await harness.stop();
});

test('an update replaces pods as availability allows, keeps history, and can go back', async () => {
  const harness = new Harness();
  await harness.start(create);
  for (const name of ['a', 'b', 'c', 'd']) await harness.addNode(name);
  await harness.api.create(daemonSets, 'default', daemonSet());
  await runAll(harness);
  for (const image of ['log:2', 'log:3', 'log:4', 'log:5']) {
    setImage(harness, image);
    await settle(20);
    assert.equal(harness.activePods().filter(isReady).length, 3, 'one at a time');
    await runAll(harness);
    assert.ok(harness.activePods().every((pod) => pod.spec!.containers[0]!.image === image));
  }
  const revisions = (): number[] => harness.api.all<ControllerRevision>(controllerRevisions).map(({ revision }) => revision).toSorted((a, b) => a - b);
  assert.deepEqual(revisions(), [3, 4, 5]);
  setImage(harness, 'log:3');
  await runAll(harness);
  assert.deepEqual(revisions(), [4, 5, 6]);
  assert.equal(current(harness).status!.updatedNumberScheduled, 4);
  await harness.stop();
});

test('with a surge the new pod serves before the old one goes', async () => {
  const harness = new Harness();
  await harness.start(create);
  for (const name of ['a', 'b', 'c']) await harness.addNode(name);
  await harness.api.create(daemonSets, 'default', daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }));
  await runAll(harness);
  setImage(harness, 'log:2');
  await settle(20);
  assert.equal(harness.activePods().length, 4);
  for (let round = 0; round < 20; round++) {
    const [waiting] = harness.activePods().filter((pod) => !isReady(pod));
    if (waiting) harness.run(waiting, { node: targetNode(waiting)! });
    await settle(20);
    assert.ok(harness.activePods().length <= 4);
    assert.ok(harness.activePods().filter(isReady).length >= 3);
  }
  assert.deepEqual(harness.activePods().map((pod) => pod.spec!.containers[0]!.image), ['log:2', 'log:2', 'log:2']);
  await harness.stop();
});

test('OnDelete updates what is deleted; failed pods are replaced, ever more slowly', async () => {
  const harness = new Harness();
  await harness.start(create);
  await harness.addNode('a');
  await harness.addNode('b');
  await harness.api.create(daemonSets, 'default', daemonSet({ updateStrategy: { type: 'OnDelete' } }));
  await runAll(harness);
  setImage(harness, 'log:2');
  await runAll(harness);
  assert.deepEqual(harness.activePods().map((pod) => pod.spec!.containers[0]!.image), ['log:1', 'log:1']);
  await harness.api.delete(pods, 'default', harness.pods()[0]!.metadata!.name!);
  await runAll(harness);
  assert.deepEqual(new Set(harness.activePods().map((pod) => pod.spec!.containers[0]!.image)), new Set(['log:1', 'log:2']));
  const waits: number[] = [];
  for (let n = 0; n < 4; n++) {
    const pod = harness.activePods().find((candidate) => targetNode(candidate) === 'a')!;
    harness.finish(pod, 'Failed');
    const start = harness.clock.now();
    await settle(20);
    while (harness.api.all<Pod>(pods).some((present) => present.metadata!.uid === pod.metadata!.uid)) await harness.clock.advance(500);
    waits.push(harness.clock.now() - start);
    await runAll(harness);
  }
  assert.deepEqual(waits, [0, 1000, 2000, 4000]);
  assert.ok(
    harness.events.some((event) =>
      /^DaemonSet\/log Warning FailedDaemonPod Found failed daemon pod default\/log-\w+ on node a, will try to kill it$/.test(event),
    ),
  );
  await harness.stop();
});
