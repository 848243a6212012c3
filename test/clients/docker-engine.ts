/**
 * An engine of its own for a test of the docker command line: in a temporary folder, on a socket there, with an image `busybox` made of this machine's
 * static busybox. `close` takes it down and fails when anything is left on the host.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { cgroupParentOf, openEngine } from '../../src/app/engine.ts';
import type { Engine, EngineOptions } from '../../src/app/engine.ts';
import type { DockerApi } from '../../src/engine/docker-api/server.ts';
import { openHost } from '../../src/host/open.ts';
import type { Host } from '../../src/host/host.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { hexId, randomInt, systemRandom } from '../../src/lib/random.ts';
import { packTar } from '../../src/lib/tar.ts';
import type { PackEntry } from '../../src/lib/tar.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What identifies an engine on the host, so that two daemons one after the other are the same instance. */
export interface Place {
  readonly folder: string;
  readonly instance: string;
  readonly socket: string;
  readonly pool: string;
}

export async function newPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'ls-docker-'));
  // A range of its own, so that tests side by side don't race for subnets.
  return {
    folder,
    instance: hexId(systemRandom, 4),
    socket: join(folder, 'docker.sock'),
    pool: `10.${100 + randomInt(systemRandom, 100)}.${randomInt(systemRandom, 16) * 16}.0/20`,
  };
}

/** An engine at this place, with this machine's clock and randomness, that logs nothing. */
export function engineOptions(place: Place, host: Host): EngineOptions {
  return {
    folder: join(place.folder, 'engine'),
    instance: place.instance,
    host,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    networkPool: place.pool,
  };
}

export async function open(place: Place): Promise<{ engine: Engine; api: DockerApi; host: Host }> {
  const host = await openHost();
  const engine = await openEngine(engineOptions(place, host));
  await engine.containers.recover();
  const api = engine.dockerApi();
  await api.listen(place.socket);
  return { engine, api, host };
}

/** Runs the docker command line against a socket. Kills it after a minute. */
export function docker(place: Place, args: readonly string[], input?: string | Buffer): Promise<Ran> {
  return run('docker', args, place, input);
}

/** Runs the docker command line on a terminal of 30 rows and 90 columns, and types each answer when the output so far has what it waits for. */
export function dockerOnTerminal(place: Place, args: readonly string[], answers: readonly (readonly [after: RegExp, type: string])[] = []): Promise<Ran> {
  const command = `stty rows 30 cols 90; exec docker ${args.map((arg) => `'${arg}'`).join(' ')}`;
  return run('script', ['-qefc', command, '/dev/null'], place, undefined, answers);
}

function run(
  file: string,
  args: readonly string[],
  place: Place,
  input?: string | Buffer,
  answers?: readonly (readonly [after: RegExp, type: string])[],
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...process.env, DOCKER_HOST: `unix://${place.socket}`, DOCKER_CONFIG: join(place.folder, 'config'), TERM: 'xterm' },
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    const left = [...(answers ?? [])];
    let from = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      while (left.length > 0 && left[0]![0].test(stdout.slice(from))) {
        from = stdout.length;
        child.stdin.write(left.shift()![1]);
      }
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined); // it ended without reading
    if (answers === undefined) child.stdin.end(input); // a terminal's input has no end
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}\nkilled by ${signal}` }));
  });
}

const APPLETS =
  'sh ash cat echo true false sleep ls id env hostname pwd grep head tail wc yes dd ps kill mkdir touch rm ln stty tty ip ping nslookup wget httpd nc mount stat chmod chown test seq printf trap sync'.split(
    ' ',
  );

async function* busyboxTree(): AsyncGenerator<PackEntry, void, void> {
  const plain = { uid: 0, gid: 0, mtime: 0 };
  for (const name of ['bin', 'etc', 'root', 'tmp', 'var']) {
    yield { header: { ...plain, name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755, size: 0 } };
  }
  const busybox = await readFile('/bin/busybox');
  yield { header: { ...plain, name: 'bin/busybox', type: 'file', mode: 0o755, size: busybox.length }, body: busybox };
  for (const applet of APPLETS) {
    yield { header: { ...plain, name: `bin/${applet}`, type: 'symlink', mode: 0o777, size: 0, linkname: 'busybox' } };
  }
  const files: Record<string, string> = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/var/web:/bin/sh\n',
    'etc/group': 'root:x:0:\nwww:x:1001:\nextra:x:1002:web\n',
  };
  for (const [name, text] of Object.entries(files)) {
    yield { header: { ...plain, name, type: 'file', mode: 0o644, size: text.length }, body: Buffer.from(text) };
  }
}

export interface TestEngine extends Place {
  readonly engine: Engine;
  docker(...args: string[]): Promise<Ran>;
  /** The same, failing the test unless the exit code is 0; without the last newline of its output. */
  ok(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

/** Imports the image that all tests use. */
export async function importBusybox(engine: Engine): Promise<void> {
  await engine.images.import(Readable.from(packTar(busyboxTree())), { reference: 'docker.io/library/busybox:latest', config: { Cmd: ['sh'] } });
}

export async function startEngine(): Promise<TestEngine> {
  const place = await newPlace();
  const { engine, api, host } = await open(place);
  await importBusybox(engine);
  return {
    ...place,
    engine,
    docker: (...args) => docker(place, args),
    async ok(...args) {
      const ran = await docker(place, args);
      assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
      return ran.stdout.replace(/\n$/, '');
    },
    async close() {
      for (const container of engine.containers.list()) await engine.containers.remove(container.id, { force: true, volumes: true });
      await api.close();
      await engine.close({ stopContainers: true });
      await takeDown(place, engine, host);
    },
  };
}

/** Takes an instance's things off the host, and fails when something is left. */
export async function takeDown(place: Place, engine: Engine, host: Host): Promise<void> {
  await engine.networks.destroy();
  await host.cgroups.remove(cgroupParentOf(place.instance));
  const left = {
    mounts: await host.mounts.beneath(place.folder),
    supervisors: await processesOf(place.folder),
    links: (await host.links.list()).filter((link) => link.name.startsWith(`ls${place.instance.slice(0, 4)}`)).map((link) => link.name),
  };
  await rm(place.folder, { recursive: true, force: true });
  assert.deepEqual(left, { mounts: [], supervisors: [], links: [] });
}

async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // it ended meanwhile
    if (command.startsWith('conmon') || command.includes('/conmon\0') || command.includes('runc')) {
      if (command.includes(folder)) {
        found.push(command.replaceAll('\0', ' '));
      }
    }
  }
  return found;
}

/** Waits until something holds; fails after 10 s. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return;
    await systemClock.sleep(20);
  }
  assert.fail(`it never came about: ${what}`);
}
