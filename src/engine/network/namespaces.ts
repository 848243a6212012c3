import { mkdir, readdir, readlink, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mounts, NetworkNamespaces } from '../../host/host.ts';
import { isErrno, LongshoreError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { hexId } from '../../lib/random.ts';
import type { Random } from '../../lib/random.ts';

/** Namespace ids become file names. */
const ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/**
 * The kept network namespaces of an instance. Some are prepared, since a mount can't be renamed, the one that is handed out keeps its
 * random name, and a symlink with the id of the container or pod leads to it.
 */
export class NamespacePool {
  #netns: NetworkNamespaces;
  #mounts: Mounts;
  #spaces: string;
  #ids: string;
  #random: Random;
  #logger: Logger;
  #size: number;
  #ready: string[] = [];
  #filling: Promise<void> | undefined;
  #closed = false;

  constructor(options: {
    readonly netns: NetworkNamespaces;
    readonly mounts: Mounts;
    readonly folder: string;
    readonly size: number;
    readonly random: Random;
    readonly logger: Logger;
  }) {
    this.#netns = options.netns;
    this.#mounts = options.mounts;
    this.#spaces = join(options.folder, 'spaces');
    this.#ids = join(options.folder, 'ids');
    this.#size = options.size;
    this.#random = options.random;
    this.#logger = options.logger;
  }

  /** Removes what an earlier process had prepared, and prepares some, in the background. */
  async open(): Promise<void> {
    await mkdir(this.#spaces, { recursive: true, mode: 0o700 });
    await mkdir(this.#ids, { recursive: true, mode: 0o700 });
    // After a restart of the machine the files are there, and nothing is mounted on them.
    const mounted = new Set(await this.#mounts.beneath(this.#spaces));
    const used = new Set<string>();
    for (const [id, path] of await this.ids()) {
      if (mounted.has(path)) used.add(path);
      else await unlink(join(this.#ids, id));
    }
    for (const name of await readdir(this.#spaces)) {
      const path = join(this.#spaces, name);
      if (!used.has(path)) await this.#netns.remove(path);
    }
    this.#fill();
  }

  /** Those in use: path by id. */
  async ids(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const id of await list(this.#ids)) found.set(id, await readlink(join(this.#ids, id)));
    return found;
  }

  /** The namespace for an id; the same one again when it has one. @throws `invalid` (id) */
  async take(id: string): Promise<string> {
    const link = this.#link(id);
    const path = this.#ready.pop() ?? (await this.#make());
    try {
      await symlink(path, link);
    } catch (error) {
      this.#ready.push(path);
      if (isErrno(error, 'EEXIST')) return await readlink(link);
      throw error;
    }
    this.#fill();
    return path;
  }

  /** Nothing there is success. */
  async remove(id: string): Promise<void> {
    const link = this.#link(id);
    let path;
    try {
      path = await readlink(link);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    // In this order: a crash in between leaves a link to nothing, which the next removal takes away.
    await this.#netns.remove(path);
    await unlink(link).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
  }

  /** Removes the prepared ones. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
    for (const path of this.#ready.splice(0)) await this.#netns.remove(path);
  }

  /** Removes all. */
  async destroy(): Promise<void> {
    await this.close();
    for (const id of await list(this.#ids)) await this.remove(id);
    for (const name of await list(this.#spaces)) await this.#netns.remove(join(this.#spaces, name));
  }

  #link(id: string): string {
    if (!ID.test(id)) throw new LongshoreError('invalid', `${JSON.stringify(id)} can't name a network namespace`);
    return join(this.#ids, id);
  }

  #fill(): void {
    if (this.#filling || this.#closed) return;
    this.#filling = (async () => {
      try {
        while (this.#ready.length < this.#size && !this.#closed) this.#ready.push(await this.#make());
      } catch (error) {
        // Whoever needs one meets the same failure, and can tell somebody.
        this.#logger.warn('no network namespace could be prepared', { error: String(error) });
      } finally {
        this.#filling = undefined;
      }
    })();
  }

  async #make(): Promise<string> {
    const path = join(this.#spaces, hexId(this.#random, 8));
    await this.#netns.create(path);
    return path;
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
