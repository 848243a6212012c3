import type { Duplex, Readable } from 'node:stream';

/**
 * # Builds: Dockerfiles to images, by one graph
 *
 * Two doors lead here: the classic endpoint (a tar in, lines out), and
 * BuildKit's control API for buildx (gRPC, the client serving its files on a session). Both parse the Dockerfile
 * here, run its stages side by side over the same cache, and put the image in the one content store.
 */
export interface Builder {
  /**
   * `POST /build`, the classic builder: a tar of the context in, Docker's JSON stream out. `emit` takes one object
   * of that stream (`{stream}`, `{aux: {ID}}`, `{status, id, progressDetail}`) and resolves when there is room for more.
   * A failed command is told through it too; rejects with what else ends the build.
   */
  build(context: Readable, options: ClassicBuildOptions, emit: (line: unknown) => Promise<void> | undefined, signal: AbortSignal): Promise<void>;
  /** A connection of buildx: HTTP/2 with BuildKit's control API, raw from here on. */
  grpc(socket: Duplex, head: Buffer): void;
  /** A connection on which buildx serves its session (files, secrets, credentials). `headers` as they came, in lower case. */
  session(socket: Duplex, head: Buffer, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  /** Ends a build by the id that it was given. An id that runs no more changes nothing. */
  cancel(id: string): void;
  /** Forgets results that nobody uses. `keepBytes`: what may stay of them. @throws `invalid` for a filter that is no duration */
  prune(options: BuildPruneOptions): Promise<{ readonly ids: readonly string[]; readonly bytes: number }>;
  /** What the cache holds, as `docker system df` and `docker buildx du` list it. */
  usage(): Promise<readonly BuildCacheRecord[]>;
  /** Ends the builds that run, and resolves when their clients were told so, or after a few seconds. */
  close(): Promise<void>;
}

/** The parameters of `POST /build`; empty texts and zeroes stand for what was left out. */
export interface ClassicBuildOptions {
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  readonly noCache: boolean;
  readonly pull: boolean;
  readonly quiet: boolean;
  readonly platform: string;
  readonly networkMode: string;
  readonly remote: string;
  readonly extraHosts: readonly string[];
  readonly buildId: string;
  readonly sessionId: string;
  readonly memoryBytes: number;
  readonly shmBytes: number;
  /** By registry, from X-Registry-Config. */
  readonly registries: Readonly<Record<string, { readonly username?: string; readonly password?: string; readonly identitytoken?: string }>>;
}

export interface BuildPruneOptions {
  readonly all: boolean;
  readonly keepBytes?: number;
  readonly filters: Readonly<Record<string, readonly string[]>>;
}

/** One result that the build cache holds. */
export interface BuildCacheRecord {
  readonly id: string;
  readonly parents: readonly string[];
  readonly type: string;
  readonly description: string;
  readonly inUse: boolean;
  readonly shared: boolean;
  readonly bytes: number;
  readonly createdMs: number;
  readonly lastUsedMs: number | undefined;
  readonly usageCount: number;
}
