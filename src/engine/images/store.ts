import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Host } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Undo } from '../../lib/undo.ts';
import { Catalog } from './catalog.ts';
import { collectGarbage } from './collect.ts';
import { FileContentStore } from './content.ts';
import { HttpClient } from './distribution/http.ts';
import { askRegistry, logIn } from './distribution/login.ts';
import { pullImage } from './distribution/pull.ts';
import type { PullParts } from './distribution/pull.ts';
import { pushImage } from './distribution/push.ts';
import { chainIds } from './digest.ts';
import { readBoot, restoreChain, syncFileSystem } from './durability.ts';
import type {
  ContentStore,
  Credentials,
  Descriptor,
  Image,
  ImageConfig,
  ImageDocument,
  ImageEvent,
  Images,
  Platform,
  Snapshots,
  TransferOptions,
  Trees,
} from './images.ts';
import { importImage } from './import.ts';
import { Journal } from './journal.ts';
import { LayerStore } from './layers/layer-store.ts';
import { Trash } from './layers/trash.ts';
import { LayerWorkers } from './layers/workers.ts';
import { loadImages } from './load.ts';
import type { LoadedImage } from './load.ts';
import { Leases } from './leases.ts';
import { hostPlatform } from './manifest.ts';
import { recordImage, writeImage } from './record.ts';
import { RegistryBacking } from './registry-backing.ts';
import { familiar, fullName, parseTagged } from './reference.ts';
import { removeImage } from './remove.ts';
import type { Removed, RemoveOptions } from './remove.ts';
import { saveImages } from './save.ts';
import { OverlaySnapshots } from './snapshots.ts';
import { tagImage } from './tag.ts';
import { WorkerTrees } from './trees.ts';

export interface OpenImagesOptions {
  /** Folder of its own; made when missing. Blobs, layers and active snapshots lie here, on one file system. */
  readonly folder: string;
  /** `spawn` runs sync(1) after layers were unpacked; without it they are unpacked again after a crash of the machine. */
  readonly host: { readonly mounts: Host['mounts']; readonly spawn?: Pick<Host['spawn'], 'run'> };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Default: this machine's. */
  readonly platform?: Platform;
  /** Bounds for one layer. */
  readonly maxLayerBytes?: number;
  readonly maxLayerEntries?: number;
  /** Registries (host with port) that may be spoken to without TLS; this machine's own always may. */
  readonly insecureRegistries?: readonly string[];
  /** Where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked up: the daemon's environment. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
}

/** Opens (or makes) the image store of a folder. One process at a time. @throws system errors */
export async function openImages(options: OpenImagesOptions): Promise<ImageStore> {
  const { clock, folder, logger, random } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const leases = new Leases(clock);
  const content = await FileContentStore.open(folder, random, (digest) => leases.written(digest));
  const workers = new LayerWorkers(clock);
  const trash = await Trash.open(join(folder, 'trash'), random, logger);
  const layers = await LayerStore.open({
    folder,
    clock,
    boot: await readBoot(),
    sync: options.host.spawn && ((spawn) => (path: string) => syncFileSystem(spawn, path))(options.host.spawn),
    workers,
    trash,
    random,
    logger,
    ...(options.maxLayerBytes === undefined ? {} : { maxLayerBytes: options.maxLayerBytes }),
    ...(options.maxLayerEntries === undefined ? {} : { maxLayerEntries: options.maxLayerEntries }),
  });
  const journal = await Journal.open(join(folder, 'images.log'));
  const catalog = new Catalog(journal, content, layers);
  const restore = (chainId: string): Promise<void> => restoreChain({ catalog, content, layers }, chainId);
  const snapshots = await OverlaySnapshots.open({
    folder,
    restore,
    layers,
    content,
    mounts: options.host.mounts,
    trash,
    workers,
    onCommitted: (chainId) => leases.written(chainId),
  });
  const listeners = new Set<(event: ImageEvent) => void>();
  const parts: PullParts = {
    clock,
    logger,
    catalog,
    content,
    layers,
    leases,
    snapshots,
    workers,
    platform: options.platform ?? hostPlatform(),
    http: new HttpClient(options.proxyEnv ? { proxyEnv: options.proxyEnv } : {}),
    insecureRegistries: new Set(options.insecureRegistries),
    fetching: new Map(),
    emit(event) {
      for (const listener of listeners) listener(event);
    },
  };
  return new ImageStore(parts, listeners, trash);
}

/** The image store over a folder. */
export class ImageStore implements Images {
  readonly #parts: PullParts;
  readonly #listeners: Set<(event: ImageEvent) => void>;
  readonly #trash: Trash;
  readonly #startedMs: number;
  #registry: RegistryBacking | undefined;
  #trees: Trees | undefined;
  /** Removals and collections, one after another. */
  #sweeping: Promise<unknown> = Promise.resolve();

  constructor(parts: PullParts, listeners: Set<(event: ImageEvent) => void>, trash: Trash) {
    this.#parts = parts;
    this.#listeners = listeners;
    this.#trash = trash;
    this.#startedMs = parts.clock.now();
  }

  get content(): ContentStore {
    return this.#parts.content;
  }

