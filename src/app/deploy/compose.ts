import { resolve } from 'node:path';
import type { Spawner } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import { isCode, LongshoreError } from '../../lib/errors.ts';
import { ensureBase, type Machine } from './bases.ts';
import type { Docker } from './docker.ts';
import type { Phase } from './phase.ts';
import { basesIn, basesOf } from './project.ts';

export interface ComposeOptions {
  /** Path of the compose file. */
  readonly file: string;
  readonly folder: string;
  readonly docker: Docker;
  readonly dockerSocket: string;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly phase: Phase;
  readonly say: (line: string) => void;
}

interface ComposeConfig {
  readonly name: string;
  readonly services?: Readonly<Record<string, {
    readonly image?: string;
    readonly build?: { readonly context: string; readonly dockerfile?: string; readonly dockerfile_inline?: string };
  }>>;
}

interface Container {
  readonly Names: readonly string[];
  readonly State: string;
  readonly Status: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Ports: readonly { readonly IP?: string; readonly PublicPort?: number; readonly Type: string }[];
}

/** Docker Compose itself reads compose files: what it means by them, nobody else need guess. */
const PROGRAMS: readonly (readonly [string, ...string[]])[] = [['docker', 'compose'], ['docker-compose']];
/** Of the user's environment: they name another engine, or how to reach it. */
const OTHER_ENGINE = ['DOCKER_CONTEXT', 'DOCKER_TLS', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH', 'BUILDX_BUILDER'];

/**
 * Deploys a compose file by the machine's own Docker Compose, which talks to this instance's engine.
 * @returns addresses of the ports that it publishes
 * @throws LongshoreError `unavailable` without Docker Compose, `invalid` with what it said, `timeout`, `canceled`
 */
export async function deployCompose(options: ComposeOptions): Promise<readonly { readonly name: string; readonly url: string }[]> {
  const { clock, docker, dockerSocket, file, folder, machine, phase, say, signal, timeoutMs } = options;
  const environment = Object.fromEntries(
    Object.entries({ ...options.environment, DOCKER_HOST: `unix://${dockerSocket}`, COMPOSE_PROGRESS: 'plain' }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !OTHER_ENGINE.includes(entry[0]),
    ),
  );
  const run = (command: readonly [string, ...string[]], note?: (detail: string) => void): Promise<string> =>
    runProgram(machine.spawn, command, environment, folder, signal, note);
  const program = await findCompose(run);
  if (!program) {
    throw new LongshoreError('unavailable', `${file} is deployed by Docker Compose, which is not on this machine`, {
      object: file,
      remedy: 'Install the compose plugin of docker, or docker-compose; or write manifests.',
    });
  }
  // It is named a folder, not the file, so that it reads an override file beside it as it always does.
  const compose = (args: readonly string[], note?: (detail: string) => void): Promise<string> =>
    run([...program, '--project-directory', folder, ...args], note);
  const config = JSON.parse(await compose(['config', '--format', 'json'])) as ComposeConfig;
  const services = Object.entries(config.services ?? {});

  // Where no registry can be reached, base images can be made here; Compose does not know that.
  const wanted = new Set<string>();
  for (const [, { build, image }] of services) {
    if (build) {
      for (const base of build.dockerfile_inline === undefined
        ? await basesIn(resolve(build.context, build.dockerfile ?? 'Dockerfile'))
        : basesOf(build.dockerfile_inline)) {
        wanted.add(base);
      }
    } else if (image !== undefined) {
      wanted.add(image);
    }
  }
  for (const base of wanted) {
    if (await docker.hasImage(base)) continue;
    const how = await phase(`image ${base}`, (note) => ensureBase(docker, machine, base, note));
    if (how) say(`    ${how}`);
  }
  await phase(`compose up ${services.map(([name]) => name).join(', ')}`, (note) => compose(['up', '--detach', '--build', '--remove-orphans'], note));
  const containers = await phase('containers ready', (note) => waitForContainers(docker, config.name, clock, timeoutMs, signal, note));
  const urls = new Map(containers.flatMap(({ Labels, Ports }) => Ports.flatMap(({ IP = '', PublicPort, Type }) => {
    if (Type !== 'tcp' || !PublicPort || IP.includes(':')) return [];
    const url = `http://${IP === '' || IP === '0.0.0.0' ? '127.0.0.1' : IP}:${PublicPort}/`;
    return [[url, { name: Labels['com.docker.compose.service'] ?? '', url }] as const];
  })));
  return [...urls.values()].sort((a, b) => a.name.localeCompare(b.name));
}

async function findCompose(run: (command: readonly [string, ...string[]]) => Promise<string>): Promise<readonly [string, ...string[]] | undefined> {
  for (const program of PROGRAMS) {
    try {
      await run([...program, 'version']);
      return program;
    } catch (error) {
      // There is no such program, or it has no such plugin.
      if (!isCode(error, 'not-found') && !isCode(error, 'invalid')) throw error;
    }
  }
  return undefined;
}

/** How often what does not push is asked, in milliseconds. */
const POLL_MS = 100;

/** Until each container of the project runs, is healthy where it can say so, or has done its work. */
async function waitForContainers(
  docker: Docker,
  project: string,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  note: (detail: string) => void,
): Promise<readonly Container[]> {
  const filters = encodeURIComponent(
    JSON.stringify({ label: [`com.docker.compose.project=${project}`, 'com.docker.compose.oneoff=False'] }),
  );
  for (const deadline = clock.monotonic() + timeoutMs; ; await clock.sleep(POLL_MS, signal)) {
    const all = (await docker.json('GET', `/containers/json?all=1&filters=${filters}`)) as readonly Container[];
    const name = ({ Names }: Container): string => (Names[0] ?? '').replace(/^\//, '');
    const failed = all.find(({ State, Status }) => State === 'dead' || (State === 'exited' && !Status.startsWith('Exited (0)')));
    if (failed) {
      throw new LongshoreError('invalid', `the container ${name(failed)} ended: ${failed.Status}`, {
        object: `container ${name(failed)}`,
        remedy: `See why: eval "$(longshore env)" && docker logs ${name(failed)}`,
      });
    }
    // Who can't start ends within its first second, mostly.
    const waiting = all.find(
      ({ State, Status }) =>
        (State !== 'running' && State !== 'exited') || /\((health: starting|unhealthy)\)|^Up Less than a second$/.test(Status),
    );
    if (!waiting) return all;
    note(`${name(waiting)}: ${waiting.Status}`);
    if (clock.monotonic() > deadline) {
      throw new LongshoreError('timeout', `the container ${name(waiting)} was not ready within ${timeoutMs / 1000} s: ${waiting.Status}`, {
        object: `container ${name(waiting)}`,
        remedy: `See why: eval "$(longshore env)" && docker inspect ${name(waiting)}`,
      });
    }
  }
}

/** Most of what a program said that is kept for an error, in characters. */
const KEPT_CHARACTERS = 4096;

/** Runs a program to its end. @returns its standard output @throws LongshoreError `invalid` with its last words, `not-found` without it */
async function runProgram(
  spawn: Spawner,
  [file, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  cwd: string,
  signal: AbortSignal,
  note: (detail: string) => void = () => {},
): Promise<string> {
  let said = '';
  const decoder = new TextDecoder();
  const { code, stdout } = await spawn.run(file, args, {
    env, cwd, signal,
    onStderr(piece) {
      const text = decoder.decode(piece, { stream: true });
      said = (said + text).slice(-KEPT_CHARACTERS);
      note(text.trimEnd().split('\n').at(-1)!.trim().slice(0, 80));
    },
  });
  if (code === 0) return stdout.toString();
  throw new LongshoreError(
    'invalid',
    `${file}${args[0] === 'compose' ? ' compose' : ''} ended with exit code ${code}:\n${said.trimEnd()}`,
    { remedy: 'Correct what it names, and run longshore up again.' },
  );
}
