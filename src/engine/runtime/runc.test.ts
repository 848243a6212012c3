import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { LongshoreError } from '../../lib/errors.ts';
import type { RuntimeHost } from './container.ts';
import { RuncRuntime } from './runc.ts';
import type { CreateOptions, ExitStatus, RuntimeContainer } from './runtime.ts';

let home: string;
let rootfs: string;
let parent: string;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'ls-runtime-'));
  parent = `ls-test-${home.slice(-6)}`;
  rootfs = join(home, 'rootfs');
  for (const folder of ['bin', 'proc', 'dev', 'sys', 'tmp']) await mkdir(join(rootfs, folder), { recursive: true });
  await copyFile('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of ['sh', 'sleep', 'cat', 'echo', 'true', 'stty', 'tty', 'head', 'yes']) {
    await symlink('busybox', join(rootfs, 'bin', applet));
  }
  await mkdir(join(home, 'run'));
});

after(async () => {
  await rm(home, { recursive: true, force: true });
  for (const path of await hierarchies()) await rmdir(join(path, parent)).catch(() => undefined); // not in every hierarchy
});

/** Mount points of all cgroup hierarchies. */
async function hierarchies(): Promise<string[]> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return mounts.split('\n').map((line) => line.split(' ')).filter((fields) => fields[2] === 'cgroup' || fields[2] === 'cgroup2').map((fields) => fields[1]!);
}

/** The two parts of the host that the runtime needs, over the plain files of /sys/fs/cgroup. */
const host: RuntimeHost = {
  spawn: {
    async run(file, args) {
      const { stdout, stderr } = await promisify(execFile)(file, [...args], { encoding: 'buffer' });
      return { code: 0, signal: null, stdout, stderr: stderr.toString() };
    },
  },
  cgroups: {
    usage: () => Promise.resolve(undefined),
    freeze: () => Promise.resolve(),
    async processes(path) {
      const pids = new Set<number>();
      for (const hierarchy of await hierarchies()) {
        const text = await readFile(join(hierarchy, path, 'cgroup.procs'), 'utf8').catch(() => '');
        for (const line of text.split('\n')) if (line !== '') pids.add(Number(line));
      }
      return [...pids];
    },
    async remove(path) {
      for (const hierarchy of await hierarchies()) {
        await rmdir(join(hierarchy, path)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
      }
    },
  },
};

const runtimeOf = (): RuncRuntime => new RuncRuntime({ host, clock: systemClock, logger: silentLogger, folder: join(home, 'run') });

let serial = 0;

async function make(
  args: readonly string[],
  more: Partial<CreateOptions> & { readonly cwd?: string } = {},
): Promise<{ container: RuntimeContainer; bundle: string; logPath: string; id: string }> {
  const id = `c${process.pid}x${++serial}`;
  const bundle = join(home, id);
  await mkdir(bundle);
  const logPath = join(bundle, 'log');
  const capabilities = ['CAP_KILL', 'CAP_SETUID', 'CAP_SETGID'];
  const options: CreateOptions = {
    id,
    bundle,
    terminal: false,
    openStdin: false,
    stdinOnce: false,
    logPath,
    spec: {
      ociVersion: '1.0.2',
      process: {
        terminal: more.terminal ?? false,
        user: { uid: 0, gid: 0 },
        args,
        env: ['PATH=/bin', 'TERM=xterm'],
        cwd: more.cwd ?? '/',
        capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      },
      root: { path: rootfs },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
        { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
      ],
      linux: { cgroupsPath: `/${parent}/${id}`, namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })) },
    },
    ...more,
  };
  return { container: await runtimeOf().create(options), bundle, logPath, id };
}

/** All output of what runs, once it is closed. */
function collect(streams: {
  onOutput: RuntimeContainer extends never ? never : (listener: (stream: 'stdout' | 'stderr', data: Buffer) => void) => unknown;
  closed: Promise<void>;
}): Promise<{ stdout: string; stderr: string }> {
  const out = { stdout: '', stderr: '' };
  streams.onOutput((stream, data) => {
    out[stream] += data.toString();
  });
  return streams.closed.then(() => out);
}

