import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../../lib/errors.ts';
import type { Undo } from '../../../lib/undo.ts';

/** Folders for `RUN --mount=type=cache`: kept from build to build, by id. */
export class CacheMounts {
  readonly #folder: string;
  /** Waiting for a locked cache, or holding one. */
  readonly #locks = new Map<string, Promise<void>>();
  readonly #private = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Lends the folder of an id. `locked` waits for others that want it locked; `private` takes another one when it is lent.
   * @returns its path, and what gives it back
   */
  async take(
    id: string,
    sharing: 'shared' | 'private' | 'locked',
    owner: { readonly uid: number; readonly gid: number; readonly mode: number },
    signal: AbortSignal,
  ): Promise<{ readonly path: string; readonly release: Undo }> {
    const name = createHash('sha256').update(id).digest('hex').slice(0, 32);
    if (sharing === 'private') {
      let n = 0;
      while (this.#private.has(`${name}-${n}`)) n++;
      this.#private.add(`${name}-${n}`);
      return { path: await this.#make(n === 0 ? name : `${name}-${n}`, owner), release: () => void this.#private.delete(`${name}-${n}`) };
    }
    if (sharing === 'shared') return { path: await this.#make(name, owner), release: () => {} };
    const before = this.#locks.get(name) ?? Promise.resolve();
    let free = (): void => {};
    const mine = new Promise<void>((resolve) => (free = resolve));
    const queued = before.then(() => mine);
    this.#locks.set(name, queued);
    const release = (): void => {
      free();
      if (this.#locks.get(name) === queued) this.#locks.delete(name);
    };
    try {
      await Promise.race([before, aborted(signal)]);
      return { path: await this.#make(name, owner), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Deletes all that is not lent. */
  async clear(): Promise<void> {
    let names: string[];
    try {
      names = await readdir(this.#folder);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    for (const name of names) {
      if (!this.#locks.has(name) && !this.#private.has(name) && !this.#private.has(`${name}-0`)) {
        await rm(join(this.#folder, name), { recursive: true, force: true });
      }
    }
  }

  async #make(name: string, owner: { readonly uid: number; readonly gid: number; readonly mode: number }): Promise<string> {
    const path = join(this.#folder, name);
    await mkdir(this.#folder, { recursive: true, mode: 0o711 });
    try {
      await mkdir(path, { mode: 0o700 });
      await chown(path, owner.uid, owner.gid);
      await chmod(path, owner.mode);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    return path;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
