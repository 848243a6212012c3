import type { Duplex } from 'node:stream';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { Containers } from '../../containers/containers.ts';
import type { Credentials, Descriptor, ImageDocument, Images, Platform, Trees } from '../../images/images.ts';
import type { Dockerfile } from '../dockerfile/instructions.ts';
import type { BuildCache } from './cache.ts';
import type { CacheMounts } from './cache-mounts.ts';
import type { Progress } from './progress.ts';

/** What every build works with. */
export interface BuildParts {
  readonly images: Images & { readonly trees: Trees };
  readonly containers: Pick<Containers, 'attach' | 'create' | 'remove' | 'start' | 'wait'>;
  readonly cache: BuildCache;
  readonly cacheMounts: CacheMounts;
  /** Folder of the builder's own; canonical. */
  readonly folder: string;
  /** Folder on a memory file system, for secrets. */
  readonly volatileFolder: string;
  /** The network that RUN steps are on. */
  readonly network: string;
  readonly platform: Platform;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A folder with files for COPY. */
export interface ContextSource {
  /** Names the context in progress. */
  readonly name: string;
  /** Brings the files here. `paths` are those that the build takes of it. @returns a folder that doesn't change until the build has ended */
  root(paths: readonly string[], progress: Progress): Promise<string>;
}

export type NamedContext =
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'folder'; readonly source: ContextSource }
  | { readonly kind: 'unsupported'; readonly address: string };

/** Hands one connection on to the agent, until either side ends it. */
export type AgentConnection = (socket: Duplex) => Promise<void>;

export interface BuildRequest {
  /** Unique; names the build's steps. */
  readonly id: string;
  readonly dockerfile: Dockerfile;
  readonly target: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** For all stages, for those named, or for none. */
  readonly noCache: boolean | readonly string[];
  /** Ask the registry for newer base images. */
  readonly pull: boolean;
  readonly platform: Platform;
  readonly networkMode: 'default' | 'none' | 'host';
  readonly extraHosts: readonly string[];
  readonly shmBytes: number;
  readonly memoryBytes: number;
  readonly context: ContextSource;
  readonly namedContexts: ReadonlyMap<string, NamedContext>;
  /** undefined when there is no such secret. */
  secret(id: string): Promise<Buffer | undefined>;
  /** The client's SSH agent of an id (`default`); undefined when it offers none. */
  sshAgent(id: string): Promise<AgentConnection | undefined>;
  credentials(domain: string): Promise<Credentials | undefined>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** An image that is not yet one: what a stage has become. */
export interface BuildResult {
  readonly document: ImageDocument;
  readonly layers: readonly Descriptor[];
  readonly chainId: string | undefined;
  /** Identity of the file system, for cache keys. */
  readonly fsKey: string;
}
