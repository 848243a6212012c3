import { lstat, mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../lib/clock.ts';
import { isCode, isErrno, LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { hexId } from '../../../lib/random.ts';
import type { Random } from '../../../lib/random.ts';
import { chainIds, chainOf, hexOf } from '../digest.ts';
import type { Trash } from './trash.ts';
import type { UnpackTarget } from './ingest-job.ts';
import type { Unpacked } from './unpack-job.ts';
import type { LayerWorkers } from './workers.ts';

/** An unpacked layer, on top of a chain. */
export interface Layer {
  readonly chainId: string;
  readonly parent: string | undefined;
  readonly diffId: string;
  /** Sum of the sizes of the files in this layer. */
  readonly bytes: number;
  /** Of the layer's own root folder, which an overlay shows as the root's. */
  readonly root: { readonly mode: number; readonly uid: number; readonly gid: number };
  /** The machine's boot in which it was unpacked, as long as its files may not all be on the disk. */
  readonly boot?: string;
}

export interface LayerSource {
  readonly diffId: string;
  /** Resolves with the layer's file once it is there. */
  path(): Promise<string>;
  /** What was unpacked of it while it came; undefined when it has to be unpacked from its file. Asked once `path` is resolved. */
  prepared?(): PreparedLayer | undefined;
  progress?(readBytes: number): void;
  /** It is unpacked, or was before. */
  done?(): void;
}

/** A layer that was unpacked before it has its place. */
export interface PreparedLayer {
  /** Its folder among the unfinished; `fs` in it holds the files. */
  readonly folder: string;
  readonly unpacked: Unpacked;
}

export interface LayerStoreOptions {
  readonly folder: string;
  readonly workers: LayerWorkers;
  readonly trash: Trash;
  readonly random: Random;
  readonly logger: Logger;
  /** Bounds for what a layer may unpack to. */
  readonly maxLayerBytes?: number;
  readonly maxLayerEntries?: number;
  readonly clock: Clock;
  /** Names this boot of the machine. */
  readonly boot: string;
  /** Writes everything of the folder's file system to the disk (syncfs). Left out: layers never count as synced. */
  readonly sync: ((folder: string) => Promise<void>) | undefined;
}

/** Kept free on the file system while unpacking. */
const RESERVE_BYTES = 64 << 20;
const RECORD = 'layer.json';
/** After the first layer of a pull or build: the others come meanwhile. */
const SYNC_AFTER_MS = 5000;

/**
 * Unpacked layers: `layers/<hex of the chain id>/{fs,layer.json}`. A layer is unpacked on its
 * own, beside others, and put on its chain when those below are there; it appears whole, by a rename.
 */
export class LayerStore {
  readonly #options: LayerStoreOptions;
  readonly #layers = new Map<string, Layer>();
  readonly #running = new Map<string, Promise<Layer>>();
  /** Layers below those that are being unpacked, and how many need each. */
  readonly #pending = new Map<string, number>();
  readonly #unsynced = new Set<string>();
  #cancelSync: (() => void) | undefined;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(options: LayerStoreOptions) {
    this.#options = options;
  }

  static async open(options: LayerStoreOptions): Promise<LayerStore> {
    const store = new LayerStore(options);
    await mkdir(join(options.folder, 'layers'), { recursive: true, mode: 0o700 });
    // Half-unpacked layers of an earlier process.
    await options.trash.put(join(options.folder, 'tmp'));
    await mkdir(join(options.folder, 'tmp'), { recursive: true, mode: 0o700 });
    for (const name of await readdir(join(options.folder, 'layers'))) {
      const path = join(options.folder, 'layers', name);
      try {
        const layer = JSON.parse(await readFile(join(path, RECORD), 'utf8')) as Layer;
        if (layer.boot !== undefined && layer.boot !== options.boot) {
          // The machine went down before all of it was on the disk: its blob is, since that was synced.
          options.logger.warn('a layer was not yet on the disk when the machine went down; it is unpacked again when it is needed', { chain: layer.chainId });
          await options.trash.put(path);
          continue;
        }
        store.#layers.set(layer.chainId, layer);
        if (layer.boot !== undefined) store.#syncLater(layer.chainId);
      } catch (error) {
        if (!isErrno(error, 'ENOENT') && !(error instanceof SyntaxError)) throw error;
        options.logger.warn('an unpacked layer has no readable record and is dropped; its image is unpacked again', { path });
        await options.trash.put(path);
      }
    }
    return store;
  }

  get(chainId: string): Layer | undefined {
    return this.#layers.get(chainId);
  }

  all(): Iterable<Layer> {
    return this.#layers.values();
  }

  /** The folder with the layer's files. */
  path(chainId: string): string {
    return join(this.#options.folder, 'layers', hexOf(chainId), 'fs');
  }

  /** Is the layer there, and all below it? */
  isWhole(chainId: string): boolean {
    for (let at: string | undefined = chainId; at !== undefined; ) {
      const layer: Layer | undefined = this.#layers.get(at);
      if (!layer) return false;
      at = layer.parent;
    }
    return true;
  }

  /** The folders of a chain, topmost first. @throws `not-found` */
  stack(chainId: string | undefined): string[] {
    const out: string[] = [];
    for (let at = chainId; at !== undefined; ) {
      const layer = this.#layers.get(at);
      if (!layer) throw new LongshoreError('not-found', `the layer ${at} is not unpacked`, { object: at });
      out.push(this.path(at));
      at = layer.parent;
    }
    return out;
  }

  /**
   * Unpacks what is missing of a stack of layers (base first), all at once.
   * @returns the chain id of the whole. @throws `invalid` (a layer that is malformed or has another diff id), `exhausted`, `canceled`
   */
  async ensure(sources: readonly LayerSource[], signal?: AbortSignal): Promise<string> {
    const chains = chainIds(sources.map((source) => source.diffId));
    const release = this.#need(chains);
    try {
      return await this.#all(sources, chains, signal);
    } finally {
      release();
    }
  }

  /** From now on these are not removed, until the returned call. */
  #need(chains: readonly string[]): () => void {
    for (const chain of chains) this.#pending.set(chain, (this.#pending.get(chain) ?? 0) + 1);
    return () => {
      for (const chain of chains) {
        const left = this.#pending.get(chain)! - 1;
        if (left === 0) this.#pending.delete(chain);
        else this.#pending.set(chain, left);
      }
    };
  }

  async #all(sources: readonly LayerSource[], chains: readonly string[], signal: AbortSignal | undefined): Promise<string> {
    if (sources.length === 0) throw new LongshoreError('invalid', 'an image without layers has no root file system');
    for (;;) {
      // All must have ended before anybody hears of a failure: what runs still writes.
      const results: PromiseSettledResult<Layer>[] = await Promise.allSettled(sources.map((source, at) => this.#one(source, chains, at, signal)));
      const failures = results.filter((result) => result.status === 'rejected').map((result) => result.reason as unknown);
      if (failures.length === 0) return chains.at(-1)!;
      // Somebody else who waited for the same layer gave up: that is not our failure.
      const own = failures.find((error) => !isCode(error, 'canceled'));
      if (own === undefined && !signal?.aborted) continue;
      throw signal?.aborted ? signal.reason : (own ?? failures[0]);
    }
  }

  /** A folder to unpack a layer into whose place is not known yet; `discard` is safe after a source has offered it as prepared. */
  async prepare(): Promise<{ readonly folder: string; readonly target: UnpackTarget; readonly discard: () => Promise<void> }> {
    const folder = this.#temporary();
    return { folder, target: await this.#target(folder), discard: () => this.#options.trash.put(folder) };
  }

  /** Throws away a layer that was prepared. One that was taken stays. */
  async discard(prepared: PreparedLayer): Promise<void> {
    await this.#options.trash.put(prepared.folder);
  }

  #temporary(): string {
    return join(this.#options.folder, 'tmp', hexId(this.#options.random, 8));
  }

  async #target(folder: string, redirects: UnpackTarget['options']['redirects'] = []): Promise<UnpackTarget> {
    const into = join(folder, 'fs');
    await mkdir(into, { recursive: true, mode: 0o755 });
    return { into, options: { whiteouts: 'overlay', maxBytes: await this.#room(), redirects }, maxEntries: this.#options.maxLayerEntries ?? 5_000_000 };
  }

  /** Unpacks one layer on top of a chain that is there. @returns the new chain's id */
  async extend(parent: string | undefined, source: LayerSource, signal?: AbortSignal): Promise<string> {
    const chains = [...(parent === undefined ? [] : [parent]), chainOf(parent, source.diffId)];
    const release = this.#need(chains);
    try {
      return (await this.#one(source, chains, chains.length - 1, signal)).chainId;
    } finally {
      release();
    }
  }

  #one(source: LayerSource, chains: readonly string[], at: number, signal: AbortSignal | undefined): Promise<Layer> {
    const chainId = chains[at]!;
    const known = this.#layers.get(chainId);
    if (known) {
      source.done?.();
      return Promise.resolve(known);
    }
    let running = this.#running.get(chainId);
    if (!running) {
      const below = at === 0 ? undefined : this.#running.get(chains[at - 1]!);
      running = this.#unpack(source, chains, at, below, signal).finally(() => this.#running.delete(chainId));
      this.#running.set(chainId, running);
    }
    return running.then((layer) => {
      source.done?.();
      return layer;
    });
  }

  async #unpack(
    source: LayerSource,
    chains: readonly string[],
    at: number,
    below: Promise<Layer> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Layer> {
    // If the layer below fails, this one is of no use; it must not stay unheard until then.
    below?.catch(() => {});
    let temporary = this.#temporary();
    try {
      const path = await source.path();
      let prepared = source.prepared?.();
      if (prepared) temporary = prepared.folder;
      const folder = join(temporary, 'fs');
      const redirects: { path: string; target: string }[] = [];
      for (;;) {
        const unpacked =
          prepared?.unpacked ??
          (await this.#options.workers.run(
            { kind: 'unpack', path, ...(await this.#target(temporary, redirects)) },
            { ...(signal ? { signal } : {}), progress: (bytes) => source.progress?.(bytes) },
          ));
        prepared = undefined;
        if (unpacked.diffId !== source.diffId) {
          throw new LongshoreError(
            'invalid',
            `the layer's uncompressed content has the digest ${unpacked.diffId}, but the image's configuration says ${source.diffId}`,
            { object: source.diffId },
          );
        }
        await below;
        const lower = at === 0 ? [] : this.stack(chains[at - 1]);
        const { throughSymlink } =
          at === 0 && unpacked.pendingLinks.length === 0
            ? { throughSymlink: [] }
            : await this.#options.workers.run({
                kind: 'settle',
                folder,
                lower,
                extracted: { implicit: unpacked.implicit, pendingLinks: unpacked.pendingLinks },
              });
        if (throughSymlink.length === 0) {
          return await this.#publish(temporary, chains[at]!, at === 0 ? undefined : chains[at - 1], source.diffId, unpacked.bytes);
        }
        if (redirects.length > 64) throw new LongshoreError('invalid', 'the layer lies behind too many symlinks of the layers below');
        redirects.push(...throughSymlink);
        await rm(folder, { recursive: true });
      }
    } catch (error) {
      await this.#options.trash.put(temporary);
      throw error;
    }
  }

  /**
   * Makes a layer of a folder that is on this file system already: an upper directory.
   * @param work the folder's parent, which is moved; its `fs` holds the files
   */
  async adopt(work: string, parent: string | undefined, diffId: string, bytes: number): Promise<Layer> {
    const chainId = chainOf(parent, diffId);
    const known = this.#layers.get(chainId);
    if (known) {
      await this.#options.trash.put(work);
      return known;
    }
    return await this.#publish(work, chainId, parent, diffId, bytes);
  }

  async #publish(folder: string, chainId: string, parent: string | undefined, diffId: string, bytes: number): Promise<Layer> {
    const { mode, uid, gid } = await lstat(join(folder, 'fs'));
    const layer: Layer = { chainId, parent, diffId, bytes, root: { mode: mode & 0o7777, uid, gid }, boot: this.#options.boot };
    await writeFile(join(folder, RECORD), JSON.stringify(layer));
    const target = join(this.#options.folder, 'layers', hexOf(chainId));
    try {
      await rename(folder, target);
    } catch (error) {
      if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'EEXIST')) throw error;
      // A layer whose record was not read at the start, or made twice: one is as good as the other.
      await this.#options.trash.put(folder);
    }
    this.#layers.set(chainId, layer);
    this.#syncLater(chainId);
    return layer;
  }

  /** Waiting for a sync now would make every pull as slow as the disk; until it is done, the record says so. */
  #syncLater(chainId: string): void {
    if (!this.#options.sync) return;
    this.#unsynced.add(chainId);
    this.#cancelSync ??= this.#options.clock.after(SYNC_AFTER_MS, () => {
      this.#cancelSync = undefined;
      this.#syncing = this.#sync().catch((error: unknown) =>
        this.#options.logger.warn('unpacked layers could not be synced; they are unpacked again if the machine goes down', {
          error: messageOf(error),
        }),
      );
    });
  }

  async #sync(): Promise<void> {
    const chains = [...this.#unsynced];
    await this.#options.sync?.(this.#options.folder);
    for (const chainId of chains) {
      this.#unsynced.delete(chainId);
      const layer = this.#layers.get(chainId);
      if (!layer) continue;
      const { boot: _, ...synced } = layer;
      const record = join(this.#options.folder, 'layers', hexOf(chainId), RECORD);
      try {
        await writeFile(`${record}.new`, JSON.stringify(synced));
        await rename(`${record}.new`, record);
      } catch (error) {
        // Removed in the meantime.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
      if (this.#layers.has(chainId)) this.#layers.set(chainId, synced);
    }
  }

  /** Ends what waits to be synced: the records say that it was not. */
  async close(): Promise<void> {
    this.#cancelSync?.();
    await this.#syncing;
  }

  /** It is being unpacked, or something is on top of it. */
  isBusy(chainId: string): boolean {
    return this.#running.has(chainId) || this.#pending.has(chainId);
  }

  /** The caller knows that nobody uses it. */
  async remove(chainId: string): Promise<void> {
    this.#layers.delete(chainId);
    await this.#options.trash.put(join(this.#options.folder, 'layers', hexOf(chainId)));
  }

  async #room(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#options.folder);
    return Math.min(Math.max(bavail * bsize - RESERVE_BYTES, 0), this.#options.maxLayerBytes ?? Number.MAX_SAFE_INTEGER);
  }
}
