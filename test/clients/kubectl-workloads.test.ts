import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const template = (command: string, spec: object = {}, labels: object = {}, container: object = {}): object => ({
  metadata: { labels },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', command], ...container }],
    ...spec,
  },
});
const job = (name: string, command: string, spec: object = {}, pod: object = {}): object => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: { template: template(command, { restartPolicy: 'Never', ...pod }), ...spec },
});
const field = (kind: string, name: string, path: string): Promise<string> => ok('get', kind, name, '-o', `jsonpath={${path}}`);
const pods = async (selector: string, path = '.metadata.name'): Promise<string[]> =>
  (await ok('get', 'pods', '-l', selector, '--sort-by=.metadata.name', '-o', `jsonpath={range .items[*]}{${path}}{"\\n"}{end}`))
    .split('\n')
    .filter((line) => line !== '');
const done = (name: string): Promise<string> => ok('wait', '--for=condition=Complete', `job/${name}`, '--timeout=60s');

test('a Job: completions side by side, indexed, failing within its limit and beyond it', async () => {
  await platform.apply(
    job('many', 'sleep 0.3', { completions: 5, parallelism: 2 }),
    job('indexed', 'echo index $JOB_COMPLETION_INDEX at $(hostname)', { completions: 3, parallelism: 3, completionMode: 'Indexed' }),
    job('fails', 'exit 7', { backoffLimit: 0 }),
    job(
      'again',
      '',
      { backoffLimit: 3 },
      {
        restartPolicy: 'OnFailure',
        containers: [
          {
            name: 'main',
            image: 'busybox',
            command: ['sh', '-c', 'test -e /v/x || { touch /v/x; exit 1; }'],
            volumeMounts: [{ name: 'v', mountPath: '/v' }],
          },
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    ),
  );
  await Promise.all(['many', 'indexed', 'again'].map(done));
  assert.match(await ok('get', 'job', 'many'), /many +Complete +5\/5/);
  assert.equal((await pods('job-name=many')).length, 5);
  assert.deepEqual((await ok('logs', '-l', 'job-name=indexed', '--tail=-1')).split('\n').sort(), [
    'index 0 at indexed-0',
    'index 1 at indexed-1',
    'index 2 at indexed-2',
  ]);
  assert.equal(await field('job', 'indexed', '.status.completedIndexes'), '0-2');
  await ok('wait', '--for=condition=Failed', 'job/fails', '--timeout=60s');
  assert.equal(await field('job', 'fails', '.status.conditions[?(@.type=="Failed")].reason'), 'BackoffLimitExceeded');
  assert.match(await ok('describe', 'job', 'fails'), /Job has reached the specified backoff limit/);
  assert.equal((await pods('job-name=again')).length, 1);
  await ok('delete', 'job', 'many', 'indexed', 'fails', 'again');
  await eventually('their pods are gone', async () => (await pods('job-name')).length === 0);
});

test('a Job: suspended and resumed, ended by its deadline, taken away when its time is over', async () => {
  await platform.apply(
    job('waits', 'sleep 0.1', { suspend: true }),
    job('late', 'sleep 100', { activeDeadlineSeconds: 1 }),
    job('goes', 'true', { ttlSecondsAfterFinished: 1 }),
  );
  await eventually(
    'it is suspended',
    async () => (await field('job', 'waits', '.status.conditions[?(@.type=="Suspended")].status')) === 'True',
  );
  assert.equal((await pods('job-name=waits')).length, 0);
  await ok('patch', 'job', 'waits', '-p', '{"spec":{"suspend":false}}');
  await done('waits');
  await ok('wait', '--for=condition=Failed', 'job/late', '--timeout=60s');
  assert.equal(await field('job', 'late', '.status.conditions[?(@.type=="Failed")].reason'), 'DeadlineExceeded');
  await ok('wait', '--for=delete', 'job/goes', '--timeout=60s');
  await ok('delete', 'job', 'waits', 'late');
});

test('a CronJob runs at once when it is told to, and shows its schedule', async () => {
  await ok('create', 'cronjob', 'nightly', '--image=busybox', '--schedule=0 3 * * *', '--', 'echo', 'cleaned');
  await ok('create', 'job', '--from=cronjob/nightly', 'now');
  await done('now');
  assert.equal(await ok('logs', 'job/now'), 'cleaned');
  assert.equal(await field('job', 'now', '.metadata.ownerReferences[0].kind'), 'CronJob');
  assert.match(await ok('get', 'cronjob', 'nightly'), /nightly +0 3 \* \* \* +<none> +False +0 +<none>/);
  await ok('delete', 'cronjob', 'nightly');
  await ok('wait', '--for=delete', 'job/now', '--timeout=60s');
});

test('a StatefulSet: in order, with names, addresses and folders that stay', async () => {
  const labels = { app: 'db' };
  await platform.apply(
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db' }, spec: { clusterIP: 'None', selector: labels, ports: [{ port: 80 }] } },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db' },
      spec: {
        serviceName: 'db',
        replicas: 3,
        selector: { matchLabels: labels },
        template: template('hostname >> /data/names; sleep 1000', {}, labels, {
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
          readinessProbe: { exec: { command: ['test', '-e', '/data/names'] }, periodSeconds: 1 },
        }),
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } },
        ],
      },
    },
  );
  await ok('rollout', 'status', 'statefulset/db', '--timeout=90s');
  assert.deepEqual(await pods('app=db'), ['db-0', 'db-1', 'db-2']);
  const started = (await pods('app=db', '.status.containerStatuses[0].state.running.startedAt')).map((time) => Date.parse(time));
  assert.deepEqual(started, [...started].sort((a, b) => a - b), 'one after the other');
  assert.deepEqual((await ok('get', 'pvc', '-o', 'jsonpath={.items[*].metadata.name}')).split(' '), ['data-db-0', 'data-db-1', 'data-db-2']);
  const ip = await field('pod', 'db-1', '.status.podIP');
  await eventually('each has a name', async () => (await ok('exec', 'db-0', '--', 'nslookup', 'db-1.db.default.svc.cluster.local')).includes(ip));
  await eventually('and a short one', async () => (await ok('exec', 'db-0', '--', 'sh', '-c', 'ping -c1 -w2 db-1.db | head -1')).includes(ip));
  // What is replaced has the same name and the same folder.
  const uid = await field('pod', 'db-1', '.metadata.uid');
  await ok('delete', 'pod', 'db-1', '--now');
  await eventually('it is replaced', async () => (await field('pod', 'db-1', '.metadata.uid')) !== uid);
  await ok('wait', '--for=condition=Ready', 'pod/db-1', '--timeout=60s');
  assert.equal(await ok('exec', 'db-1', '--', 'cat', '/data/names'), 'db-1\ndb-1');
  // Down from the highest.
  await ok('scale', 'statefulset/db', '--replicas=1');
  await eventually('the last two go', async () => (await pods('app=db')).join() === 'db-0');
  assert.equal((await ok('get', 'pvc', '-o', 'name')).split('\n').length, 3, 'claims stay');
  await ok('scale', 'statefulset/db', '--replicas=3');
  await ok('rollout', 'status', 'statefulset/db', '--timeout=90s');
  assert.equal(await ok('exec', 'db-2', '--', 'cat', '/data/names'), 'db-2\ndb-2');
});

