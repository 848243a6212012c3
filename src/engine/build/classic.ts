import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LongshoreError } from '../../lib/errors.ts';
import { hexId } from '../../lib/random.ts';
import { shortId } from '../images/digest.ts';
import { parsePlatform } from '../images/manifest.ts';
import { familiar, fullName, parseTagged } from '../images/reference.ts';
import type { ClassicBuildOptions } from './builder.ts';
import { dockerIgnore } from './dockerignore.ts';
import { cleanParts } from '../images/tree/match.ts';
import { parseDockerfile } from './dockerfile/parse.ts';
import { CommandError } from './solve/errors.ts';
import { Progress } from './solve/progress.ts';
import type { BuildEvent } from './solve/progress.ts';
import type { BuildParts, BuildRequest } from './solve/request.ts';
import { Solver } from './solve/solver.ts';

const DOCKERFILE_BYTES = 2 << 20;

/**
 * `POST /build`: a context as a tar, the classic builder's lines out.
 * A command's failure is told in the stream. @throws what else ends the build
 */
export async function buildClassic(
  parts: BuildParts,
  context: Readable,
  options: ClassicBuildOptions,
  emit: (line: unknown) => Promise<void> | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (options.remote !== '') {
    throw new LongshoreError('not-implemented', `building from ${options.remote} is not supported by the classic builder`, {
      object: options.remote,
      remedy: 'Fetch it first, and build from the folder.',
    });
  }
  const tags = options.tags.map((tag) => fullName(parseTagged(tag)));
  const id = hexId(parts.random, 8);
  const folder = join(parts.folder, 'contexts', `classic-${id}`);
  try {
    const root = await receive(parts, context, folder, signal);
    const source = await parts.images.trees.read(root, options.dockerfile, DOCKERFILE_BYTES);
    if (source === undefined) {
      throw new LongshoreError('not-found', `Cannot locate specified Dockerfile: ${options.dockerfile}`, {
        object: options.dockerfile,
        remedy: 'Name it with -f, relative to the context, and check .dockerignore.',
      });
    }
    const dockerfile = parseDockerfile(source);
    // The client sends these two whatever .dockerignore says: the builder needs them, the image does not get them.
    const ignored = dockerIgnore((await parts.images.trees.read(root, '.dockerignore', DOCKERFILE_BYTES)) ?? '');
    for (const name of [options.dockerfile, '.dockerignore']) {
      if (ignored(cleanParts(name).join('/'))) {
        await rm(join(root, ...cleanParts(name)), { force: true });
      }
    }
    const lines = new ClassicLines(options.quiet ? () => undefined : emit);
    const buildArgs = Object.fromEntries(Object.entries(options.buildArgs).filter((entry): entry is [string, string] => entry[1] !== null));
    const mode = options.networkMode === 'none' || options.networkMode === 'host' ? options.networkMode : 'default';
    const request: BuildRequest = {
      id,
      dockerfile,
      target: options.target,
      buildArgs,
      labels: options.labels,
      noCache: options.noCache,
      pull: options.pull,
      platform: options.platform === '' ? parts.platform : parsePlatform(options.platform),
      networkMode: mode,
      extraHosts: options.extraHosts,
      shmBytes: options.shmBytes,
      memoryBytes: options.memoryBytes,
      context: { name: 'context', root: () => Promise.resolve(root) },
      namedContexts: new Map(),
      secret: () => Promise.resolve(undefined),
      sshAgent: () => Promise.resolve(undefined),
      credentials: (domain) => Promise.resolve(credentialsFor(options, domain)),
      progress: new Progress(parts.clock, (event) => lines.show(event)),
      signal,
    };
    const solver = new Solver(parts, request);
    lines.total = solver.plan.needed.reduce((sum, stage) => sum + 1 + stage.instructions.length, 0);
    const result = await solver.solve();
    const image = await parts.images.create(result.document, result.layers, tags);
    await emit({ aux: { ID: image.id } });
    await emit({ stream: options.quiet ? `${image.id}\n` : `Successfully built ${shortId(image.id)}\n` });
    if (!options.quiet) for (const tag of tags) await emit({ stream: `Successfully tagged ${familiar(tag)}\n` });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // The stream's own form, in which the client finds the exit code.
    const message = `The command '${error.command}' returned a non-zero code: ${error.exitCode}`;
    await emit({ errorDetail: { code: error.exitCode, message }, error: message });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function receive(parts: BuildParts, context: Readable, folder: string, signal: AbortSignal): Promise<string> {
  const root = join(folder, 'context');
  await mkdir(root, { recursive: true, mode: 0o755 });
  const archive = join(folder, 'context.tar');
  await pipeline(context, createWriteStream(archive, { mode: 0o600 }), { signal });
  await parts.images.trees.unpack(archive, root, signal);
  await rm(archive);
  return root;
}

function credentialsFor(
  options: ClassicBuildOptions,
  domain: string,
): { username?: string; password?: string; identityToken?: string } | undefined {
  const keys =
    domain === 'docker.io'
      ? ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io']
      : [domain, `https://${domain}`, `https://${domain}/v1/`];
  const found = keys.map((key) => options.registries[key]).find((entry) => entry !== undefined);
  if (!found) return undefined;
  return {
    ...(found.username === undefined ? {} : { username: found.username }),
    ...(found.password === undefined ? {} : { password: found.password }),
    ...(found.identitytoken ? { identityToken: found.identitytoken } : {}),
  };
}

/** A build's events as the classic builder's text. */
class ClassicLines {
  total = 0;
  #number = 0;
  readonly #emit: (line: unknown) => Promise<void> | undefined;

  constructor(emit: (line: unknown) => Promise<void> | undefined) {
    this.#emit = emit;
  }

  show(event: BuildEvent): Promise<void> | void {
    switch (event.type) {
      case 'instruction':
        return this.#emit({ stream: `Step ${++this.#number}/${Math.max(this.total, this.#number)} : ${event.text}\n` });
      case 'vertex':
        if (event.vertex.completedMs === undefined || event.vertex.error !== undefined || event.vertex.name.startsWith('[internal]')) {
          return undefined;
        }
        return this.#emit({
          stream: `${event.vertex.cached && !/^\[[^\]]*\] FROM/.test(event.vertex.name) ? ' ---> Using cache\n' : ''} ---> ${shortId(event.vertex.id)}\n`,
        });
      case 'log':
        return this.#emit({ stream: event.data.toString('utf8') });
      case 'status':
        return this.#emit({
          status: event.completedMs === undefined ? 'Working' : 'Done',
          id: event.id,
          progressDetail: event.total > 0 ? { current: event.current, total: event.total } : {},
        });
      case 'warning':
        return this.#emit({ stream: `[Warning] ${event.text}\n` });
    }
  }
}
