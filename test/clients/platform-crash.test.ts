import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployment, eventually, pod, runClient, startTestDaemon, type TestDaemon } from './platform.ts';

const COUNT = 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done';
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const SERVE = ['sh', '-c', 'mkdir /www; hostname > /www/name; exec httpd -f -p 8080 -h /www'];

let daemon: TestDaemon;

before(async () => {
  daemon = await startTestDaemon();
});

// Leaves nothing: the close fails when something is left.
after(() => daemon.close());

async function docker(...args: string[]): Promise<string> {
  const ran = await runClient('docker', args, daemon.environment);
  assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout.replace(/\n$/, '');
}

const field = (name: string, path: string): Promise<string> => daemon.ok('get', 'pod', name, '-o', `jsonpath=${path}`);

/** Numbers from 0 on, each once and in order. */
function assertUnbroken(text: string, atLeast: number): void {
  const numbers = text.trim().split('\n').map(Number);
  assert.deepEqual(numbers, numbers.map((_, n) => n));
  assert.ok(numbers.length >= atLeast, `${numbers.length} lines`);
}

test('kill -9 of the daemon: pods and containers go on serving, and after the restart all is whole', async () => {
  await daemon.apply(
    deployment('web', { command: SERVE, ports: [{ containerPort: 8080 }] }, { replicas: 2 }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    pod('counter', { command: ['sh', '-c', COUNT] }),
    pod('ends', { command: ['sh', '-c', 'sleep 3; exit 7'] }, { restartPolicy: 'Never' }),
    pod(
      'restarted',
      {
        command: ['sh', '-c', 'if [ -e /marks/once ]; then exec sleep 1000; fi; touch /marks/once; exit 1'],
        volumeMounts: [{ name: 'marks', mountPath: '/marks' }],
      },
      { volumes: [{ name: 'marks', emptyDir: {} }] },
    ),
  );
  await daemon.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  await eventually(
    'a pod has been restarted',
    async () => (await field('restarted', '{.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}')) === '1 true',
  );
  await docker(
    'run',
    '-d',
    '--name',
    'published',
    '-p',
    '127.0.0.1:0:80',
    'busybox',
    'sh',
    '-c',
    'echo alive > /root/index.html; exec httpd -f -p 80 -h /root',
  );
  await docker('run', '-d', '--name', 'lines', 'busybox', 'sh', '-c', COUNT);
  await docker('run', '-d', '--name', 'seven', 'busybox', 'sh', '-c', 'sleep 1; exit 7');
  const nodePort = await daemon.ok('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}');
  const published = (await docker('port', 'published', '80')).split(':').at(-1)!;
  const service = async (): Promise<string> => (await fetch(`http://127.0.0.1:${nodePort}/name`, { headers: { connection: 'close' } })).text();
  const container = async (): Promise<string> => (await fetch(`http://127.0.0.1:${published}/`, { headers: { connection: 'close' } })).text();
  const seen = async (): Promise<unknown> => ({
    pods: (
      await daemon.ok(
        'get',
        'pods',
        '-o',
        'jsonpath={range .items[?(@.metadata.name!="ends")]}{.metadata.name} {.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\\n"}{end}',
      )
    )
      .split('\n')
      .sort(),
    container: await docker('inspect', '-f', '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}', 'published'),
  });
  const before = await seen();

  await daemon.kill();
  for (let n = 0; n < 20; n++) {
    assert.match(await service(), /^web-/);
    assert.equal(await container(), 'alive\n');
    await sleep(100);
  }
  await sleep(1500); // Both that end have ended, with nobody there to see it.
  await daemon.restart();

  assert.match(await service(), /^web-/);
  assert.equal(await container(), 'alive\n');
  assert.equal(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'seven'), 'exited 7');
  await eventually(
    "the pod's end is told",
    async () =>
      (await field(
        'ends',
        '{.status.phase} {.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].restartCount}',
      )) === 'Failed 7 0',
  );
  await eventually(
    'the node is ready',
    async () => (await daemon.ok('get', 'nodes', '-o', 'jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}')) === 'True',
  );
  assert.deepEqual(await seen(), before, 'no container was replaced or restarted, and no address has changed');
  assertUnbroken(await daemon.ok('logs', 'counter'), 200);
  assertUnbroken(await docker('logs', 'lines'), 200);
  assert.equal(await daemon.ok('exec', 'counter', '--', 'echo', 'here'), 'here');

  // What is asked of it from now on works as before.
  await daemon.ok('scale', 'deploy/web', '--replicas=3');
  await daemon.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  await daemon.ok('delete', 'deployment,service', 'web');
  await daemon.ok('delete', 'pod', 'counter', 'restarted', 'ends', '--now');
  await docker('rm', '-f', 'published', 'lines', 'seven');
});

test('kill -9 while pods are started and taken down: all ends as it should', async () => {
  await daemon.apply(deployment('churn', { command: SERVE }, { replicas: 0 }));
  for (let round = 0; round < 6; round++) {
    const wanted = round % 2 === 0 ? 5 : 1;
    await daemon.ok('scale', 'deploy/churn', `--replicas=${wanted}`);
    await sleep(50 + 120 * round);
    await daemon.kill();
    await daemon.restart();
    await eventually(`${wanted} pods are there, and all are ready`, async () => {
      const pods = (
        await daemon.ok(
          'get',
          'pods',
          '-l',
          'app=churn',
          '-o',
          'jsonpath={range .items[*]}{.status.containerStatuses[0].ready} {.status.containerStatuses[0].restartCount}{"\\n"}{end}',
        )
      ).split('\n');
      assert.deepEqual(
        pods,
        Array.from({ length: wanted }, () => 'true 0'),
      );
      return true;
    });
  }
  const running = (await docker('ps', '-aq', '--filter', 'label=io.kubernetes.container.name=churn')).split('\n');
  assert.equal(running.length, 1, 'no container of a pod that is gone is left');
  await daemon.ok('delete', 'deployment', 'churn');
  await eventually('nothing is left of it', async () => (await docker('ps', '-aq')) === '');
});

