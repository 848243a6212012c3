import type { Duplex, Readable } from 'node:stream';

/** What the API needs of the builder; the build room implements it. */
export interface Builder {
  /**
   * `POST /build`, the classic builder: a tar of the context in, Docker's JSON stream out. `emit` takes one object
   * of that stream (`{stream}`, `{aux: {ID}}`, `{status, id, progressDetail}`) and resolves when there is room for more.
   * Rejects with the error that ends the build.
   */
  build(context: Readable, options: ClassicBuildOptions, emit: (line: unknown) => Promise<void> | undefined, signal: AbortSignal): Promise<void>;
  /** A connection of buildx: HTTP/2 with BuildKit's control API, raw from here on. */
  grpc(socket: Duplex, head: Buffer): void;
  /** A connection on which buildx serves its session (files, secrets, credentials). `headers` as they came, in lower case. */
  session(socket: Duplex, head: Buffer, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  /** `POST /build/cancel`. */
  cancel(id: string): void;
  prune(options: { readonly all: boolean; readonly keepBytes?: number; readonly filters: Readonly<Record<string, readonly string[]>> }): Promise<{ readonly ids: readonly string[]; readonly bytes: number }>;
  /** Build cache, for `docker system df`. */
  usage(): Promise<readonly BuildCacheRecord[]>;
}

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
