import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../client/transport.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { ContainerStatus, Event, Node, Pod, PodStatus } from '../types/kubernetes/generated/core-v1.ts';
import { whyPod } from './why.ts';

/** The API of a cluster with one pod on the node a. */
function cluster(pod: Pod, { told = [], node }: { readonly told?: readonly Event[]; readonly node?: Node } = {}): Pick<Transport, 'get' | 'list'> {
  const get = (resource: { readonly resource: string }): Promise<unknown> => {
    if (resource.resource === 'pods') return Promise.resolve(pod);
    return node === undefined ? Promise.reject(new LongshoreError('not-found', 'there is no such node')) : Promise.resolve(node);
  };
  return { get, list: () => Promise.resolve({ items: told }) } as unknown as Pick<Transport, 'get' | 'list'>;
}

function podWith(status: PodStatus, spec: Partial<Pod['spec']> = {}): Pod {
  return { metadata: { name: 'p', namespace: 'ns', uid: 'u' }, spec: { nodeName: 'a', containers: [{ name: 'c', image: 'i' }], ...spec }, status };
}

const container = (part: Partial<ContainerStatus>): ContainerStatus => ({
  name: 'c',
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...part,
});
const event = (type: string, reason: string, message: string, count = 1): Event => ({
  metadata: {},
  involvedObject: {},
  reportingComponent: '',
  reportingInstance: '',
  type,
  reason,
  message,
  count,
});
const tail = (): Promise<string> => Promise.resolve('last words\n');
const explain = (pod: Pod, others?: Parameters<typeof cluster>[1]): ReturnType<typeof whyPod> => whyPod(cluster(pod, others), 'ns', 'p', tail);

test('a container that a probe has ended does not end by itself', async () => {
  const pod = podWith({
    phase: 'Running',
    containerStatuses: [
      container({
        restartCount: 2,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 0, reason: 'Completed' } },
      }),
    ],
  });
  const told = [
    event('Normal', 'Killing', 'Container c failed liveness probe, will be restarted'),
    event('Warning', 'Unhealthy', 'Liveness probe failed: HTTP probe failed with statuscode: 404', 3),
  ];
  const { summary, details, remedy } = await explain(pod, { told });
  assert.equal(
    summary,
    'container c of pod ns/p is ended again and again, since it fails its liveness probe; it was restarted 2 times and waits before the next try.',
  );
  assert.deepEqual(details, [
    'Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 404 (3 times)',
    'Its last lines:',
    '  last words',
  ]);
  assert.match(remedy!, /^Correct what the probe asks for, or the livenessProbe itself/);
  const another = await explain(pod, { told: [event('Normal', 'Killing', 'Container other failed liveness probe, will be restarted')] });
  assert.match(another.summary, /keeps ending with exit code 0 \(Completed\)/);
});

test('the log of an earlier run is offered where there is one', async () => {
  const ended = { exitCode: 4, reason: 'Error' };
  const once = await explain(podWith({ phase: 'Failed', containerStatuses: [container({ state: { terminated: ended } })] }, { restartPolicy: 'Never' }));
  assert.equal(once.remedy, 'See all of it: kubectl -n ns logs p -c c');
  const looping = await explain(
    podWith({
      phase: 'Running',
      containerStatuses: [
        container({ restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: ended } }),
      ],
    }),
  );
  assert.equal(looping.remedy, 'See all of it: kubectl -n ns logs p -c c --previous');
});

test('a pod that is not ready although its containers are', async () => {
  const status: PodStatus = {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [container({ ready: true, state: { running: {} } })],
  };
  const node = (ready: string): Node => ({
    metadata: { name: 'a' },
    status: { conditions: [{ type: 'Ready', status: ready, message: 'Kubelet stopped posting node status.' }] },
  });
  const silent = await explain(podWith(status), { node: node('Unknown') });
  assert.equal(silent.summary, 'pod ns/p counts as not ready, since its node a is not ready.');
  assert.deepEqual(silent.details, ['Kubelet stopped posting node status.']);
  assert.match((await explain(podWith(status))).summary, /its node a does not exist any more/);
  const gated = await explain(podWith(status, { readinessGates: [{ conditionType: 'example.com/ready' }] }), { node: node('True') });
  assert.match(gated.summary, /its readiness gates wait \(example\.com\/ready\)/);
});