async function supervisors(id: string): Promise<number> {
  let n = 0;
  for (const pid of await readdir('/proc')) {
    if (/^\d+$/.test(pid) && (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(id)) n++;
  }
  return n;
}

test('a container runs, its output and exit code arrive, and removal leaves nothing', async () => {
  const { container, id, logPath } = await make(['sh', '-c', 'echo out; echo err >&2; exit 3']);
  const output = collect(await container.attach());
  assert.ok(container.pid! > 0);
  await container.start();
  const exit = await container.exit;
  assert.equal(exit.code, 3);
  assert.deepEqual(await output, { stdout: 'out\n', stderr: 'err\n' });
  assert.match(await readFile(logPath, 'utf8'), /^\S+\+00:00 stdout F out\n\S+\+00:00 stderr F err\n$/);
  assert.equal(container.pid, undefined);
  await assert.rejects(container.kill(15), (error: LongshoreError) => error.code === 'conflict');
  await container.remove();
  await container.remove();
  assert.deepEqual(await readdir(join(home, 'run/state')).then((names) => names.filter((name) => name === id)), []);
  assert.equal(await supervisors(id), 0);
  for (const path of await hierarchies()) await assert.rejects(readdir(join(path, parent, id)), { code: 'ENOENT' });
});

test('standard input goes in and its end is passed on', async () => {
  const { container } = await make(['cat'], { openStdin: true, stdinOnce: true });
  const streams = await container.attach();
  const output = collect(streams);
  await container.start();
  const text = 'x'.repeat(300_000) + '\n';
  streams.stdin!.write(text);
  streams.stdin!.end();
  assert.equal((await container.exit).code, 0);
  assert.equal((await output).stdout.length, text.length);
  await container.remove();
});

test('a listener that waits holds the flow back, and nothing is lost', async () => {
  const { container } = await make(['sh', '-c', 'yes 0123456789 | head -c 3000000']);
  const streams = await container.attach();
  let bytes = 0;
  let waiting = 0;
  streams.onOutput(async (_stream, data) => {
    assert.equal(waiting++, 0, 'a second piece came while the first was held');
    await new Promise((resolve) => setImmediate(resolve));
    waiting--;
    bytes += data.length;
  });
  await container.start();
  assert.equal((await container.exit).code, 0);
  await streams.closed;
  assert.equal(bytes, 3_000_000);
  await container.remove();
});

test('exec: streams, exit code, terminal with its size, and a program that is missing', async () => {
  const { container } = await make(['sleep', '1000']);
  await container.start();
  const base = { env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 }, terminal: false, stdin: false };
  const first = await container.exec({ ...base, args: ['sh', '-c', 'echo hi; echo no >&2; exit 5'] });
  assert.deepEqual(await collect(first), { stdout: 'hi\n', stderr: 'no\n' });
  assert.equal((await first.exit).code, 5);

  const echo = await container.exec({ ...base, args: ['cat'], stdin: true });
  const echoed = collect(echo);
  echo.stdin!.end('through');
  assert.equal((await echoed).stdout, 'through');

  const tty = await container.exec({
    ...base,
    args: ['sh', '-c', 'tty; stty size; until [ "$(stty size)" = "40 120" ]; do sleep 0.01; done; read x; echo $x'],
    terminal: true,
    stdin: true,
    consoleSize: { columns: 100, rows: 33 },
  });
  const seen = collect(tty);
  await tty.resize(120, 40);
  tty.stdin!.write('typed\n');
  assert.equal((await tty.exit).code, 0);
  // Echoed at once, and printed at the end; the size changed while it ran.
  const { stdout } = await seen;
  assert.match(stdout, /\/dev\/pts\/0\r\n\d+ \d+\r\n/);
  assert.equal(stdout.split('typed\r\n').length, 3);

  await assert.rejects(container.exec({ ...base, args: ['nothing-here'] }), (error: LongshoreError) => {
    assert.match(
      error.message,
      /OCI runtime exec failed: exec failed: unable to start container process: exec: "nothing-here": executable file not found in \$PATH: unknown/,
    );
    return error.code === 'invalid';
  });

  // A child that is left behind holds the pipes; nobody waits for it.
  const leaving = await container.exec({ ...base, args: ['sh', '-c', 'sleep 1000 & echo left; exit 2'] });
  const left = collect(leaving);
  assert.equal((await leaving.exit).code, 2);
  assert.equal((await left).stdout, 'left\n');

  const much = await container.exec({ ...base, args: ['sh', '-c', 'yes 0123456789 | head -c 3000000'] });
  let bytes = 0;
  much.onOutput(async (_stream, data) => {
    await new Promise((resolve) => setImmediate(resolve));
    bytes += data.length;
  });
  assert.equal((await much.exit).code, 0);
  assert.equal(bytes, 3_000_000);

  const background = await container.exec({ ...base, args: ['sh', '-c', 'exit 6'], background: true });
  assert.equal((await background.exit).code, 6);

  const controller = new AbortController();
  const long = await container.exec({ ...base, args: ['sleep', '1000'], signal: controller.signal });
  controller.abort();
  assert.equal((await long.exit).code, 137);
  await container.remove();
  assert.deepEqual(await readdir(join(home, 'run/exec')), []);
});

