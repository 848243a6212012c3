import { chmod, chown, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mounts } from '../../host/host.ts';
import { isErrno, LongshoreError } from '../../lib/errors.ts';
import type { Undo } from '../../lib/undo.ts';
import type { FileContentStore } from './content.ts';
import { chainOf, hexOf, shortId } from './digest.ts';
import type { CommitOptions, Descriptor, Image, MountOptions, Snapshots, TransferProgress } from './images.ts';
import { bytesOf, changesOf } from './layers/changes.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { Trash } from './layers/trash.ts';
import type { LayerWorkers } from './layers/workers.ts';
import { OCI_LAYER, OCI_LAYER_GZIP } from './media-types.ts';

const KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** Names the layer below, by the hexadecimal part of its chain id. */
const PARENT = 'parent';

export interface SnapshotParts {
  readonly folder: string;
  readonly layers: LayerStore;
  readonly content: FileContentStore;
  readonly mounts: Mounts;
  readonly trash: Trash;
  readonly workers: LayerWorkers;
  /** Unpacks a chain again of which something is missing. @throws `not-found` when no image has it */
  readonly restore: (chainId: string) => Promise<void>;
  /** A chain was made that nobody refers to yet. */
  readonly onCommitted: (chainId: string) => void;
}

/** Snapshots on overlayfs: active ones are `active/<key>/{fs,work,parent}`. */
export class OverlaySnapshots implements Snapshots {
  readonly #parts: SnapshotParts;
  /** Key to chain id of the parent. */
  readonly #active: Map<string, string | undefined>;

  private constructor(parts: SnapshotParts, active: Map<string, string | undefined>) {
    this.#parts = parts;
    this.#active = active;
  }

  static async open(parts: SnapshotParts): Promise<OverlaySnapshots> {
    const folder = join(parts.folder, 'active');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // The lower layer of what has none.
    await mkdir(join(parts.folder, 'empty'), { recursive: true, mode: 0o755 });
    const active = new Map<string, string | undefined>();
    for (const key of await readdir(folder)) {
      const parent = await readlink(join(folder, key, PARENT)).catch((error: unknown) => {
        // Half made when the process ended.
        if (isErrno(error, 'ENOENT')) return 'half';
        throw error;
      });
      if (parent === 'half') await parts.trash.put(join(folder, key));
      else active.set(key, parent === 'none' ? undefined : `sha256:${parent}`);
    }
    return new OverlaySnapshots(parts, active);
  }

