/** What users get wrong, or their machines: each error names the object, the cause and what to do, and nothing is lost. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { eventually, pod, runClient, startTestDaemon, type Ran, type TestDaemon } from './platform.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let daemon: TestDaemon;

before(async () => {
  daemon = await startTestDaemon();
});

after(() => daemon.close());

const longshore = (...args: string[]): Promise<Ran> => runClient(process.execPath, [MAIN, ...args], daemon.environment);
const docker = (...args: string[]): Promise<Ran> => runClient('docker', args, daemon.environment);

/** Runs kubectl, which is to fail. @returns what it says */
async function refused(args: readonly string[], input?: string): Promise<string> {
  const ran = await daemon.kubectl(args, input === undefined ? {} : { input });
  assert.notEqual(ran.code, 0, `kubectl ${args.join(' ')} succeeded: ${ran.stdout}`);
  return ran.stderr;
}

test('kubectl: unknown and malformed fields', async () => {
  const deployment = (more: object, container: object = {}): string =>
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'bad' },
      spec: {
        selector: { matchLabels: { app: 'bad' } },
        template: { metadata: { labels: { app: 'bad' } }, spec: { containers: [{ name: 'main', image: 'busybox', ...container }] } },
        ...more,
      },
    });
  const unknown = deployment({ replica: 2 }, { imagePullPolicyy: 'Never' });
  const strict = await refused(['apply', '-f', '-'], unknown);
  assert.match(strict, /Deployment/);
  assert.match(strict, /unknown field "spec\.replica"/);
  assert.match(strict, /unknown field "spec\.template\.spec\.containers\[0\]\.imagePullPolicyy"/);
  const warned = await daemon.kubectl(['apply', '--validate=warn', '--dry-run=server', '-f', '-'], { input: unknown });
  assert.equal(warned.code, 0, warned.stderr);
  assert.match(warned.stderr, /Warning: unknown field "spec\.replica"/);

  assert.match(await refused(['create', '--validate=false', '-f', '-'], deployment({ replicas: 'two' })), /Deployment.*replicas.*int32/);
  assert.match(
    await refused(['create', '-f', '-'], deployment({ replicas: -1 })),
    /Deployment "bad" is invalid: spec\.replicas: Invalid value: -1/,
  );
  assert.match(
    await refused(['create', '-f', '-'], deployment({}, { resources: { requests: { memory: 'lots' } } })),
    /quantities must match/,
  );
  assert.match(
    await refused(['create', '-f', '-'], deployment({}, { name: 'Main_1' })),
    /spec\.template\.spec\.containers\[0\]\.name: Invalid value: "Main_1"/,
  );
  assert.match(await refused(['create', '-f', '-'], 'apiVersion: v1\nkind: Podd\nmetadata: {name: x}\n'), /no matches for kind "Podd"/);
  assert.match(await refused(['create', 'configmap', 'Bad_Name']), /ConfigMap "Bad_Name" is invalid: metadata\.name/);
  assert.equal(await daemon.ok('get', 'deployments', '-o', 'name'), '');
});

test('the API itself: what is no object, too large, of another type, or nowhere', async () => {
  const { server, ca, cert, key } = await kubeconfig();
  const ask = (method: string, path: string, body?: string, type = 'application/json'): Promise<Ran> =>
    runClient(
      'curl',
      [
        '-sS',
        '--cacert',
        ca,
        '--cert',
        cert,
        '--key',
        key,
        '-w',
        '\n%{http_code}',
        '-X',
        method,
        ...(body === undefined ? [] : ['-H', `content-type: ${type}`, '--data-binary', '@-']),
        `${server}${path}`,
      ],
      {},
      { ...(body !== undefined && { input: body }) },
    );
  const status = async (code: number, reason: string, message: RegExp, ...request: Parameters<typeof ask>): Promise<void> => {
    const { stdout } = await ask(...request);
    const at = stdout.lastIndexOf('\n');
    const answer = JSON.parse(stdout.slice(0, at)) as { kind: string; reason: string; message: string; code: number };
    assert.deepEqual([Number(stdout.slice(at + 1)), answer.kind, answer.code, answer.reason], [code, 'Status', code, reason], stdout);
    assert.match(answer.message, message);
  };
  const maps = '/api/v1/namespaces/default/configmaps';
  const map = (data: object, more: object = {}): string => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data, ...more });
  await status(400, 'BadRequest', /json|JSON|unexpected|end/i, 'POST', maps, '{"apiVersion": "v1", "kind": "Conf');
  await status(400, 'BadRequest', /unknown field "dat"/, 'POST', `${maps}?fieldValidation=Strict`, map({}, { dat: {} }));
  await status(400, 'BadRequest', /ConfigMap.*data.*string/, 'POST', maps, map({ a: 1 }));
  await status(400, 'BadRequest', /Secret|ConfigMap/, 'POST', maps, map({}).replace('"ConfigMap"', '"Secret"'));
  await status(413, 'RequestEntityTooLarge', /limit|large/i, 'POST', maps, map({ a: 'x'.repeat(3_200_000) }));
  await status(422, 'Invalid', /Too long|must have at most/, 'POST', maps, map({ a: 'x'.repeat(1_100_000) }));
  await status(415, 'UnsupportedMediaType', /accepted media types include: application\/json/, 'POST', maps, map({}), 'text/plain');
  await status(404, 'NotFound', /could not find the requested resource/, 'GET', '/api/v1/namespaces/default/configmapz');
  await status(404, 'NotFound', /configmaps "none" not found/, 'GET', `${maps}/none`);
  await status(400, 'BadRequest', /continue|expired/i, 'GET', `${maps}?limit=1&continue=nonsense`);
  await status(400, 'BadRequest', /label|selector|parse/i, 'GET', `${maps}?labelSelector=a%3D%3D%3D`);
});

