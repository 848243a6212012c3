/** What is wrong with the machine or with the files of an instance: each error names the object, the cause and what to do, and nothing is lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { InstanceConfig } from '../../src/app/instance.ts';
import { openHost } from '../../src/host/open.ts';
import { which } from '../../src/host/which.ts';
import { deployment, eventually, pod, runClient, startTestDaemon, type Ran, type TestDaemon } from './platform.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let daemon: TestDaemon;

const longshore = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  runClient(process.execPath, [MAIN, ...args], { ...daemon.environment, ...environment });
const docker = (...args: string[]): Promise<Ran> => runClient('docker', args, daemon.environment);

/** Runs a command of ours, which is to fail. @returns what it says */
async function fails(...args: string[]): Promise<string> {
  const ran = await longshore(args);
  assert.notEqual(ran.code, 0, `longshore ${args.join(' ')} succeeded`);
  return ran.stderr;
}

async function up(...args: string[]): Promise<string> {
  const ran = await longshore(['up', ...args]);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stderr;
}

describe('with an instance', () => {
  beforeEach(async () => {
    daemon = await startTestDaemon();
  });

  // Fails when anything is left on the host.
  afterEach(() => daemon.close());

  test('a full disk of the store: writes are refused with what to do, reads go on, and when there is room so do writes', async (t) => {
    await daemon.kill();
    // A small disk of its own under the store, with what is there.
    const { store } = daemon.home;
    const aside = `${store}.aside`;
    await rename(store, aside);
    await mkdir(store);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'longshore-test', store]).status, 0);
    assert.equal(spawnSync('cp', ['-a', `${aside}/.`, store]).status, 0);
    t.after(() => void spawnSync('umount', ['-l', store])); // where the test fails before it does
    await daemon.restart();
    await daemon.apply(deployment('web', { command: ['sleep', '1000'] }));
    await daemon.ok('rollout', 'status', 'deploy/web', '--timeout=60s');

    const text = 'x'.repeat(100_000);
    const kept: string[] = [];
    let refusal = '';
    for (let n = 0; refusal === ''; n++) {
      assert.ok(n < 100, 'the disk is never full');
      const ran = await daemon.kubectl(['create', '-f', '-'], {
        input: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `full-${n}` }, data: { text } }),
      });
      if (ran.code === 0) kept.push(`configmap/full-${n}`);
      else refusal = ran.stderr;
    }
    assert.ok(kept.length > 5);
    assert.match(refusal, /InsufficientStorage/);
    assert.match(refusal, new RegExp(`${store}: the disk is full.*Free space there and try again`));
    const all = (): Promise<string[]> =>
      daemon.ok('get', 'configmaps', '-o', 'name').then((names) =>
        names
          .split('\n')
          .filter((name) => name.includes('/full-'))
          .sort(),
      );
    assert.deepEqual(await all(), [...kept].sort());
    assert.equal(await daemon.ok('exec', 'deploy/web', '--', 'echo', 'reads go on'), 'reads go on');
    assert.equal((await docker('run', '--rm', 'busybox', 'echo', 'so does docker')).stdout, 'so does docker\n');

    // A kill loses nothing of it either.
    await daemon.kill();
    await daemon.restart();
    assert.deepEqual(await all(), [...kept].sort());

    assert.equal(spawnSync('mount', ['-o', 'remount,size=16m', store]).status, 0);
    await daemon.ok('create', 'configmap', 'later', '--from-literal=a=b');
    await daemon.ok('scale', 'deploy/web', '--replicas=2');
    await daemon.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
    assert.deepEqual(await all(), [...kept].sort());
    assert.equal((await longshore(['down'])).code, 0);
    assert.equal(spawnSync('umount', [store]).status, 0);
  });

  test('the port of the API is taken: who has it, and where another is chosen', async (t) => {
    await daemon.kill();
    const config = JSON.parse(await readFile(daemon.home.configFile, 'utf8')) as InstanceConfig;
    const server = createServer().listen(config.apiPort, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const taken = new RegExp(`127\\.0\\.0\\.1:${config.apiPort}.*in use[^]*\\(pid ${process.pid}\\) has it[^]*"apiPort" in ${daemon.home.configFile}`);
    assert.match(await fails('up'), taken);
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    other.close();
    await writeFile(daemon.home.configFile, JSON.stringify({ ...config, apiPort: port }));
    await up();
    assert.match(await daemon.ok('cluster-info'), new RegExp(`:${port}`));
    await daemon.apply(
      pod('asks', {
        command: ['sh', '-c', 'until nc -w 2 kubernetes.default 443 < /dev/null; do sleep 0.2; done; echo answers; sleep 1000'],
      }),
    );
    await eventually('pods find it, too', async () => (await daemon.ok('logs', 'asks')) === 'answers');
  });

  test('damaged files: those that can be made again are, and the others are named', async () => {
    const { home } = daemon;
    await daemon.apply(pod('one', { command: ['sleep', '1000'] }), pod('two', { command: ['sleep', '1000'] }));
    await daemon.ok('wait', 'pod', 'one', 'two', '--for=condition=Ready', '--timeout=60s');
    const ids = async (): Promise<string[]> =>
      (
        await daemon.ok(
          'get',
          'pods',
          '-o',
          'jsonpath={range .items[*]}{.metadata.name}={.status.containerStatuses[0].containerID}{"\\n"}{end}',
        )
      )
        .split('\n')
        .sort();
    const before = await ids();

    // The status of one that runs: it can still be stopped, and says so.
    const status = await readFile(home.statusFile, 'utf8');
    await writeFile(home.statusFile, status.slice(0, 40));
    assert.match(await fails('status'), new RegExp(`status\\.json is damaged, and the daemon \\(pid ${daemon.pid()}\\) runs[^]*longshore up`));
    await daemon.kill();

    // The sandbox of one pod, the remains of another, the kubeconfig, the status, the decisions.
    const sandboxes = join(home.node, 'sandboxes');
    const [first] = await readdir(sandboxes);
    const owner = (
      JSON.parse(await readFile(join(sandboxes, first!, 'sandbox.json'), 'utf8')) as { config: { metadata: { name: string } } }
    ).config.metadata.name;
    await writeFile(join(sandboxes, first!, 'sandbox.json'), '');
    const remains = join(sandboxes, 'f'.repeat(64));
    await mkdir(join(remains, 'shm'), { recursive: true });
    await writeFile(join(remains, 'ipc'), '');
    for (const args of [
      ['--bind', '/proc/self/ns/ipc', join(remains, 'ipc')],
      ['-t', 'tmpfs', 'longshore-test', join(remains, 'shm')],
    ]) {
      assert.equal(spawnSync('mount', args).status, 0);
    }
    for (const path of [home.kubeconfig, home.statusFile, home.configFile]) await writeFile(path, '\0\0\0');
    const said = await up();
    assert.doesNotMatch(said, /✗/);
    await eventually('the pod without a sandbox has a new one, and nothing else has changed', async () => {
      const now = await ids();
      const changed = now.filter((each) => !before.includes(each));
      return (
        changed.length === 1 &&
        changed[0]!.startsWith(`${owner}=longshore://`) &&
        (await daemon.ok('get', 'pods', '-o', 'jsonpath={.items[*].status.containerStatuses[0].ready}')) === 'true true'
      );
    });
    assert.equal(await stat(remains).then(() => true, () => false), false);
    await daemon.ok('exec', owner, '--', 'true');
    await daemon.ok('delete', 'pod', '--all', '--now');
    await docker('tag', 'busybox', 'busybox:again');
    assert.equal((await longshore(['down'])).code, 0);

    // What is acknowledged and can't be made again is not guessed at.
    const files: readonly (readonly [string, RegExp])[] = [
      [join(home.store, (await readdir(home.store)).filter((name) => name.startsWith('wal-')).at(-1)!), /state store at .*\/state is damaged.*\n.*backup/],
      [join(home.engine, 'images/images.log'), /images\.log.*damaged.*\n.*(backup|move it away)/i],
      [join(home.pki, 'ca.crt'), /certificate authority in .*\/pki.*\n.*→ Restore ca\.crt/],
      [join(home.pki, 'sa.key'), /pki\/sa\.key.*\n.*→ Restore the file/],
    ];
    for (const [path, expected] of files) {
      const whole = await readFile(path);
      const broken = Buffer.from(whole);
      broken.fill(0, 60, Math.min(120, broken.length - 1));
      await writeFile(path, broken);
      assert.match(await fails('up'), expected, path);
      await writeFile(path, whole);
    }
    await up();
    assert.equal(await daemon.ok('get', 'pods', '-o', 'name'), '');
    assert.match((await docker('images')).stdout, /busybox/);
  });

  test('projects that can not be built or applied: the file, what is wrong in it, and what the build said', async (t) => {
    const folder = await mkdtemp('/tmp/lsk-shop-');
    t.after(() => rm(folder, { recursive: true }));
    const project = async (files: Readonly<Record<string, string>>): Promise<string> => {
      const place = await mkdtemp(join(folder, 'p-'));
      for (const [name, text] of Object.entries(files)) await writeFile(join(place, name), text);
      return fails('up', '--timeout', '3', place);
    };
    assert.match(
      await project({ Dockerfile: 'FROM busybox\nRUNN echo\n' }),
      /\/p-\w+\/Dockerfile could not be built: dockerfile parse error on line 2: unknown instruction: RUNN.*\n.*→ Correct it there/,
    );
    assert.match(
      await project({ Dockerfile: 'FROM busybox\nRUN echo said && cat /nosuch\n' }),
      /Dockerfile could not be built: The command .*non-zero code: 1[^]*said\n.*cat: can't open '\/nosuch'/,
    );
    assert.match(
      await project({ Dockerfile: 'FROM busybox\nCOPY missing.txt /\n' }),
      /Dockerfile could not be built: .*"\/missing\.txt": not found/,
    );
    assert.match(
      await project({ Dockerfile: 'FROM nosuchbase:1\n' }),
      /base image nosuchbase:1 can't be pulled[^]*→ Give it to the engine by docker load/,
    );
    assert.match(
      await project({ 'app.yaml': 'apiVersion: v1\nkind: Pod\n  bad: [' }),
      /app\.yaml is no YAML: [^]*line 2[^]*→ Correct it there/,
    );
    assert.match(
      await project({ 'app.yaml': 'apiVersion: v1\nkind: Podd\nmetadata: {name: x}\n' }),
      /Podd\/x of .*app\.yaml was not applied: the API has no kind Podd of v1[^]*kubectl api-resources/,
    );
    assert.match(
      await project({ 'app.yaml': JSON.stringify({ ...deployment('x', {}, { replica: 1 }) }) }),
      /Deployment\/x of .*app\.yaml was not applied: .*replica/,
    );
    assert.match(
      await project({ 'app.yaml': JSON.stringify(deployment('stuck', { image: 'nosuch:1', imagePullPolicy: 'Never' })) }),
      /deployment\/stuck did not become available within 3 s[^]*pod default\/stuck-\S+ waits for its image nosuch:1: ErrImageNeverPull[^]*→ Build it/,
    );
    assert.match(await project({}), /neither a Dockerfile nor manifests[^]*→ Add a Dockerfile/);
    await daemon.ok('delete', 'deployment', '--all');
  });
});