  /** Chain ids on which active snapshots stand. */
  parents(): Set<string> {
    return new Set([...this.#active.values()].filter((parent) => parent !== undefined));
  }

  async unpack(image: Image, progress?: (event: TransferProgress) => void, signal?: AbortSignal): Promise<string> {
    return await this.#parts.layers.ensure(
      image.document.rootfs.diff_ids.map((diffId, at) => {
        const layer = image.layers[at]!;
        const id = shortId(layer.digest);
        return {
          diffId,
          path: () => Promise.resolve(this.#parts.content.path(layer.digest)),
          progress: (current: number) => progress?.({ id, status: 'Extracting', current, total: layer.size }),
        };
      }),
      signal,
    );
  }

  has(chainId: string): boolean {
    return this.#parts.layers.get(chainId) !== undefined;
  }

  async prepare(key: string, parentChainId: string | undefined): Promise<void> {
    const folder = this.#folder(key);
    if (parentChainId !== undefined && this.has(parentChainId) && !this.#parts.layers.isWhole(parentChainId)) {
      await this.#parts.restore(parentChainId);
    }
    const parent = parentChainId === undefined ? undefined : this.#parts.layers.get(parentChainId);
    if (parentChainId !== undefined && !parent) {
      throw new LongshoreError('not-found', `the layer ${parentChainId} is not unpacked`, { object: parentChainId });
    }
    try {
      await mkdir(folder, 0o700);
    } catch (error) {
      if (isErrno(error, 'EEXIST')) throw new LongshoreError('already-exists', `there is a snapshot ${key} already`, { object: key });
      throw error;
    }
    this.#active.set(key, parentChainId);
    try {
      const { mode, uid, gid } = parent?.root ?? { mode: 0o755, uid: 0, gid: 0 };
      await Promise.all([mkdir(join(folder, 'fs'), mode), mkdir(join(folder, 'work'), 0o700)]);
      if (mode !== 0o755) await chmod(join(folder, 'fs'), mode);
      if (uid !== 0 || gid !== 0) await chown(join(folder, 'fs'), uid, gid);
      // Last: it says that the snapshot is whole.
      await symlink(parentChainId === undefined ? 'none' : hexOf(parentChainId), join(folder, PARENT));
    } catch (error) {
      await this.remove(key);
      throw error;
    }
  }

  async mount(key: string, target: string, options: MountOptions = {}): Promise<Undo> {
    const { lower, upper, work } = await this.layers(key);
    const unmount = await this.#parts.mounts.overlay(target, { lower, upper, work, ...(options.volatile ? { volatile: true } : {}) });
    if (!options.volatile) return unmount;
    let done: Promise<void> | undefined;
    return () =>
      (done ??= (async () => {
        await unmount();
        // The kernel leaves this folder as a sign that a crash may have lost data, and refuses to mount with it; there was none.
        await rm(join(work, 'work/incompat'), { recursive: true, force: true });
      })());
  }

  async mountChain(chainId: string, target: string): Promise<Undo> {
    const lower = this.#parts.layers.stack(chainId);
    // A read-only overlay wants two layers.
    return await this.#parts.mounts.overlay(target, { lower: lower.length > 1 ? lower : [...lower, this.#empty()] });
  }

  async layers(key: string): Promise<{ readonly lower: readonly string[]; readonly upper: string; readonly work: string }> {
    const parent = this.#parent(key);
    const folder = this.#folder(key);
    if (parent !== undefined && !this.#parts.layers.isWhole(parent)) await this.#parts.restore(parent);
    const lower = parent === undefined ? [this.#empty()] : this.#parts.layers.stack(parent);
    return { lower, upper: join(folder, 'fs'), work: join(folder, 'work') };
  }

  async commit(key: string, options: CommitOptions = {}): Promise<{ readonly descriptor: Descriptor; readonly diffId: string; readonly chainId: string }> {
    const parent = this.#parent(key);
    const folder = this.#folder(key);
    const { content, layers, onCommitted, trash, workers } = this.#parts;
    const path = content.temporaryPath();
    const compression = options.compression ?? 'none';
    try {
      const packed = await workers.run({ kind: 'pack', folder: join(folder, 'fs'), path, compression }, options.signal ? { signal: options.signal } : {});
      await content.adopt(path, packed.digest);
      const descriptor: Descriptor = { mediaType: compression === 'gzip' ? OCI_LAYER_GZIP : OCI_LAYER, digest: packed.digest, size: packed.size };
      if (options.keep) {
        const chainId = await layers.extend(parent, { diffId: packed.diffId, path: () => Promise.resolve(content.path(packed.digest)) }, options.signal);
        onCommitted(chainId);
        return { descriptor, diffId: packed.diffId, chainId };
      }
      onCommitted(chainOf(parent, packed.diffId));
      this.#active.delete(key);
      await trash.put(join(folder, 'work'));
      await rm(join(folder, PARENT), { force: true });
      const { chainId } = await layers.adopt(folder, parent, packed.diffId, packed.bytes);
      return { descriptor, diffId: packed.diffId, chainId };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async changes(key: string): Promise<readonly { readonly path: string; readonly kind: 0 | 1 | 2 }[]> {
    const { upper, lower } = await this.layers(key);
    return await changesOf(upper, lower);
  }

  async usage(key: string): Promise<number> {
    return await bytesOf((await this.layers(key)).upper);
  }

  async remove(key: string): Promise<void> {
    const folder = this.#folder(key);
    this.#active.delete(key);
    await this.#parts.trash.put(folder);
  }

  /** Keys of all active snapshots. */
  keys(): readonly string[] {
    return [...this.#active.keys()];
  }

  #parent(key: string): string | undefined {
    const folder = this.#folder(key);
    if (!this.#active.has(key)) throw new LongshoreError('not-found', `there is no snapshot ${key}`, { object: folder });
    return this.#active.get(key);
  }

  #folder(key: string): string {
    if (!KEY.test(key)) throw new LongshoreError('invalid', `${JSON.stringify(key)} can't name a snapshot`, { object: key });
    return join(this.#parts.folder, 'active', key);
  }

  #empty(): string {
    return join(this.#parts.folder, 'empty');
  }
}