interface Credentials { readonly server: string; readonly ca: string; readonly cert: string; readonly key: string }

/** The admin's credentials as files, for curl. */
async function kubeconfig(): Promise<Credentials> {
  const get = async (path: string): Promise<string> => daemon.ok('config', 'view', '--raw', '--minify', '-o', `jsonpath=${path}`);
  const { writeFile } = await import('node:fs/promises');
  const file = async (name: string, path: string): Promise<string> => {
    const to = join(daemon.home.root, name);
    await writeFile(to, Buffer.from(await get(path), 'base64'), { mode: 0o600 });
    return to;
  };
  return {
    server: await get('{.clusters[0].cluster.server}'),
    ca: await file('ca.pem', '{.clusters[0].cluster.certificate-authority-data}'),
    cert: await file('cert.pem', '{.users[0].user.client-certificate-data}'),
    key: await file('key.pem', '{.users[0].user.client-key-data}'),
  };
}

async function why(name: string): Promise<string> {
  const { code, stdout, stderr } = await longshore('why', `pod/${name}`);
  assert.equal(code, 0, stderr);
  return stdout;
}

const waiting = (name: string): Promise<string> => daemon.ok('get', 'pod', name, '-o', 'jsonpath={.status.containerStatuses[0].state.waiting.reason}');

test('an image that is not there: docker, describe and why say which and what to do', async () => {
  const ran = await docker('run', 'nosuch');
  assert.equal(ran.code, 125);
  assert.match(ran.stderr, /Unable to find image 'nosuch:latest' locally/);
  assert.match(ran.stderr, /Error response from daemon: .*(registry|nosuch)/);

  await daemon.apply(
    pod('pulls', { image: '127.0.0.1:1/nosuch:1' }),
    pod('never', { image: 'nosuch:1', imagePullPolicy: 'Never' }),
    pod('wrong', { image: 'No Such' }),
  );
  await eventually('it backs off', async () => (await waiting('pulls')) === 'ImagePullBackOff');
  assert.match(await daemon.ok('describe', 'pod', 'pulls'), /Failed to pull image "127\.0\.0\.1:1\/nosuch:1": .*127\.0\.0\.1:1/);
  assert.match(
    await why('pulls'),
    /container main of pod default\/pulls waits for its image 127\.0\.0\.1:1\/nosuch:1: ImagePullBackOff\.\n +Failed to pull image .*127\.0\.0\.1:1.*\n→ Check the name/,
  );
  await eventually('it is told', async () => (await waiting('never')) === 'ErrImageNeverPull');
  assert.match(await daemon.ok('describe', 'pod', 'never'), /Container image "nosuch:1" is not present with pull policy of Never/);
  assert.match(await why('never'), /ErrImageNeverPull[^]*→ Build it \(docker build -t nosuch:1 \.\)/);
  await eventually('it is told', async () => (await waiting('wrong')) === 'InvalidImageName');
  assert.match(await why('wrong'), /InvalidImageName[^]*→ Correct the name/);
  await daemon.ok('delete', 'pod', '--all', '--now');
});

