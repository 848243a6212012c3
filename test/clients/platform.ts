/**
 * An instance of its own for tests with the real kubectl: in a temporary folder, with images `busybox` and, where asked for, `node` made of this machine.
 * `close` stops all and fails when anything is left on the host.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cleanInstance } from '../../src/app/clean.ts';
import { dockerAt } from '../../src/app/deploy/docker.ts';
import { makeBase } from '../../src/app/deploy/bases.ts';
import { homeAt, releaseRange, type Home } from '../../src/app/home.ts';
import type { InstanceConfig } from '../../src/app/instance.ts';
import { startPlatform, type Platform } from '../../src/app/platform.ts';
import { openHost } from '../../src/host/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger, silentLogger } from '../../src/lib/log.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** A terminal's input has no end: it is left open until the program is over. */
  readonly openInput?: boolean;
}

export interface Clients {
  readonly environment: Readonly<Record<string, string>>;
  /** Runs kubectl; the caller looks at what came of it. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Runs kubectl, fails the test unless it ends with 0. @returns its standard output without the last newline */
  ok(...args: string[]): Promise<string>;
  /** `kubectl apply -f -` of these documents. */
  apply(...documents: readonly object[]): Promise<string>;
  /** Starts kubectl and leaves it running. */
  start(...args: string[]): Running;
}

export interface TestPlatform extends Clients {
  readonly home: Home;
  readonly config: InstanceConfig;
  /** The same with another program, or in a namespace. */
  as(options: { readonly binary?: string; readonly namespace?: string }): Clients;
  close(): Promise<void>;
}

/** A client that runs in the background; what it wrote so far can be waited for. */
export interface Running {
  readonly process: ChildProcess;
  readonly output: () => string;
  until(pattern: RegExp): Promise<string>;
  stop(): Promise<void>;
}

/** Waits until something holds, looking each 50 ms. What throws counts as not yet. Fails after `ms`. */
export async function eventually<T>(what: string, look: () => T | Promise<T>, ms = 30_000): Promise<Exclude<T, undefined | false | null | '' | 0>> {
  const until = performance.now() + ms;
  let last: unknown;
  while (performance.now() < until) {
    try {
      const found = await look();
      if (found) return found as Exclude<T, undefined | false | null | '' | 0>;
      last = found;
    } catch (error) {
      last = error;
    }
    await systemClock.sleep(50);
  }
  throw new Error(`it never came about: ${what} (at last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
}

export function runClient(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { input, openInput = false, timeoutMs = 60_000, environment: more }: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...environment, ...more }, timeout: timeoutMs, killSignal: 'SIGKILL' });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined); // it ended without reading
    if (openInput) child.once('exit', () => child.stdin.end());
    else child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}\nkilled by ${signal}` }));
  });
}

/** Path of kubectl of a minor version such as `1.28`; undefined where this machine has none. `kubectl` itself is the one on PATH. */
export async function kubectlOf(minor: string): Promise<string | undefined> {
  const found = spawnSync('sh', ['-c', 'command -v kubectl'], { encoding: 'utf8' }).stdout.trim();
  const folders = [...(process.env.PATH ?? '').split(':'), ...(found === '' ? [] : [dirname(await realpath(found))])];
  for (const folder of folders) {
    const path = join(folder, `kubectl.${minor}`);
    if (await access(path).then(() => true, () => false)) return path;
  }
  return undefined;
}

async function newHome(): Promise<Home> {
  // Not beneath TMPDIR, which may be long: a unix socket's path has 107 bytes.
  return homeAt(await mkdtemp('/tmp/lsk-'));
}

export interface TestPlatformOptions {
  readonly images?: readonly ('busybox' | 'node:24')[];
}

/** Starts the platform in this process. */
export async function startTestPlatform({ images = ['busybox'] }: TestPlatformOptions = {}): Promise<TestPlatform> {
  const home = await newHome();
  const logger = process.env.LONGSHORE_TEST_LOG ? createLogger((line) => void process.stderr.write(line), Date.now, 'debug') : silentLogger;
  let platform: Platform;
  try {
    platform = await startPlatform({ home, nodeName: 'node-1', logger });
    await makeImages(home, images);
  } catch (error) {
    await releaseRange(home);
    await rm(home.root, { recursive: true, force: true });
    throw error;
  }
  return { ...placeOf(home, platform.config), async close() {
    await platform.close({ stopContainers: true });
    await assertNothingLeft(home, platform.config);
  } };
}

/** The daemon as a process of its own, to be killed. */
export interface TestDaemon extends TestPlatform {
  readonly pid: () => number;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again. @returns how long it took until it was ready, in milliseconds */
  restart(): Promise<number>;
  log(): string;
}

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

