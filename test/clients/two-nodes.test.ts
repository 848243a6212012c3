import assert from 'node:assert/strict';
import { access, realpath } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { dockerAt } from '../../src/app/deploy/docker.ts';
import { makeBase } from '../../src/app/deploy/bases.ts';
import { openHost } from '../../src/host/open.ts';
import { UndoStack } from '../../src/lib/undo.ts';
import { deployment, eventually, pod, startTestDaemon, type TestDaemon } from './platform.ts';
import { joinNode, openLink, type Link, type SecondNode } from './second-node.ts';

/** Nodes report each 10 s, so this is near the least. */
const GRACE_SECONDS = '12';
const MOVES_AT_ONCE = ['node.kubernetes.io/unreachable', 'node.kubernetes.io/not-ready'].map((key) => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 1,
}));
const SERVE = ['sh', '-c', 'mkdir /www; hostname > /www/name; echo serving; exec httpd -f -p 8080 -h /www'];

const undo = new UndoStack();
let link: Link;
let server: TestDaemon;
let second: SecondNode;
let first: string;

before(async () => {
  link = await openLink();
  undo.push(() => link.close());
  server = await startTestDaemon({ environment: { LONGSHORE_LISTEN: '0.0.0.0', LONGSHORE_NODE_GRACE_SECONDS: GRACE_SECONDS } });
  undo.push(() => server.close());
  first = await server.ok('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
  second = await joinNode({ name: 'node2', link, server });
  undo.push(() => second.close());
  const { spawn } = await openHost();
  await makeBase(dockerAt(second.home.dockerSocket), { spawn, node: await realpath(process.execPath) }, 'busybox');
});

// Leaves nothing: each close fails when something is left.
after(() => undo.run());

interface Placed {
  readonly name: string;
  readonly node: string;
  readonly ip: string;
}

async function podsOf(app: string): Promise<Placed[]> {
  const text = await server.ok(
    'get',
    'pods',
    '-l',
    `app=${app}`,
    '--field-selector=status.phase=Running',
    '-o',
    'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{"\\n"}{end}',
  );
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', node = '', ip = ''] = line.split(' ');
      return { name, node, ip };
    });
}

/** What a pod gets from a web server, by nc: the machine's static busybox has a wget that can't look names up. */
async function fetchFrom(podName: string, host: string, port: number): Promise<string> {
  const got = await server.ok('exec', podName, '--', 'sh', '-c', `printf 'GET /name HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${host} ${port}`);
  return got.trim().split('\n').at(-1)!.trim();
}