  /** For the registry's room. */
  get registry(): RegistryBacking {
    return (this.#registry ??= new RegistryBacking(this.#parts));
  }

  /** For the builder. */
  get trees(): Trees {
    return (this.#trees ??= new WorkerTrees(this.#parts.workers));
  }

  get snapshots(): Snapshots {
    return this.#parts.snapshots;
  }

  async list(): Promise<readonly Image[]> {
    return await Promise.all([...this.#parts.catalog.images.keys()].map((id) => this.#parts.catalog.image(id)));
  }

  async get(nameOrId: string): Promise<Image> {
    return await this.#parts.catalog.image(this.#parts.catalog.resolve(nameOrId));
  }

  async tag(nameOrId: string, target: string): Promise<void> {
    await tagImage(this.#parts, nameOrId, target);
  }

  async remove(nameOrId: string, options: RemoveOptions): Promise<readonly Removed[]> {
    return await this.#alone(() => removeImage(this.#parts, nameOrId, options, async () => (await collectGarbage(this.#parts, this.#startedMs)).deleted));
  }

  async import(
    tar: Readable,
    options: { readonly reference?: string; readonly message?: string; readonly config?: ImageConfig; readonly platform?: Platform },
  ): Promise<Image> {
    return await importImage(this.#parts, tar, options);
  }

  async pull(reference: string, options: TransferOptions = {}): Promise<Image> {
    return await pullImage(this.#parts, reference, options);
  }

  async push(reference: string, options: TransferOptions = {}): Promise<{ readonly digest: string; readonly size: number }> {
    return await pushImage(this.#parts, reference, options);
  }

  async logIn(serverAddress: string, credentials: Credentials, signal?: AbortSignal): Promise<string | undefined> {
    return await logIn(this.#parts, serverAddress, credentials, signal);
  }

  async askRegistry(
    reference: string,
    credentials?: Credentials,
    signal?: AbortSignal,
  ): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }> {
    return await askRegistry(this.#parts, reference, credentials, signal);
  }

  async load(tar: Readable, options: TransferOptions = {}): Promise<readonly LoadedImage[]> {
    return await loadImages(this.#parts, tar, options);
  }

  async save(namesOrIds: readonly string[], options: { readonly names?: readonly string[] } = {}): Promise<Readable> {
    return await saveImages(this.#parts, namesOrIds, options.names);
  }

  async create(
    document: ImageDocument,
    layers: readonly Descriptor[],
    references: readonly string[],
    options: { readonly annotations?: Readonly<Record<string, string>> } = {},
  ): Promise<Image> {
    const names = references.map((reference) => fullName(parseTagged(reference)));
    const lease = this.#parts.leases.open(...layers.map((layer) => layer.digest));
    try {
      const { manifestDigest } = await writeImage(this.#parts, document, layers, options.annotations);
      const image = await recordImage(this.#parts, manifestDigest, { references: names });
      this.#parts.emit({ action: 'create', id: image.id, name: image.id });
      for (const name of names) this.#parts.emit({ action: 'tag', id: image.id, name: familiar(name) });
      return image;
    } finally {
      await lease.end();
    }
  }

  lease(imageId: string): Undo {
    const record = this.#parts.catalog.images.get(imageId);
    const lease = this.#parts.leases.open(imageId, ...(record ? [record.manifest] : []));
    if (record) {
      // Read from memory for every image that anybody works with.
      this.#parts.catalog.read(record.manifest).then(
        ({ document, layers }) => lease.add(...layers.map((layer) => layer.digest), ...chainIds(document.rootfs.diff_ids)),
        () => {
          // An image whose documents can't be read has nothing that could be used.
        },
      );
    }
    return lease.end;
  }

  hold(names: readonly string[]): Undo {
    const lease = this.#parts.leases.open(...names);
    // From here on it is this that keeps them, and not that they are new.
    this.#parts.leases.owned(names);
    return lease.end;
  }

  async collect(): Promise<{ readonly bytes: number; readonly deleted: readonly string[] }> {
    return await this.#alone(() => collectGarbage(this.#parts, this.#startedMs));
  }

  async prune(options: {
    readonly all?: boolean;
    readonly match?: (image: Image) => boolean;
    readonly inUse: (id: string) => readonly string[];
  }): Promise<{ readonly bytes: number; readonly deleted: readonly string[] }> {
    return await this.#alone(async () => {
      const { catalog } = this.#parts;
      const named = new Set([...catalog.references.values()].map((record) => record.id));
      const deleted: string[] = [];
      for (const id of [...catalog.images.keys()]) {
        if ((named.has(id) && !options.all) || options.inUse(id).length > 0) continue;
        if (options.match && !options.match(await catalog.image(id))) continue;
        const names = [...catalog.references, ...catalog.digests].filter(([, record]) => record.id === id).map(([name]) => name);
        await catalog.journal.commit([...names.map((key) => ({ table: key.includes('@') ? 'digests' : 'references', key })), { table: 'images', key: id }]);
        for (const name of names) this.#parts.emit({ action: 'untag', id, name });
        this.#parts.emit({ action: 'delete', id, name: id });
        deleted.push(...names, id);
      }
      const collected = await collectGarbage(this.#parts, this.#startedMs);
      return { bytes: collected.bytes, deleted: [...deleted, ...collected.deleted.filter((digest) => !deleted.includes(digest))] };
    });
  }

  onEvent(listener: (event: ImageEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.#sweeping.catch(() => {
      // Its caller was told.
    });
    this.#parts.http.close();
    await this.#parts.layers.close();
    await this.#parts.workers.close();
    await this.#trash.emptied();
    await this.#parts.catalog.journal.close();
  }

  async #alone<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#sweeping.then(task, task);
    this.#sweeping = result;
    return await result;
  }
}
