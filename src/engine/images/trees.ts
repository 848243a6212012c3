import { statfs } from 'node:fs/promises';
import type { Trees } from './images.ts';
import type { LayerWorkers } from './layers/workers.ts';

/** Kept free on the file system while unpacking. */
const RESERVE_BYTES = 64 << 20;

/** Work on folders beneath a root, on the threads that unpack layers. */
export class WorkerTrees implements Trees {
  readonly #workers: LayerWorkers;

  constructor(workers: LayerWorkers) {
    this.#workers = workers;
  }

  warm(): void {
    this.#workers.warm();
  }

  async digest(selection: Parameters<Trees['digest']>[0], signal?: AbortSignal): Promise<string> {
    return await this.#workers.run({ kind: 'tree-digest', selection }, options(signal));
  }

  async copy({ unpack, ...copy }: Parameters<Trees['copy']>[0], signal?: AbortSignal): Promise<void> {
    const { bavail, bsize } = await statfs(copy.into);
    await this.#workers.run(
      { kind: 'tree-copy', ...copy, ...(unpack ? { unpack: { maxBytes: Math.max(bavail * bsize - RESERVE_BYTES, 0) } } : {}) },
      options(signal),
    );
  }

  async unpack(archive: string, into: string, signal?: AbortSignal): Promise<void> {
    const { bavail, bsize } = await statfs(into);
    const maxBytes = Math.max(bavail * bsize - RESERVE_BYTES, 0);
    await this.#workers.run(
      { kind: 'unpack', path: archive, into, options: { whiteouts: 'none', maxBytes, owner: { uid: 0, gid: 0 } }, maxEntries: 1_000_000 },
      options(signal),
    );
  }

  async pack(folder: string, path: string, signal?: AbortSignal): Promise<void> {
    await this.#workers.run({ kind: 'pack', folder, path, compression: 'none' }, options(signal));
  }

  async read(root: string, path: string, maxBytes: number): Promise<string | undefined> {
    return await this.#workers.run({ kind: 'tree-read', root, path, maxBytes });
  }

  async makeFolder(root: string, path: string, owner: { readonly uid: number; readonly gid: number }): Promise<boolean> {
    return await this.#workers.run({ kind: 'tree-folder', root, path, owner });
  }

  async resolve(root: string, paths: readonly string[]): Promise<readonly ({ readonly path: string; readonly folder: boolean } | undefined)[]> {
    return await this.#workers.run({ kind: 'tree-resolve', root, paths });
  }

  async removeStubs(layers: { readonly upper: string; readonly lower: readonly string[] }, paths: readonly string[]): Promise<boolean> {
    return await this.#workers.run({ kind: 'tree-stubs', ...layers, paths });
  }
}

function options(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {};
}
