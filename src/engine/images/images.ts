import type { Readable } from 'node:stream';
import type { Undo } from '../../lib/undo.ts';

/**
 * # Images: one content store for build, docker, pods and the registry
 *
 * **Blob**: bytes named by their sha256 digest (`sha256:…`), verified on write,
 * never changed. **Reference**: a full name (`docker.io/library/busybox:latest`)
 * that points at a manifest or index digest. **Image id**: the digest of the
 * config blob, as `docker images` shows it. **Chain id**: the OCI name of a
 * stack of unpacked layers. **Lease**: keeps blobs and snapshots from garbage
 * collection while somebody works with them; ends with its undo, or with the
 * process.
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface ContentStore {
  has(digest: string): Promise<boolean>;
  size(digest: string): Promise<number | undefined>;
  /** The whole blob; for manifests and configs (at most 8 MiB). @throws `not-found` */
  read(digest: string): Promise<Buffer>;
  /** @throws `not-found` */
  stream(digest: string, range?: { readonly start: number; readonly end?: number }): Promise<Readable>;
  /** The path of the blob's file: for readers that stream it by descriptor. */
  path(digest: string): string;
  /** Stores what `source` yields. @throws `invalid` when digest or size differ from what is expected (nothing is kept) */
  write(
    source: AsyncIterable<Uint8Array> | Uint8Array,
    expected?: { readonly digest?: string; readonly size?: number; readonly maxBytes?: number },
    signal?: AbortSignal,
  ): Promise<{ readonly digest: string; readonly size: number }>;
  remove(digest: string): Promise<void>;
  list(): AsyncIterable<{ readonly digest: string; readonly size: number; readonly mtimeMs: number }>;
}

/** The part of an OCI image config (image-spec, config.md) that starts a container. */
export interface ImageConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[] | null;
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly StartInterval?: number;
    readonly Retries?: number;
  };
}

export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** The config blob, whole. */
export interface ImageDocument {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly config: ImageConfig;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly history?: readonly HistoryEntry[];
}

export interface Image {
  /** Digest of the config blob: `sha256:…`. */
  readonly id: string;
  /** Digest of the manifest. */
  readonly manifestDigest: string;
  /** Normalised full references that point at it. */
  readonly references: readonly string[];
  /** References by digest (`name@sha256:…`) under which it was pulled or pushed. */
  readonly repoDigests: readonly string[];
  readonly document: ImageDocument;
  readonly layers: readonly Descriptor[];
  /** Bytes of the unpacked layers. */
  readonly sizeBytes: number;
  /** The same for each layer; of those that are not unpacked, the blob's. */
  readonly layerBytes?: readonly number[];
  readonly createdMs: number;
  readonly lastTaggedMs: number | undefined;
}

export interface Credentials { readonly username?: string; readonly password?: string; readonly identityToken?: string; readonly registryToken?: string }

