import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openHost } from '../../src/host/open.ts';
import { deployment, eventually, pod, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const field = (name: string, path: string): Promise<string> => ok('get', 'pod', name, '-o', `jsonpath={${path}}`);
const restarts = async (name: string): Promise<number> => Number(await field(name, '.status.containerStatuses[0].restartCount'));

test('a process that is killed is started again', async () => {
  await platform.apply(pod('fragile', { command: ['sleep', '1000'] }));
  await ok('wait', '--for=condition=Ready', 'pod/fragile', '--timeout=60s');
  const first = await field('fragile', '.status.containerStatuses[0].containerID');
  const ip = await field('fragile', '.status.podIP');
  const host = await openHost();
  const [pid] = await host.cgroups.processes(`longshore-${platform.config.id}`);
  process.kill(pid!, 'SIGKILL');
  await eventually(
    'it runs again',
    async () =>
      (await restarts('fragile')) === 1 &&
      (await field('fragile', '.status.phase')) === 'Running' &&
      (await field('fragile', '.status.containerStatuses[0].ready')) === 'true',
  );
  assert.notEqual(await field('fragile', '.status.containerStatuses[0].containerID'), first);
  assert.equal(await field('fragile', '.status.podIP'), ip, 'the pod keeps its address');
  assert.equal(await field('fragile', '.status.containerStatuses[0].lastState.terminated.exitCode'), '137');
  await ok('delete', 'pod', 'fragile', '--now');
});

test('a pod that is deleted is replaced, and one of its name is another', async () => {
  await platform.apply(deployment('replaced', { command: ['sleep', '1000'] }, { replicas: 2 }));
  await ok('rollout', 'status', 'deploy/replaced', '--timeout=60s');
  const names = async (): Promise<string[]> => (await ok('get', 'pods', '-l', 'app=replaced', '-o', 'name')).split('\n');
  const before = await names();
  await ok('delete', before[0]!);
  await eventually(
    'there are two ready ones',
    async () => (await ok('get', 'deploy', 'replaced', '-o', 'jsonpath={.status.readyReplicas}')) === '2' && (await names()).length === 2,
  );
  assert.ok(!(await names()).includes(before[0]!));
  assert.ok((await names()).includes(before[1]!));
  await ok('delete', 'deploy', 'replaced');
});

test('failing liveness restarts a container, failing startup as well', async () => {
  const alive = { exec: { command: ['cat', '/tmp/alive'] }, periodSeconds: 1, failureThreshold: 1 };
  await platform.apply(
    pod('lively', { command: ['sh', '-c', 'touch /tmp/alive; sleep 1000'], livenessProbe: alive }),
    pod('never', { command: ['sleep', '1000'], startupProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 2 } }),
  );
  await ok('wait', '--for=condition=Ready', 'pod/lively', '--timeout=60s');
  assert.equal(await restarts('lively'), 0);
  await ok('exec', 'lively', '--', 'rm', '/tmp/alive');
  await eventually('liveness has it restarted', async () => (await restarts('lively')) === 1);
  await eventually('startup has it restarted', async () => (await restarts('never')) >= 1);
  await eventually('both are told', async () => {
    const events = await ok('get', 'events');
    return /lively.*failed liveness probe, will be restarted/.test(events) && /never.*failed startup probe, will be restarted/.test(events);
  });
  await ok('delete', 'pod', 'lively', 'never', '--now');
});

test('a pod that is not ready leaves its Service, and comes back', async () => {
  await platform.apply(deployment('web', {
    command: ['sh', '-c', 'mkdir /www; hostname > /www/index.html; touch /tmp/ready; exec httpd -f -p 8080 -h /www'],
    readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 },
  }, { replicas: 2 }));
  await ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  await ok('expose', 'deploy', 'web', '--port=80', '--target-port=8080');
  const ip = await ok('get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  const ask = async (): Promise<string> =>
    (await (await fetch(`http://${ip}/`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5000) })).text()).trim();
  const seen = async (): Promise<Set<string>> => new Set(await Promise.all(Array.from({ length: 20 }, ask)));
  await eventually('both answer', async () => (await seen()).size === 2);
  const [one, other] = (await ok('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
  await ok('exec', one!, '--', 'rm', '/tmp/ready');
  const begun = performance.now();
  await eventually(
    'it is out of the slice',
    async () =>
      (await ok(
        'get',
        'endpointslices',
        '-l',
        'kubernetes.io/service-name=web',
        '-o',
        `jsonpath={.items[0].endpoints[?(@.targetRef.name=="${one}")].conditions.ready}`,
      )) === 'false',
    10_000,
  );
  await eventually(
    'it is asked no more',
    async () => {
      const names = await seen();
      return names.size === 1 && names.has(other!);
    },
    10_000,
  );
  assert.ok(performance.now() - begun < 10_000);
  assert.equal(await ok('get', 'deploy', 'web', '-o', 'jsonpath={.status.readyReplicas}'), '1');
  await ok('exec', one!, '--', 'touch', '/tmp/ready');
  await eventually('both answer again', async () => (await seen()).size === 2, 10_000);
  assert.equal(await restarts(one!), 0);
  await ok('delete', 'deploy/web', 'svc/web');
});