describe('without an instance', () => {
  const at = (home: string): Readonly<Record<string, string>> => ({ LONGSHORE_HOME: home, HOME: home });
  const run = (home: string, ...args: string[]): Promise<Ran> => runClient(process.execPath, [MAIN, ...args], at(home));

  test('without runc, up and doctor name it and the package', async (t) => {
    const folder = await mkdtemp('/tmp/lsk-norunc-');
    t.after(() => rm(folder, { recursive: true }));
    // In a mount namespace of its own, its place is covered by a file that is no program.
    await writeFile(join(folder, 'covered'), '');
    const runc = await which('runc');
    assert.ok(runc !== undefined);
    const script = `mount --bind ${folder}/covered "$(readlink -f ${runc})" && exec "$@"`;
    const without = (...args: string[]): Promise<Ran> =>
      runClient(
        'unshare',
        ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', process.execPath, MAIN, ...args],
        at(join(folder, 'home')),
      );
    const started = await without('up');
    assert.notEqual(started.code, 0);
    assert.match(started.stderr, /runc, which runs containers, is not installed[^]*apt-get install runc/);
    const doctor = await without('doctor');
    assert.notEqual(doctor.code, 0);
    assert.match(doctor.stdout, /✗ runc: runc is not installed[^]*→ Install it: apt-get install runc/);
  });

  test('a home that can not be written or read', async (t) => {
    const folder = await mkdtemp('/tmp/lsk-home-');
    t.after(async () => {
      const host = await openHost();
      for (const mount of await host.mounts.beneath(folder)) await host.mounts.unmount(mount);
      await rm(folder, { recursive: true });
    });
    const readOnly = join(folder, 'read-only');
    await mkdir(readOnly);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'longshore-test', readOnly]).status, 0);
    const refused = await run(join(readOnly, 'home'), 'up');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, new RegExp(`can't use the folder ${readOnly}/home: EROFS[^]*→ .*set LONGSHORE_HOME`));

    const file = join(folder, 'file');
    await writeFile(file, '');
    assert.match((await run(file, 'up')).stderr, new RegExp(`can't use the folder ${file}: ${file} is no folder[^]*→`));
    assert.match((await run(file, 'status')).stderr, /nothing runs/);
    assert.match((await run(join(folder, 'x'.repeat(120)), 'up')).stderr, /too long for a unix socket[^]*shorter path/);

    // Somebody else's.
    await chmod(folder, 0o755);
    const theirs = join(folder, 'theirs');
    await mkdir(join(theirs, 'run'), { recursive: true, mode: 0o700 });
    const asNobody = (...args: string[]): Promise<Ran> =>
      runClient('setpriv', ['--reuid=65534', '--clear-groups', process.execPath, MAIN, ...args], at(theirs));
    assert.match((await asNobody('up')).stderr, /needs root[^]*sudo/);
    assert.match((await asNobody('status')).stderr, new RegExp(`can't read ${theirs}/run/status\\.json: EACCES[^]*→ Run as root`));
  });
});