/** Starts `longshore server` as a process of its own. */
export async function startTestDaemon({
  images = ['busybox'],
  environment = {},
}: TestPlatformOptions & { readonly environment?: Readonly<Record<string, string>> } = {}): Promise<TestDaemon> {
  const home = await newHome();
  let child: ChildProcess;
  let log = '';
  const restart = async (): Promise<number> => {
    const begun = performance.now();
    const mine = spawn(process.execPath, [MAIN, 'server'], {
      env: { ...process.env, LONGSHORE_HOME: home.root, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = mine;
    mine.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (process.env.LONGSHORE_TEST_LOG) process.stderr.write(text);
    });
    await eventually('the daemon is up', async () => {
      if (mine.exitCode !== null) throw new Error(`it ended: ${log}`);
      return (JSON.parse(await readFile(home.statusFile, 'utf8')) as { pid: number }).pid === mine.pid;
    });
    return performance.now() - begun;
  };
  await restart();
  await makeImages(home, images);
  const config = JSON.parse(await readFile(home.configFile, 'utf8')) as InstanceConfig;
  return {
    ...placeOf(home, config),
    pid: () => child.pid!,
    log: () => log,
    restart,
    async kill() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
    async close() {
      const down = await runClient(process.execPath, [MAIN, 'down'], { LONGSHORE_HOME: home.root });
      assert.equal(down.code, 0, down.stderr);
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await assertNothingLeft(home, config);
    },
  };
}

async function makeImages(home: Home, images: readonly string[]): Promise<void> {
  const docker = dockerAt(home.dockerSocket);
  const { spawn: spawner } = await openHost();
  for (const image of images) await makeBase(docker, { spawn: spawner, node: await realpath(process.execPath) }, image);
}

function placeOf(home: Home, config: InstanceConfig): Omit<TestPlatform, 'close'> {
  const environment = {
    KUBECONFIG: home.kubeconfig,
    DOCKER_HOST: `unix://${home.dockerSocket}`,
    HOME: home.root,
    LONGSHORE_HOME: home.root,
    PAGER: 'cat',
  };
  return {
    home,
    config,
    ...clientsOf(environment, 'kubectl', []),
    as: ({ binary = 'kubectl', namespace }) => clientsOf(environment, binary, namespace === undefined ? [] : ['-n', namespace]),
  };
}

/** Of any cluster: the environment names its kubeconfig. */
export function clientsOf(environment: Readonly<Record<string, string>>, binary: string, first: readonly string[]): Clients {
  const kubectl = (args: readonly string[], options?: RunOptions): Promise<Ran> => runClient(binary, [...first, ...args], environment, options);
  const ok = async (args: readonly string[], options?: RunOptions): Promise<string> => {
    const ran = await kubectl(args, options);
    assert.equal(ran.code, 0, `kubectl ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
    return ran.stdout.replace(/\n$/, '');
  };
  return {
    environment, kubectl,
    ok: (...args) => ok(args),
    apply: (...documents) => ok(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: documents }) }),
    start: (...args) => startClient(binary, [...first, ...args], environment),
  };
}

/** Starts a client in the background. */
export function startClient(file: string, args: readonly string[], environment: Readonly<Record<string, string>>): Running {
  const child = spawn(file, args, { env: { ...process.env, ...environment } });
  let text = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  child.stdin.on('error', () => undefined); // it ended without reading
  const closed = new Promise<void>((resolve) => child.once('close', () => {
    ended = true;
    resolve();
  }));
  return {
    process: child,
    output: () => text,
    async until(pattern) {
      await eventually(`${file} ${args.join(' ')} writes ${pattern}`, () => {
        if (!pattern.test(text)) throw new Error(`it wrote ${JSON.stringify(text)}${ended ? ' and ended' : ''}`);
        return true;
      });
      return text;
    },
    async stop() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}

/** Fails when a stopped instance left anything on this host; removes its home. */
async function assertNothingLeft(home: Home, config: InstanceConfig): Promise<void> {
  const host = await openHost();
  const listed = (await host.nft.list('list tables')) as { readonly nftables: readonly { readonly table?: { readonly name: string } }[] };
  const left = {
    links: (await host.links.list()).map(({ name }) => name).filter((name) => name.startsWith(`ls${config.id.slice(0, 4)}`)),
    tables: listed.nftables.flatMap(({ table }) => (table?.name.includes(config.id) ? [table.name] : [])),
    mounts: await host.mounts.beneath(home.root),
    processes: await processesOf(home.root),
    cgroupProcesses: await host.cgroups.processes(`longshore-${config.id}`),
  };
  await cleanInstance(home);
  const cgroups = await cgroupsOf(config.id);
  await releaseRange(home);
  await rm(home.root, { recursive: true, force: true });
  assert.deepEqual({ ...left, cgroups }, { links: [], tables: [], mounts: [], processes: [], cgroupProcesses: [], cgroups: [] });
}

async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // it ended meanwhile
    const root = await readlink(`/proc/${pid}/root`).catch(() => '/'); // the same
    if (command.includes(`${folder}/`) || root.startsWith(folder)) found.push(command.replaceAll('\0', ' '));
  }
  return found;
}

async function cgroupsOf(id: string): Promise<string[]> {
  const top = '/sys/fs/cgroup';
  const unified = await access(join(top, 'cgroup.controllers')).then(() => true, () => false);
  const parents = unified ? [top] : (await readdir(top)).map((name) => join(top, name));
  const found: string[] = [];
  for (const parent of parents) {
    for (const name of await readdir(parent).catch(() => [])) {
      if (name === `longshore-${id}`) {
        found.push(join(parent, name));
      }
    }
  } // a link or a file is no hierarchy
  return found;
}

export function deployment(name: string, container: object, spec: object = {}, pod: object = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name, image: 'busybox', ...container }], ...pod },
      },
      ...spec,
    },
  };
}

/** A pod that does one thing, and ends at once when it is told to. */
export function pod(name: string, container: object, spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'busybox', ...container }], ...spec },
  };
}
