// The longshore command against a running instance.
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, runClient, startTestDaemon, type Ran, type TestDaemon } from './platform.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
let daemon: TestDaemon;
let user: string;
const running = new Set<ChildProcess>();

before(async () => {
  daemon = await startTestDaemon();
  user = await mkdtemp(join(tmpdir(), 'user-'));
});
after(async () => {
  for (const child of running) child.kill('SIGKILL');
  await daemon.close();
  await rm(user, { recursive: true });
});

const longshore = (...args: string[]): Promise<Ran> =>
  runClient(process.execPath, [MAIN, ...args], {
    LONGSHORE_HOME: daemon.home.root,
    HOME: user,
    KUBECONFIG: '',
    DOCKER_CONFIG: '',
    NO_COLOR: '1',
  });

async function ok(...args: string[]): Promise<string> {
  const ran = await longshore(...args);
  assert.equal(ran.code, 0, `longshore ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

/** A command that goes on, until it is interrupted. */
function start(...args: string[]): { readonly output: () => string; readonly stop: () => Promise<number | null> } {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, LONGSHORE_HOME: daemon.home.root }, stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => {
    running.delete(child);
    resolve(code);
  }));
  return { output: () => output, stop: () => (child.kill('SIGINT'), exit) };
}

test('the foreground server has the settings of one in the background', async () => {
  const command = (await readFile(`/proc/${daemon.pid()}/cmdline`, 'utf8')).split('\0');
  assert.ok(command.includes('--max-semi-space-size=8'));
  assert.match(await readFile(`/proc/${daemon.pid()}/environ`, 'utf8'), /MALLOC_ARENA_MAX=2/);
});

test('status and env say where everything is', async () => {
  const status = JSON.parse(await ok('status', '-o', 'json')) as { pid: number; registry: string; instance: string };
  assert.equal(status.pid, daemon.pid());
  assert.match(await ok('status'), new RegExp(`registry +${status.registry}, for pods also 10\\.`));
  assert.equal((await ok('status', '-o', 'name')).trim(), status.instance);
  assert.match(await ok('status', '-o', 'yaml'), new RegExp(`^pid: ${status.pid}$`, 'm'));
  const shell = await ok('env');
  const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
    execFile(
      'bash',
      ['-c', `${shell}curl -sf --noproxy '*' http://$LONGSHORE_REGISTRY/v2/ && docker ps -q && kubectl get ns default -o name`],
      (error, out) => (error ? reject(error) : resolve({ stdout: out })),
    );
  });
  assert.match(stdout, /namespace\/default/);
});

test('contexts for docker and kubectl are merged and taken away', async () => {
  await ok('env', '--merge');
  const clients = { HOME: user, KUBECONFIG: '', DOCKER_CONFIG: '', DOCKER_HOST: '' };
  assert.equal((await runClient('docker', ['--context', 'longshore', 'version', '--format', '{{.Server.Os}}'], clients)).stdout.trim(), 'linux');
  assert.equal((await runClient('kubectl', ['--context', 'longshore', 'get', 'ns', 'default', '-o', 'name'], clients)).stdout.trim(), 'namespace/default');
  await ok('env', '--unmerge');
  assert.notEqual((await runClient('docker', ['--context', 'longshore', 'version'], clients)).code, 0);
  assert.equal((await longshore('env', '--merge', '--unmerge')).code, 2);
});

test('forward leads to a Service, also after its pods were replaced', async () => {
  await daemon.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [
              {
                name: 'web',
                image: 'busybox',
                command: ['sh', '-c', 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp'],
                ports: [{ name: 'http', containerPort: 8080 }],
                readinessProbe: { httpGet: { port: 8080, path: '/' }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ name: 'web', port: 80, targetPort: 'http' }] },
    },
  );
  await daemon.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  const forwarding = start('forward', 'svc/web', ':80', ':web');
  const ports = await eventually('both ports are there', () => {
    const found = [...forwarding.output().matchAll(/^127\.0\.0\.1:(\d+) -> svc\/web:(80|web)$/gm)].map(([, port]) => Number(port));
    return found.length === 2 && found;
  });
  const ask = async (port: number): Promise<string> => (await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()).trim();
  const [first, second] = await eventually('it answers', async () => Promise.all(ports.map(ask)));
  assert.equal(first, second);
  assert.match(first!, /^web-/);
  await daemon.ok('delete', 'pod', '-l', 'app=web', '--wait=true');
  await daemon.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  await eventually('another pod answers', async () => (await ask(ports[0]!)) !== first);
  assert.equal(await forwarding.stop(), 0);
  const [none, port, kind] = await Promise.all([
    longshore('forward', 'svc/none', '1:1'),
    longshore('forward', 'svc/web', ':81'),
    longshore('forward', 'cm/x', '1'),
  ]);
  assert.deepEqual([none.code, port.code, kind.code], [3, 3, 1], none.stderr + port.stderr + kind.stderr);
  assert.match(port.stderr, /service\/web has no port 81\n {2}→ It has: 80 \(web\)\./);
});

test('df and prune: what nothing uses goes, what pods use stays', async () => {
  const docker = async (...args: string[]): Promise<string> => (await runClient('docker', args, daemon.environment)).stdout.trim();
  await docker('run', '--name', 'over', 'busybox', 'true');
  await docker('volume', 'create', 'kept');
  const rows = JSON.parse(await ok('df', '-o', 'json')) as { name: string; count?: number; bytes: number }[];
  const of = (name: string): { count?: number; bytes: number } => rows.find((row) => row.name === name)!;
  assert.ok(of('images').bytes > 500_000 && of('images').count === 1);
  assert.ok(of('cluster-state').bytes > 10_000);
  assert.equal(of('volumes').count, 1);
  assert.match(await ok('df'), /^WHAT +COUNT +SIZE +RECLAIMABLE\nimages +1 /);
  assert.equal((await longshore('prune')).code, 2, 'no question without a terminal');
  const pruned = await ok('prune', '--yes', '--all', '-o', 'name');
  assert.match(pruned, /^containers\/[0-9a-f]{64}$/m);
  assert.match(await docker('images', '--format', '{{.Repository}}'), /busybox/, "the pod's image");
  assert.equal(await docker('volume', 'ls', '-q'), 'kept');
  await ok('prune', '--yes', '--volumes');
  assert.equal(await docker('volume', 'ls', '-q'), '');
});

test('logs end with the last lines, and follow what comes', async () => {
  await appendFile(daemon.home.daemonLog, 'first\nsecond\n');
  assert.equal(await ok('logs', '-n', '1'), 'second\n');
  const following = start('logs', '-f', '-n', '1');
  await eventually('it has begun', () => following.output() === 'second\n');
  await appendFile(daemon.home.daemonLog, 'third\n');
  await eventually('it goes on', () => following.output() === 'second\nthird\n');
  assert.equal(await following.stop(), 0);
});