test('why a pod is pending: every reason of the node, and what to do about each', async () => {
  const node = await daemon.ok('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
  await daemon.ok('taint', 'node', node, 'only=batch:NoSchedule');
  await daemon.apply(
    pod('large', { resources: { requests: { cpu: '640', memory: '1Mi' } } }),
    pod('chosen', {}, { nodeSelector: { disk: 'ssd' } }),
    pod('claims', {}, { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'nosuch' } }] }),
  );
  await eventually('it is told', async () => (await daemon.ok('describe', 'pod', 'large')).includes('FailedScheduling'));
  const large = await why('large');
  assert.match(large, /pod default\/large is pending: the only node does not take it/);
  assert.match(large, new RegExp(`node ${node}: .*taint only=batch:NoSchedule is not tolerated.*Insufficient cpu: asks for 640000m, \\d+m of \\d+m free`));
  assert.match(large, /→ Ask for less .*Remove the taint/);
  assert.match(await why('chosen'), /nodeSelector disk=ssd does not match: it has no label disk[^]*→ Label a node/);
  assert.match(await why('claims'), /the PersistentVolumeClaim nosuch that it mounts does not exist[^]*→ Create it in the namespace default/);
  await daemon.ok('taint', 'node', node, 'only-');
  await daemon.ok('cordon', node);
  assert.match(await why('large'), new RegExp(`node ${node}: it is cordoned .*Insufficient cpu[^]*kubectl uncordon`));
  await daemon.ok('uncordon', node);
  await daemon.ok('delete', 'pod', '--all', '--now');
});

test('why a container keeps ending: its exit code, its last lines, and how to see more', async () => {
  await daemon.apply(
    pod('loops', { command: ['sh', '-c', 'echo starting; echo "cannot open /etc/app.conf" >&2; exit 3'] }),
    pod('done', { command: ['true'] }),
    pod('missing', { command: ['/no/such/program'] }),
  );
  for (const name of ['loops', 'done']) await eventually(`${name} backs off`, async () => (await waiting(name)) === 'CrashLoopBackOff');
  const loops = await why('loops');
  assert.match(loops, /container main of pod default\/loops keeps ending with exit code 3; it was restarted (once|\d+ times)/);
  assert.match(loops, /Its last lines:\n +starting\n +cannot open \/etc\/app\.conf\n→ See all of it: kubectl -n default logs loops -c main --previous/);
  assert.match(await why('done'), /exit code 0[^]*wrote nothing[^]*→ It ends by itself.*run it as a Job/);
  await eventually('the start has failed', async () => /no such file or directory/.test(await why('missing')));
  await daemon.ok('delete', 'pod', '--all', '--now');
  const none = await longshore('why', 'pod/none', '-n', 'kube-system');
  assert.notEqual(none.code, 0);
  assert.match(none.stderr, /there is no pod none in the namespace kube-system[^]*kubectl get pods -A/);
});

async function listen(port = 0): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(port, '0.0.0.0');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

test('a port that somebody has: a published one, a host port, a node port', async (t) => {
  const { server, port } = await listen();
  t.after(() => server.close());
  const me = new RegExp(`${port}.*[^]*\\(pid ${process.pid}\\) has it: stop that, or publish another port`);
  const ran = await docker('run', '-d', '--name', 'published', '-p', `${port}:80`, 'busybox', 'sleep', '1000');
  assert.equal(ran.code, 125);
  assert.match(ran.stderr, me);
  await docker('rm', 'published');

  await daemon.apply(pod('host', { command: ['sleep', '1000'], ports: [{ containerPort: 80, hostPort: port }] }));
  await eventually('its event says so', async () => me.test((await daemon.ok('describe', 'pod', 'host')).replaceAll('\n', ' ')));
  assert.match(await why('host'), new RegExp(`can't be started: .*port.*${process.pid}`));

  const taken = await listen(31_000 + (process.pid % 1000));
  t.after(() => taken.server.close());
  await daemon.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nodeport' },
    spec: { type: 'NodePort', ports: [{ port: 80, nodePort: taken.port }] },
  });
  await eventually('its event says so', async () =>
    new RegExp(`Warning +NodePortInUse.*\\(pid ${process.pid}\\) listens at port ${taken.port}/TCP.*Choose another nodePort`).test(
      await daemon.ok('describe', 'service', 'nodeport'),
    ),
  );
  assert.match(
    await refused(['create', 'service', 'nodeport', 'second', '--tcp=80', `--node-port=${taken.port}`]),
    /Service "second" is invalid: spec\.ports\[0\]\.nodePort: Invalid value: \d+: provided port is already allocated/,
  );

  // It is let go, and the pod starts by itself.
  server.close();
  await daemon.ok('wait', 'pod', 'host', '--for=condition=Ready', '--timeout=60s');
  await daemon.ok('delete', 'pod', 'host', '--now');
  await daemon.ok('delete', 'service', 'nodeport');
});