/** Progress of a pull, push, load or unpack; one object an event, like the lines of Docker's JSON stream. */
export interface TransferProgress {
  /** The layer's short digest, or a reference. */
  readonly id?: string;
  /** `Pulling fs layer`, `Downloading`, `Verifying Checksum`, `Extracting`, `Pull complete`, `Already exists`, `Pushing`, `Pushed`, … */
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

export interface TransferOptions {
  readonly credentials?: Credentials;
  readonly platform?: Platform;
  readonly progress?: (event: TransferProgress) => void;
  readonly signal?: AbortSignal;
  /** Of a source that comes with it: nobody else sees its pieces, so their memory is given back as soon as they are taken. */
  readonly ownsPieces?: boolean;
}

export interface ImageEvent {
  readonly action: 'pull' | 'push' | 'create' | 'tag' | 'untag' | 'delete' | 'load' | 'import' | 'save';
  readonly id: string;
  readonly name?: string;
}

export interface Images {
  readonly content: ContentStore;
  readonly snapshots: Snapshots;
  list(): Promise<readonly Image[]>;
  /** By name, `name@digest`, full id, or unambiguous id prefix. @throws `not-found` (`No such image: …`), `invalid` (malformed or ambiguous) */
  get(nameOrId: string): Promise<Image>;
  tag(nameOrId: string, target: string): Promise<void>;
  /**
   * Removes a reference, and the image itself with its last one. `inUse` tells which containers hold an image id,
   * `running` which of them run (left out: none does).
   * @returns what happened, in order.
   * @throws `not-found`, `conflict`
   */
  remove(
    nameOrId: string,
    options: {
      readonly force?: boolean;
      readonly prune?: boolean;
      readonly inUse: (id: string) => readonly string[];
      readonly running?: (id: string) => readonly string[];
    },
  ): Promise<readonly ({ readonly untagged: string } | { readonly deleted: string })[]>;
  /** @throws `not-found` (no such repository or tag), `unauthorized`, `unavailable` (registry can't be reached) */
  pull(reference: string, options?: TransferOptions): Promise<Image>;
  push(reference: string, options?: TransferOptions): Promise<{ readonly digest: string; readonly size: number }>;
  /**
   * Tries credentials at a registry (`docker login`). `serverAddress`: host with port, or its address; empty: Docker Hub.
   * @returns the token that the registry gives to be kept instead of the password, if any. @throws `invalid`, `unauthorized`, `unavailable`
   */
  logIn(serverAddress: string, credentials: Credentials, signal?: AbortSignal): Promise<string | undefined>;
  /** What a registry has under a name, without fetching it. @throws as `pull` does */
  askRegistry(
    reference: string,
    credentials?: Credentials,
    signal?: AbortSignal,
  ): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }>;
  /** `docker load`: a docker-archive or OCI layout as a tar stream, compressed or not. */
  load(tar: Readable, options?: TransferOptions): Promise<readonly { readonly image: Image; readonly references: readonly string[] }[]>;
  /** `docker save`. `names`: what the image (one) is called in the archive, instead of its names here. */
  save(namesOrIds: readonly string[], options?: { readonly names?: readonly string[] }): Promise<Readable>;
  /** `docker import`: a root file system as a tar. */
  import(
    tar: Readable,
    options: { readonly reference?: string; readonly message?: string; readonly config?: ImageConfig; readonly platform?: Platform },
  ): Promise<Image>;
  /** Stores config and manifest over layers that are in the store, and points `references` at them. For build and commit. */
  create(
    document: ImageDocument,
    layers: readonly Descriptor[],
    references: readonly string[],
    options?: { readonly annotations?: Readonly<Record<string, string>> },
  ): Promise<Image>;
  /** A lease on an image (its blobs, and its snapshot once unpacked). */
  lease(imageId: string): Undo;
  /** Keeps blobs and chains (by digest or chain id) from collection, until the undo. */
  hold(names: readonly string[]): Undo;
  /** Deletes blobs and snapshots that nothing refers to. @returns bytes freed */
  collect(): Promise<{ readonly bytes: number; readonly deleted: readonly string[] }>;
  /** Removes images without a reference (or, `all`, without a container); of those, with `match`, only the ones that it accepts. */
  prune(options: {
    readonly all?: boolean;
    readonly match?: (image: Image) => boolean;
    readonly inUse: (id: string) => readonly string[];
  }): Promise<{ readonly bytes: number; readonly deleted: readonly string[] }>;
  onEvent(listener: (event: ImageEvent) => void): () => void;
  /** Ends the background work; what was acknowledged is on disk before that already. */
  close(): Promise<void>;
}

/**
 * Snapshots: unpacked layers, stacked by overlay. A committed snapshot is
 * read-only and named by its chain id; an active one is the writable top of a container or
 * build step, named by whoever prepares it. Layer folders live on one file
 * system; whiteouts are the overlay's own (character device 0:0, `trusted.overlay.opaque`).
 */