test('a second machine joins: both nodes are ready', async () => {
  await server.ok('wait', '--for=condition=Ready', 'node', '--all', '--timeout=30s');
  assert.equal(await server.ok('get', 'node', 'node2', '-o', 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'), link.nodeAddress);
  assert.equal((await server.ok('get', 'nodes', '-o', 'name')).split('\n').length, 2);
});

test('a Deployment spreads over both; pods and Services answer across, names resolve, logs and exec reach both', async () => {
  await server.apply(deployment('web', { command: SERVE }, { replicas: 4 }, {}));
  await server.ok('expose', 'deployment', 'web', '--port=80', '--target-port=8080');
  await server.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  const pods = await podsOf('web');
  assert.deepEqual([...new Set(pods.map(({ node }) => node))].sort(), [first, 'node2'].sort());
  const here = pods.find(({ node }) => node === first)!;
  const there = pods.find(({ node }) => node === 'node2')!;

  for (const { name, ip } of pods) {
    const answer = await eventually(`${name} answers this machine`, async () => {
      const response = await fetch(`http://${ip}:8080/name`, { signal: AbortSignal.timeout(3000) });
      return (await response.text()).trim();
    });
    assert.equal(answer, name);
  }
  assert.equal(await fetchFrom(here.name, there.ip, 8080), there.name);
  assert.equal(await fetchFrom(there.name, here.ip, 8080), here.name);

  const clusterIp = await server.ok('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  const names = pods.map(({ name }) => name);
  for (const client of [here, there]) {
    assert.ok(names.includes(await fetchFrom(client.name, clusterIp, 80)), `the Service answers ${client.name}`);
    await eventually(`the name resolves in ${client.name}`, async () =>
      (await server.kubectl(['exec', client.name, '--', 'nslookup', 'web.default.svc.cluster.local'])).stdout.includes(clusterIp),
    );
    assert.equal(await server.ok('logs', client.name), 'serving');
    assert.equal(await server.ok('exec', client.name, '--', 'hostname'), client.name);
  }
  // Also where it leaves for a pod of the other node, in turn with those here.
  await server.ok('expose', 'deployment', 'web', '--name=outside', '--type=NodePort', '--port=80', '--target-port=8080');
  const nodePort = await server.ok('get', 'service', 'outside', '-o', 'jsonpath={.spec.ports[0].nodePort}');
  const ask = async (): Promise<string> =>
    (
      await (
        await fetch(`http://127.0.0.1:${nodePort}/name`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(3000) })
      ).text()
    ).trim();
  await eventually('the NodePort answers at 127.0.0.1', ask);
  const answered = new Set<string>();
  for (let n = 0; n < 100 && answered.size < names.length; n++) answered.add(await ask());
  assert.deepEqual([...answered].sort(), [...names].sort());
  await server.ok('delete', 'service/web', 'service/outside', 'deployment/web', '--wait=true', '--timeout=60s');
});

test('a claim of the class standard keeps its data over a new pod, and its folder goes with it', async () => {
  assert.match(await server.ok('get', 'storageclass'), /standard \(default\)/);
  const keeper = (name: string, script: string): object => pod(name, { command: ['sh', '-c', script], volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    { restartPolicy: 'Never', nodeSelector: { 'kubernetes.io/hostname': first }, volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] });
  await server.apply(
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    },
    keeper('writer', 'echo kept > /data/file'),
  );
  await server.ok('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/writer', '--timeout=30s');
  await server.ok('delete', 'pod', 'writer');
  await server.apply(keeper('reader', 'cat /data/file'));
  await server.ok('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/reader', '--timeout=30s');
  assert.equal(await server.ok('logs', 'reader'), 'kept');

  const volume = await server.ok('get', 'pvc', 'data', '-o', 'jsonpath={.spec.volumeName}');
  const folder = await server.ok('get', 'pv', volume, '-o', 'jsonpath={.spec.hostPath.path}');
  assert.ok(folder.startsWith(`${server.home.root}/volumes/`), folder);
  await access(folder);
  await server.ok('delete', 'pod/reader', 'pvc/data', '--timeout=30s');
  await eventually('the volume is gone', async () => (await server.kubectl(['get', 'pv', volume])).code !== 0);
  await assert.rejects(access(folder), { code: 'ENOENT' });
});

test('the folder of a claim on the second node is deleted there, and nothing else can be', async () => {
  await server.apply(
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'far' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    },
    pod(
      'far',
      { command: ['sh', '-c', 'echo kept > /data/file'], volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      {
        restartPolicy: 'Never',
        nodeSelector: { 'kubernetes.io/hostname': 'node2' },
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'far' } }],
      },
    ),
  );
  await server.ok('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/far', '--timeout=30s');
  const volume = await server.ok('get', 'pvc', 'far', '-o', 'jsonpath={.spec.volumeName}');
  const folder = await server.ok('get', 'pv', volume, '-o', 'jsonpath={.spec.hostPath.path}');
  await access(folder);
  const deleted = await server.kubectl(['delete', '--raw', '/api/v1/nodes/node2/proxy/localVolumes?path=/etc']);
  assert.match(deleted.stderr + deleted.stdout, /\/etc is not the folder of a claim|Forbidden|forbidden/);
  assert.notEqual(deleted.code, 0);
  await server.ok('delete', 'pod/far', 'pvc/far', '--timeout=30s');
  await eventually('the volume is gone', async () => (await server.kubectl(['get', 'pv', volume])).code !== 0);
  await assert.rejects(access(folder), { code: 'ENOENT' });
  assert.match(second.log(), /deleted a claim's folder/);
});

test('an agent that is killed leaves its pods running; started again without a token, it takes them up', async () => {
  await server.apply(pod('steady', { command: SERVE }, { nodeName: 'node2' }, { labels: { app: 'steady' } }));
  await server.ok('wait', '--for=condition=Ready', 'pod/steady', '--timeout=30s');
  const ip = await server.ok('get', 'pod', 'steady', '-o', 'jsonpath={.status.podIP}');
  await second.kill();
  const answer = async (): Promise<string> => (await (await fetch(`http://${ip}:8080/name`, { signal: AbortSignal.timeout(3000) })).text()).trim();
  assert.equal(await answer(), 'steady');
  await second.restart();
  assert.equal(await server.ok('exec', 'steady', '--', 'hostname'), 'steady');
  assert.equal(await server.ok('get', 'pod', 'steady', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'), '0');
  assert.equal(await answer(), 'steady');
  await server.ok('delete', 'pod', 'steady', '--timeout=30s');
});

test('a node that is silent is not ready, and its pods come up on the other', async () => {
  await server.apply(
    deployment(
      'mover',
      { command: SERVE },
      { replicas: 2 },
      {
        tolerations: MOVES_AT_ONCE,
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels: { app: 'mover' } },
          },
        ],
      },
    ),
  );
  await server.ok('rollout', 'status', 'deploy/mover', '--timeout=60s');
  assert.deepEqual((await podsOf('mover')).map(({ node }) => node).sort(), [first, 'node2'].sort());
  await second.kill();
  await server.ok('wait', '--for=condition=Ready=Unknown', 'node/node2', '--timeout=40s');
  assert.match(await server.ok('get', 'nodes'), /node2 +NotReady/);
  await eventually('two pods serve on the first node', async () => {
    const available = await server.ok('get', 'deploy', 'mover', '-o', 'jsonpath={.status.availableReplicas}');
    return available === '2' && (await podsOf('mover')).filter(({ node }) => node === first).length === 2;
  });
});
