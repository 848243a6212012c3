/** One home, one daemon: how it is started twice, stopped in whatever state it is, and taken away when it has died. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, pod, runClient, startTestDaemon, type Ran, type TestDaemon } from './platform.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const STUBBORN = { command: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] };

let daemon: TestDaemon;

beforeEach(async () => {
  daemon = await startTestDaemon();
});

// Fails when anything is left on the host: links, tables, mounts, processes, control groups.
afterEach(() => daemon.close());

const longshore = (...args: string[]): Promise<Ran> => runClient(process.execPath, [MAIN, ...args], daemon.environment);
const docker = (...args: string[]): Promise<Ran> => runClient('docker', args, daemon.environment);

/** A pod, a Service and a container with a published port: something of everything. */
async function work(): Promise<void> {
  await daemon.apply(pod('works', { command: ['sleep', '1000'] }, {}, { labels: { app: 'works' } }), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'works' },
    spec: { type: 'NodePort', selector: { app: 'works' }, ports: [{ port: 80 }] },
  });
  await daemon.ok('wait', 'pod', 'works', '--for=condition=Ready', '--timeout=60s');
  assert.equal((await docker('run', '-d', '-p', '127.0.0.1:0:80', '-v', 'kept:/kept', 'busybox', 'sleep', '1000')).code, 0);
}

test('a second daemon on the same home is refused before it opens anything, with the pid of the first', async () => {
  await work();
  const before = (await docker('ps', '-q')).stdout;
  const second = await longshore('server');
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`pid ${daemon.pid()}\\b.*${daemon.home.root}|${daemon.home.root}.*pid ${daemon.pid()}\\b`));
  assert.match(second.stderr, /longshore down/);
  assert.equal((await docker('ps', '-q')).stdout, before);
  assert.equal(await daemon.ok('exec', 'works', '--', 'echo', 'here'), 'here');
  const up = await longshore('up');
  assert.equal(up.code, 0, up.stderr);
  assert.match(up.stderr, /it runs already/);
});

test('of several `longshore up` at once one starts it, and all find it up', async () => {
  await daemon.kill();
  const ran = await Promise.all([1, 2, 3].map(() => longshore('up')));
  for (const { code, stderr } of ran) assert.equal(code, 0, stderr);
  assert.equal(ran.filter(({ stderr }) => /it runs already/.test(stderr)).length, 2);
});

test('down works when the file with its status is gone, and when it does not listen', async () => {
  await work();
  await rm(daemon.home.statusFile);
  const down = await longshore('down');
  assert.equal(down.code, 0, down.stderr);
  assert.match(down.stderr, /stopped/);
});

test('down of a daemon that is starting ends it', async () => {
  await work();
  await daemon.kill();
  for (const ms of [200, 400]) {
    const starting = spawn(process.execPath, [MAIN, 'server'], { env: { ...process.env, ...daemon.environment }, stdio: 'ignore' });
    const ended = once(starting, 'exit');
    await eventually('it has the home', async () => (await readFile(join(daemon.home.root, 'daemon.pid'), 'utf8')).includes(`${starting.pid},`));
    await sleep(ms);
    const down = await longshore('down');
    assert.equal(down.code, 0, down.stderr);
    await ended;
  }
});

test('down while pods are terminating and a container ignores its signal does not wait for them', async () => {
  await daemon.apply(pod('stubborn', STUBBORN, { terminationGracePeriodSeconds: 60 }), pod('other', STUBBORN, { terminationGracePeriodSeconds: 60 }));
  await daemon.ok('wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s');
  await daemon.ok('delete', 'pod', 'stubborn', '--wait=false');
  await sleep(300);
  const down = await longshore('down');
  assert.equal(down.code, 0, down.stderr);
  assert.match(down.stderr, /stopped/);
  assert.doesNotMatch(down.stderr, /!/);
  assert.doesNotMatch(daemon.log(), /(error|warn) /);
});

test('a daemon that can not stop in good order says why and ends; down takes away what it leaves', async () => {
  await work();
  const books = join(daemon.home.engine, 'networks');
  assert.equal(spawnSync('mount', ['--bind', books, books]).status, 0);
  assert.equal(spawnSync('mount', ['-o', 'remount,bind,ro', books]).status, 0);
  const down = await longshore('down');
  assert.equal(down.code, 0, down.stderr);
  assert.match(down.stderr, /did not stop in good order: engine: .*EROFS/);
  assert.match(daemon.log(), /did not stop in good order.*part=engine/);
});

test('what a dead daemon left is taken away, also without the folder of its status, and with a damaged file of decisions', async () => {
  await work();
  await daemon.kill();
  await rm(daemon.home.run, { recursive: true });
  await writeFile(daemon.home.configFile, '{"id": "');
  const down = await longshore('down');
  assert.equal(down.code, 0, down.stderr);
  assert.match(down.stderr, /no daemon ran; took away \d+ things/);
  assert.match((await longshore('down')).stderr, /nothing ran/);
});

test('the routes of a dead daemon to the pods of other nodes are taken away, and no others', async () => {
  const ip = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const link = `lsr${daemon.config.id.slice(0, 8)}`;
  const cluster = daemon.config.clusterCidr.split('.').slice(0, 2).join('.');
  await daemon.kill();
  ip('link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}p`);
  try {
    ip('addr', 'add', '203.0.113.253/30', 'dev', link);
    for (const end of [link, `${link}p`]) ip('link', 'set', end, 'up');
    ip('route', 'add', `${cluster}.77.0/24`, 'via', '203.0.113.254', 'proto', 'static'); // as the daemon sets them
    ip('route', 'add', '203.0.113.128/26', 'via', '203.0.113.254');
    const down = await longshore('down');
    assert.equal(down.code, 0, down.stderr);
    const left = (JSON.parse(ip('-j', 'route', 'show', 'dev', link)) as { dst: string }[]).map(({ dst }) => dst);
    assert.deepEqual(left.sort(), ['203.0.113.128/26', '203.0.113.252/30']);
  } finally {
    ip('link', 'del', link);
  }
});

test('uninstall of a dead instance leaves nothing, and refuses while its decisions can not be read', async () => {
  await work();
  await daemon.kill();
  const [config, copy] = [daemon.home.configFile, `${daemon.home.configFile}~`];
  const kept = await readFile(config, 'utf8');
  await Promise.all([config, copy].map((path) => writeFile(path, 'nonsense')));
  const refused = await longshore('uninstall', '--yes');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /instance\.json is damaged.*\n.*Restore the file/);
  await writeFile(config, kept);
  const removed = await longshore('uninstall', '--yes');
  assert.equal(removed.code, 0, removed.stderr);
  await assert.rejects(access(daemon.home.root), { code: 'ENOENT' });
});