test('a StatefulSet is updated from the highest down to its partition, and then whole', async () => {
  await ok('patch', 'statefulset', 'db', '-p', '{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":2}}}}');
  await ok('set', 'env', 'statefulset/db', 'VERSION=2');
  const versions = (): Promise<string[]> => pods('app=db', '.spec.containers[0].env[0].value');
  await ok('rollout', 'status', 'statefulset/db', '--timeout=90s');
  assert.deepEqual(await pods('app=db', '.metadata.name}={.spec.containers[0].env[0].value'), ['db-0=', 'db-1=', 'db-2=2']);
  await ok('patch', 'statefulset', 'db', '-p', '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}');
  await ok('rollout', 'status', 'statefulset/db', '--timeout=90s');
  await eventually('all have it', async () => (await versions()).join() === '2,2,2');
  assert.match(await ok('rollout', 'history', 'statefulset/db'), /REVISION/);
  await ok('rollout', 'undo', 'statefulset/db');
  await ok('rollout', 'status', 'statefulset/db', '--timeout=90s');
  await eventually('none has it', async () => (await versions()).length === 0);
  await ok('delete', 'statefulset/db', 'service/db');
  await eventually('they are gone', async () => (await pods('app=db')).length === 0);
  await ok('delete', 'pvc', '--all');
  await eventually('and their volumes', async () => (await ok('get', 'pv', '-o', 'name')) === '');
});

test('a DaemonSet has one pod on each node that it selects, and rolls', async () => {
  await platform.apply({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent' },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: template('sleep 1000', { nodeSelector: { disk: 'ssd' } }, { app: 'agent' }),
    },
  });
  await eventually('it is seen', async () => (await field('ds', 'agent', '.status.observedGeneration')) === '1');
  assert.equal((await pods('app=agent')).length, 0);
  await ok('label', 'node', 'node-1', 'disk=ssd');
  await ok('rollout', 'status', 'ds/agent', '--timeout=60s');
  assert.deepEqual(await pods('app=agent', '.spec.nodeName'), ['node-1']);
  await eventually('it is told', async () => /agent +1 +1 +1 +1 +1 +disk=ssd/.test(await ok('get', 'ds', 'agent')));
  const [before] = await pods('app=agent');
  await ok('set', 'env', 'ds/agent', 'VERSION=2');
  await ok('rollout', 'status', 'ds/agent', '--timeout=60s');
  await eventually('another one runs', async () => (await pods('app=agent')).join() !== before && (await pods('app=agent')).length === 1);
  // A node that takes nothing new keeps those of DaemonSets.
  await ok('cordon', 'node-1');
  assert.match(await ok('drain', 'node-1', '--ignore-daemonsets'), /drained/);
  assert.equal((await pods('app=agent')).length, 1);
  await ok('uncordon', 'node-1');
  await ok('label', 'node', 'node-1', 'disk-');
  await eventually('it leaves', async () => (await pods('app=agent')).length === 0);
  await ok('delete', 'ds', 'agent');
});