test('a program that is missing is told as users of Docker know it', async () => {
  await assert.rejects(make(['nothing-here']), (error: LongshoreError) => {
    assert.match(
      error.message,
      /^failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nothing-here": executable file not found in \$PATH: unknown$/,
    );
    return error.code === 'invalid';
  });
});

test('a working directory that leads into the host is refused', async () => {
  for (const cwd of ['/proc/self/fd/7', '/proc/./self//fd/8/..', '/proc/1/root', '/proc/thread-self/cwd', 'relative']) {
    await assert.rejects(make(['true'], { cwd }), (error: LongshoreError) => error.code === 'invalid', cwd);
  }
});

test('another daemon takes a running container up, and gets the exit code of one that ended meanwhile', async () => {
  const running = await make(['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done']);
  await running.container.start();
  await eventually(async () => (await readFile(running.logPath, 'utf8')).includes('ready'));
  const later = (await runtimeOf().recover(running.id, running.bundle))!;
  assert.equal(later.pid, running.container.pid);
  await later.kill(15);
  assert.equal((await later.exit).code, 9);
  const evenLater = (await runtimeOf().recover(running.id, running.bundle))!;
  assert.equal(evenLater.pid, undefined);
  assert.equal((await evenLater.exit).code, 9);
  await evenLater.remove();
  assert.equal(await runtimeOf().recover('never', join(home, 'never')), undefined);
});

test('a supervisor that is killed takes its container along, and the exit is told', async () => {
  const { container, bundle, id } = await make(['sleep', '1000']);
  await container.start();
  const taken = (await runtimeOf().recover(id, bundle))!;
  process.kill(Number(await readFile(join(bundle, 'conmon.pid'), 'utf8')), 'SIGKILL');
  const exits: ExitStatus[] = await Promise.all([container.exit, taken.exit]);
  assert.deepEqual(exits.map((exit) => exit.code), [137, 137]);
  await eventually(async () => (await host.cgroups.processes(`${parent}/${id}`)).length === 0);
  await container.remove();
});

test('a missing runtime or supervisor names the package to install', async () => {
  const lacking = new RuncRuntime({
    host,
    clock: systemClock,
    logger: silentLogger,
    folder: join(home, 'run'),
    runtimes: { runc: '/nonexistent/runc' },
  });
  await assert.rejects(
    lacking.probe(),
    (error: LongshoreError) => error.code === 'unavailable' && /apt-get install runc/.test(error.remedy ?? ''),
  );
  const unsupervised = new RuncRuntime({
    host,
    clock: systemClock,
    logger: silentLogger,
    folder: join(home, 'run'),
    supervisor: '/nonexistent/conmon',
  });
  await assert.rejects(
    unsupervised.create({ id: 'x', bundle: home, spec: {}, terminal: false, openStdin: false, stdinOnce: false }),
    (error: LongshoreError) => /apt-get install conmon/.test(error.remedy ?? ''),
  );
  const found = await runtimeOf().probe();
  assert.match(found.version, /^\d+\.\d+/);
});

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await systemClock.sleep(10);
  }
  assert.fail('it never came to hold');
}