test('kill -9 in the middle of a build: the next one builds', async () => {
  const context = ['FROM busybox', 'RUN echo one > /one', 'RUN sleep 1; echo two > /two', 'CMD ["cat", "/one", "/two"]'].join('\n');
  const building = runClient('docker', ['build', '-q', '-t', 'made', '-'], { ...daemon.environment, DOCKER_BUILDKIT: '0' }, { input: context });
  await sleep(500);
  await daemon.kill();
  assert.notEqual((await building).code, 0);
  await daemon.restart();
  assert.equal((await runClient('docker', ['build', '-q', '-t', 'made', '-'], { ...daemon.environment, DOCKER_BUILDKIT: '0' }, { input: context })).code, 0);
  assert.equal(await docker('run', '--rm', 'made'), 'one\ntwo');
  assert.equal(await docker('ps', '-aq'), '');
});

test('kill -9 while pods are terminating: they end, and so does whoever waits for it', async () => {
  const stubborn = { command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] };
  await daemon.apply(
    pod('late', stubborn, { terminationGracePeriodSeconds: 3 }),
    pod('later', stubborn, { terminationGracePeriodSeconds: 3 }),
    pod('stays', { command: ['sleep', '1000'] }),
  );
  await daemon.ok('wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s');
  await daemon.ok('delete', 'pod', 'late', 'later', '--wait=false');
  await sleep(500);
  await daemon.kill();
  await daemon.restart();
  await daemon.ok('wait', 'pod', 'late', 'later', '--for=delete', '--timeout=30s');
  assert.equal(await field('stays', '{.status.phase} {.status.containerStatuses[0].restartCount}'), 'Running 0');
  assert.equal((await docker('ps', '-aq')).split('\n').length, 1, 'the one that stays alone');
  await daemon.ok('delete', 'pod', 'stays', '--now');
});

test('kill -9 while an image is loaded: no half of it shows, and the next load succeeds', async () => {
  const archive = join(daemon.home.root, 'large.tar');
  const context = 'FROM busybox\nRUN head -c 60000000 /dev/urandom > /blob && sha256sum /blob > /sum\nCMD ["sha256sum", "-c", "/sum"]\n';
  assert.equal((await runClient('docker', ['build', '-q', '-t', 'large', '-'], { ...daemon.environment, DOCKER_BUILDKIT: '0' }, { input: context })).code, 0);
  await docker('save', '-o', archive, 'large');
  for (const ms of [60, 150, 300, 500]) {
    await docker('rmi', '-f', 'large');
    const loading = runClient('docker', ['load', '-i', archive], daemon.environment);
    await sleep(ms);
    await daemon.kill();
    const { code } = await loading;
    await daemon.restart();
    if (code === 0) assert.match(await docker('images', '-q', 'large'), /^[0-9a-f]{12}$/, 'what was acknowledged is there');
    if ((await docker('images', '-q', 'large')) !== '') assert.equal(await docker('run', '--rm', 'large'), '/blob: OK');
  }
  await docker('load', '-i', archive);
  assert.equal(await docker('run', '--rm', 'large'), '/blob: OK');
  await docker('rmi', 'large');
});

/** `longshore up`, and the daemon that it started. */
async function up(): Promise<{ readonly code: number; readonly text: string; readonly ms: number }> {
  const begun = performance.now();
  const { code, stderr } = await runClient(process.execPath, [MAIN, 'up'], daemon.environment);
  return { code, text: stderr, ms: performance.now() - begun };
}

test('kill -9 in the middle of `longshore up`: the next one is up, and all that ran still runs', async (t) => {
  await daemon.apply(pod('through', { command: ['sleep', '1000'] }));
  await daemon.ok('wait', 'pod', 'through', '--for=condition=Ready', '--timeout=60s');
  await docker('run', '-d', '--name', 'beside', 'busybox', 'sleep', '1000');
  const before = [
    await field('through', '{.status.podIP} {.status.containerStatuses[0].containerID}'),
    await docker('inspect', '-f', '{{.State.StartedAt}}', 'beside'),
  ];
  await daemon.kill();
  for (const ms of [150, 300, 450, 600, 900, 1300]) {
    const starting = spawn(process.execPath, [MAIN, 'up'], { env: { ...process.env, ...daemon.environment }, stdio: 'ignore' });
    const ended = once(starting, 'exit');
    await sleep(ms);
    // It may be done already, and its daemon on its own.
    const children = await readFile(`/proc/${starting.pid}/task/${starting.pid}/children`, 'utf8').catch(async () =>
      String((JSON.parse(await readFile(daemon.home.statusFile, 'utf8')) as { pid: number }).pid),
    );
    for (const pid of children.trim().split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
    starting.kill('SIGKILL');
    await ended;
  }
  const { code, text, ms } = await up();
  assert.equal(code, 0, text);
  t.diagnostic(`longshore up, after a kill -9: ${Math.round(ms)} ms`);
  assert.ok(ms < 5000, `it took ${ms} ms`);
  assert.match(text, /up in/);
  assert.deepEqual(
    [
      await field('through', '{.status.podIP} {.status.containerStatuses[0].containerID}'),
      await docker('inspect', '-f', '{{.State.StartedAt}}', 'beside'),
    ],
    before,
  );
  assert.equal(await daemon.ok('exec', 'through', '--', 'echo', 'here'), 'here');
  await daemon.ok('delete', 'pod', 'through', '--now');
  await docker('rm', '-f', 'beside');
});
