import { closeSync, constants } from 'node:fs';
import { openInRootSync, O_PATH } from '../../../host/beneath.ts';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';

/** Descriptors kept open. */
const WIDTH = 64;

/**
 * Descriptors (O_PATH) of folders beneath a root, by their path in an archive. An
 * archive's neighbours lie mostly in one folder, so few are opened twice.
 */
export class FolderCache {
  readonly #root: number;
  readonly #make: (path: string) => number;
  readonly #open = new Map<string, number>();
  #closed = false;

  /** @param make makes the folder when it is missing, and returns its descriptor, or one of this cache's */
  constructor(root: number, make: (path: string) => number) {
    this.#root = root;
    this.#make = make;
  }

  /** Valid until the next call. */
  get(path: string): number {
    const known = this.find(path);
    if (known !== undefined) return known;
    const made = this.#make(path);
    // Where a symlink leads, `make` went through this cache.
    if (![...this.#open.values()].includes(made) && made !== this.#root) this.#keep(path, made);
    return made;
  }

  /** undefined when there is no such folder. @throws `invalid` when symlinks go in a circle */
  find(path: string): number | undefined {
    if (path === '') return this.#root;
    const known = this.#open.get(path);
    if (known !== undefined) {
      // Youngest last.
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    try {
      const fd = openInRootSync(this.#root, path, O_PATH | constants.O_DIRECTORY);
      this.#keep(path, fd);
      return fd;
    } catch (error) {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
      if (isErrno(error, 'ELOOP')) {
        throw new LongshoreError('invalid', `the archive's folder ${JSON.stringify(path)} lies behind too many symlinks`, {
          object: path,
          cause: error,
        });
      }
      throw error;
    }
  }

  /** A folder is gone: it, what lay in it, and what was reached through it. */
  forget(path: string): void {
    for (const [key, fd] of this.#open) {
      if (key === path || key.startsWith(`${path}/`)) {
        this.#open.delete(key);
        closeSync(fd);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    closeSync(this.#root);
  }

  #keep(path: string, fd: number): void {
    this.#open.set(path, fd);
    if (this.#open.size <= WIDTH) return;
    const [oldest, old] = this.#open.entries().next().value!;
    this.#open.delete(oldest);
    closeSync(old);
  }
}
