import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Pod } from '../../src/types/kubernetes/generated/core-v1.ts';
import { openHost } from '../../src/host/open.ts';
import { eventually, pod, startTestDaemon, type TestDaemon } from './platform.ts';

let platform: TestDaemon;
let ok: TestDaemon['ok'];

before(async () => {
  platform = await startTestDaemon();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const SLEEP = { command: ['sleep', '1000'] };
const get = async (name: string): Promise<Pod> => JSON.parse(await ok('get', 'pod', name, '-o', 'json')) as Pod;
const count = async (selector: string): Promise<number> =>
  (await ok('get', 'pods', '-l', selector, '-o', 'name')).split('\n').filter((line) => line !== '').length;

test('forty pods at once start, each with an address of its own, and go at once', async () => {
  const names = Array.from({ length: 40 }, (_, n) => `p${n}`);
  await platform.apply(...names.map((name) => pod(name, SLEEP, {}, { labels: { app: 'many' } })));
  await ok('wait', '--for=condition=Ready', 'pods', '-l', 'app=many', '--timeout=120s');
  const addresses = (await ok('get', 'pods', '-l', 'app=many', '-o', 'jsonpath={.items[*].status.podIP}')).split(' ');
  assert.equal(new Set(addresses).size, 40);
  assert.equal(
    await ok('get', 'pods', '-l', 'app=many', '-o', 'jsonpath={.items[*].status.containerStatuses[*].restartCount}'),
    names.map(() => '0').join(' '),
  );
  assert.equal(await ok('get', 'events', '--field-selector', 'type=Warning', '-o', 'name'), '');
  await ok('delete', 'pods', '-l', 'app=many', '--now');
  assert.equal(await count('app=many'), 0);
});

test('a pod that is deleted by force while it starts leaves room for the next one of its name', async () => {
  for (let round = 0; round < 5; round++) {
    await platform.apply(pod('again', SLEEP, {}, { labels: { round: String(round) } }));
    await ok('delete', 'pod', 'again', '--grace-period=0', '--force');
  }
  await platform.apply(pod('again', { command: ['sh', '-c', 'echo last; exec sleep 1000'] }));
  await ok('wait', '--for=condition=Ready', 'pod/again', '--timeout=60s');
  assert.equal(await ok('logs', 'again'), 'last');
  // Of those before nothing is left, containers neither.
  const node = await ok('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
  await eventually('those before are gone', async () => !(await ok('get', '--raw', `/api/v1/nodes/${node}/proxy/pods`)).includes('"round"'));
  const host = await openHost();
  assert.equal((await host.cgroups.processes(`longshore-${platform.config.id}`)).length, 1);
  await ok('delete', 'pod', 'again', '--now');
});

test('a restart of the daemon changes no status, and what ended meanwhile is told', async () => {
  await platform.apply(
    pod('stays', { ...SLEEP, readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } }),
    pod('ends', { command: ['sh', '-c', 'sleep 3; echo bye; exit 4'] }, { restartPolicy: 'Never' }),
    pod('done', { command: ['true'] }, { restartPolicy: 'Never' }),
    pod('shares', SLEEP, {
      shareProcessNamespace: true,
      containers: [
        { name: 'main', image: 'busybox', ...SLEEP },
        { name: 'beside', image: 'busybox', ...SLEEP },
      ],
    }),
  );
  await ok('wait', '--for=condition=Ready', 'pod/stays', 'pod/shares', 'pod/ends', '--timeout=60s');
  await ok('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/done', '--timeout=60s');
  const before = await Promise.all(['stays', 'done', 'shares'].map(get));
  await platform.kill();
  await platform.restart();
  await ok('wait', '--for=jsonpath={.status.phase}=Failed', 'pod/ends', '--timeout=60s');
  assert.equal(await ok('get', 'pod', 'ends', '-o', 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}'), '4');
  assert.equal(await ok('logs', 'ends'), 'bye');
  const now = await Promise.all(['stays', 'done', 'shares'].map(get));
  assert.deepEqual(now.map(({ status }) => status), before.map(({ status }) => status));
  assert.equal(await ok('exec', 'shares', '-c', 'main', '--', 'cat', '/proc/1/comm'), 'pause');
  await ok('delete', 'pod', 'stays', 'ends', 'done', 'shares', '--now');
});

test("a pod's status has what a kubelet of 1.36 tells", async () => {
  await platform.apply(pod('told', { ...SLEEP, resources: { requests: { cpu: '10m' } } }));
  await ok('wait', '--for=condition=Ready', 'pod/told', '--timeout=60s');
  const { metadata, status } = await get('told');
  assert.deepEqual(Object.keys(status!).sort(), [
    'conditions',
    'containerStatuses',
    'hostIP',
    'hostIPs',
    'observedGeneration',
    'phase',
    'podIP',
    'podIPs',
    'qosClass',
    'startTime',
  ]);
  assert.equal(status!.observedGeneration, metadata!.generation);
  assert.deepEqual(status!.podIPs, [{ ip: status!.podIP }]);
  assert.deepEqual(status!.hostIPs, [{ ip: status!.hostIP }]);
  assert.deepEqual(
    status!.conditions!.map(({ type, status: holds, observedGeneration }) => [type, holds, observedGeneration]),
    ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => [type, 'True', 1]),
  );
  const { name, state, lastState, ready, restartCount, started, allocatedResources, resources, volumeMounts, user, imageID, containerID } =
    status!.containerStatuses![0]!;
  assert.deepEqual(
    { name, lastState, ready, restartCount, started, allocatedResources, resources, user },
    {
      name: 'main',
      lastState: {},
      ready: true,
      restartCount: 0,
      started: true,
      allocatedResources: { cpu: '10m' },
      resources: { requests: { cpu: '10m' } },
      user: { linux: { uid: 0, gid: 0, supplementalGroups: [0] } },
    },
  );
  assert.ok(state!.running!.startedAt && imageID.startsWith('sha256:') && containerID!.startsWith('longshore://'));
  assert.deepEqual(
    volumeMounts!.map(({ mountPath, readOnly, recursiveReadOnly }) => [mountPath, readOnly, recursiveReadOnly]),
    [['/var/run/secrets/kubernetes.io/serviceaccount', true, 'Disabled']],
  );
  await ok('delete', 'pod', 'told', '--wait=false', '--grace-period=1');
  await eventually('it is gone', async () => (await platform.kubectl(['get', 'pod', 'told'])).code === 1);
});