export interface Snapshots {
  /** Unpacks what is missing; returns the chain id of the whole image. */
  unpack(image: Image, progress?: (event: TransferProgress) => void, signal?: AbortSignal): Promise<string>;
  /** Is this chain unpacked? */
  has(chainId: string): boolean;
  /** Makes the writable layer `key` over the chain (undefined: over nothing). Not mounted yet. @throws `already-exists`, `not-found` */
  prepare(key: string, parentChainId: string | undefined): Promise<void>;
  /** Mounts an active snapshot as an overlay at `target`; the undo unmounts. */
  mount(key: string, target: string, options?: MountOptions): Promise<Undo>;
  /** Mounts a committed chain read-only. */
  mountChain(chainId: string, target: string): Promise<Undo>;
  /** The layers of an active snapshot, topmost first, for a caller that mounts itself. */
  layers(key: string): Promise<{ readonly lower: readonly string[]; readonly upper: string; readonly work: string }>;
  /**
   * Makes a layer of what the active snapshot's upper directory holds, never by a scan of the whole tree: writes the tar blob (gzip, or uncompressed) and
   * keeps the directory itself as the committed snapshot of the new chain. The key is gone afterwards, unless `keep` is
   * set. Not while it is mounted, without `keep`.
   */
  commit(key: string, options?: CommitOptions): Promise<{ readonly descriptor: Descriptor; readonly diffId: string; readonly chainId: string }>;
  /** What changed against the parent: paths with 0 modified, 1 added, 2 deleted (`docker diff`). */
  changes(key: string): Promise<readonly { readonly path: string; readonly kind: 0 | 1 | 2 }[]>;
  /** Bytes of the writable layer. */
  usage(key: string): Promise<number>;
  /** Nothing there is success. */
  remove(key: string): Promise<void>;
}

export interface MountOptions {
  /** Don't sync the upper directory, at unmounting neither: for build steps and containers that are removed when they end. */
  readonly volatile?: boolean;
}

export interface CommitOptions {
  /** Default: none. */
  readonly compression?: 'none' | 'gzip';
  /** The snapshot stays active (`docker commit` of a container); the new chain gets a copy. */
  readonly keep?: boolean;
  readonly signal?: AbortSignal;
}

/** What is taken of a tree, for hashing and for copying alike. */
export interface TreeSelection {
  /** A folder that nobody changes meanwhile. */
  readonly root: string;
  /** Paths in it, or patterns (Go's filepath.Match, and `**`). */
  readonly sources: readonly string[];
  /** Patterns of what is left out, relative to each source. */
  readonly exclude?: readonly string[];
  /** Take the sources' paths along, not only their last names. */
  readonly parents?: boolean;
}

/**
 * Work on folders which others have filled: paths are resolved inside of their root by descriptor, and nothing is
 * written through a link. Done on threads of its own. For the builder.
 */
export interface Trees {
  /** Starts a thread ahead of work that is sure to come. */
  warm(): void;
  /** A digest over names, types, modes, owners, links and contents; times don't count. @throws `not-found` */
  digest(selection: TreeSelection, signal?: AbortSignal): Promise<string>;
  /** COPY: a folder's contents, a file under its name or the destination's. `owner` and `mode` left out: as the source's. @throws `not-found`, `invalid` */
  copy(
    copy: {
      readonly selection: TreeSelection;
      readonly into: string;
      readonly destination: string;
      readonly owner?: { readonly uid: number; readonly gid: number };
      readonly mode?: number;
      readonly files?: readonly { readonly name: string; readonly content: string }[];
      /** Unpack sources that are tar archives, compressed or not (ADD). */
      readonly unpack?: boolean;
    },
    signal?: AbortSignal,
  ): Promise<void>;
  /** Unpacks an uncompressed or compressed tar file into an empty folder, all of it owned by root. @throws `invalid`, `too-large`, `exhausted` */
  unpack(archive: string, into: string, signal?: AbortSignal): Promise<void>;
  /** Writes a folder as a tar file. The folder doesn't change meanwhile. */
  pack(folder: string, path: string, signal?: AbortSignal): Promise<void>;
  /** A file's text; undefined when there is none. @throws `too-large`, `invalid` */
  read(root: string, path: string, maxBytes: number): Promise<string | undefined>;
  /** Makes a folder and those above it (mode 0755). @returns whether anything was made. @throws `invalid` */
  makeFolder(root: string, path: string, owner: { readonly uid: number; readonly gid: number }): Promise<boolean>;
  /** For each path, what it leads to; undefined for nothing. */
  resolve(root: string, paths: readonly string[]): Promise<readonly ({ readonly path: string; readonly folder: boolean } | undefined)[]>;
  /** Takes the empty places of mounts out of an upper directory, where the layers below have none. @returns whether it changes nothing then */
  removeStubs(layers: { readonly upper: string; readonly lower: readonly string[] }, paths: readonly string[]): Promise<boolean>;
}
