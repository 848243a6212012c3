import type { Duplex, Readable } from 'node:stream';
import { mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Containers } from '../containers/containers.ts';
import type { Images, Platform, Trees } from '../images/images.ts';
import { hostPlatform } from '../images/manifest.ts';
import type { BuildCacheRecord, Builder, BuildPruneOptions, ClassicBuildOptions } from './builder.ts';
import { buildClassic } from './classic.ts';
import { CLOSE_MS, ControlServer, settledWithin } from './buildkit/control.ts';
import { BuildCache } from './solve/cache.ts';
import { CacheMounts } from './solve/cache-mounts.ts';
import type { BuildParts } from './solve/request.ts';
import { recordFilter } from './solve/record-filter.ts';

export interface OpenBuilderOptions {
  /** Folder of its own; made when missing. */
  readonly folder: string;
  /** Folder of its own on a memory file system, for secrets: they never reach a disk. */
  readonly volatileFolder: string;
  readonly images: Images & { readonly trees: Trees };
  readonly containers: Pick<Containers, 'attach' | 'create' | 'remove' | 'start' | 'wait'>;
  /** Name or id of the network for RUN. */
  readonly network: string;
  readonly platform?: Platform;
  /** As clients see it. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Opens the builder. To be called after containers were recovered: what an earlier process left mounted must not be in use. */
export async function openBuilder(options: OpenBuilderOptions): Promise<Builder> {
  const { clock, containers, images, logger, network, random, version } = options;
  await mkdir(options.folder, { recursive: true, mode: 0o711 });
  const folder = await realpath(options.folder);
  for (const name of ['mnt', 'contexts', 'downloads']) await emptyFolder(join(folder, name));
  await rm(options.volatileFolder, { recursive: true, force: true });
  const cache = await BuildCache.open(join(folder, 'cache.log'), images, clock);
  const parts: BuildParts = {
    images,
    containers,
    cache,
    cacheMounts: new CacheMounts(join(folder, 'cache-mounts')),
    folder,
    volatileFolder: options.volatileFolder,
    network,
    platform: options.platform ?? hostPlatform(),
    clock,
    random,
    logger,
  };
  return new EngineBuilder(parts, version);
}

/** Without crossing into what may still be mounted there: only empty folders and files go. */
async function emptyFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o711 });
  for (const name of await readdir(path)) {
    await rm(join(path, name), { recursive: !path.endsWith('/mnt'), force: true }).catch(() => {
      // A mount of an earlier process: `down` takes it away.
    });
  }
}

class EngineBuilder implements Builder {
  readonly #parts: BuildParts;
  readonly #control: ControlServer;
  readonly #running = new Map<string, { readonly controller: AbortController; readonly over: Promise<void> }>();
  #closing: LongshoreError | undefined;
  #anonymous = 0;

  constructor(parts: BuildParts, version: string) {
    this.#parts = parts;
    this.#control = new ControlServer(parts, version);
  }

  async build(context: Readable, options: ClassicBuildOptions, emit: (line: unknown) => Promise<void> | undefined, signal: AbortSignal): Promise<void> {
    if (this.#closing) throw this.#closing;
    const controller = new AbortController();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const id = options.buildId === '' ? `anonymous ${this.#anonymous++}` : options.buildId;
    this.#running.set(id, { controller, over });
    try {
      await buildClassic(this.#parts, context, options, emit, AbortSignal.any([signal, controller.signal]));
    } finally {
      this.#running.delete(id);
      resolve();
    }
  }

  grpc(socket: Duplex, head: Buffer): void {
    this.#control.serve(socket, head);
  }

  session(socket: Duplex, head: Buffer, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#control.sessions.add(socket, head, headers);
  }

  cancel(id: string): void {
    this.#running.get(id)?.controller.abort(new LongshoreError('canceled', 'the build was cancelled'));
  }

  async prune(options: BuildPruneOptions): Promise<{ readonly ids: readonly string[]; readonly bytes: number }> {
    const filters = Object.entries(options.filters)
      .filter(([key]) => key !== 'until' && key !== 'unused-for')
      .flatMap(([key, values]) => (values.length === 0 ? [key] : values.map((value) => `${key}${key === 'id' ? '~=' : '=='}${value}`)));
    const until = options.filters['until']?.[0] ?? options.filters['unused-for']?.[0];
    const pruned = await this.#parts.cache.prune({
      all: options.all,
      ...(options.keepBytes === undefined ? {} : { keepBytes: options.keepBytes }),
      match: recordFilter(filters.length === 0 ? [] : [filters.join(',')]),
      ...(until === undefined ? {} : { untilMs: this.#parts.clock.now() - durationMs(until) }),
    });
    if (options.all && filters.length === 0) await this.#parts.cacheMounts.clear();
    return pruned;
  }

  usage(): Promise<readonly BuildCacheRecord[]> {
    return Promise.resolve(this.#parts.cache.usage());
  }

  async close(): Promise<void> {
    const reason = new LongshoreError('canceled', 'the engine is stopping, so this build was ended', {
      remedy: 'Start the engine and build again: the steps that were done are in the cache.',
    });
    this.#closing = reason;
    for (const { controller } of this.#running.values()) controller.abort(reason);
    await Promise.all([
      this.#control.close(reason),
      settledWithin(this.#parts.clock, [...this.#running.values()].map(({ over }) => over), CLOSE_MS),
    ]);
    await this.#parts.cache.close();
  }
}

/** Go's durations, as in `24h`. @throws `invalid` */
export function durationMs(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) throw new LongshoreError('invalid', `invalid duration ${JSON.stringify(text)}`);
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * ({ ms: 1, s: 1000, m: 60_000 }[unit!] ?? 3_600_000);
  }
  return total;
}
