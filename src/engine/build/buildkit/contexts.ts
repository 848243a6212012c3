import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hexId } from '../../../lib/random.ts';
import type { Random } from '../../../lib/random.ts';
import type { Undo } from '../../../lib/undo.ts';

/** Folders kept from build to build, so that only what has changed is sent. */
const KEEP = 8;

/** Folders that clients' contexts are received into; one build at a time has one. */
export class ContextFolders {
  readonly #folder: string;
  readonly #random: Random;
  /** By name, youngest last; whether it is lent. */
  readonly #kept = new Map<string, boolean>();

  constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
  }

  /** @param key the same for the same folder of the same client; '' keeps nothing */
  async take(key: string): Promise<{ readonly path: string; readonly release: Undo }> {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    if (key === '' || this.#kept.get(name) === true) {
      const path = join(this.#folder, `once-${hexId(this.#random, 8)}`);
      await mkdir(path, { recursive: true, mode: 0o755 });
      return { path, release: () => rm(path, { recursive: true, force: true }) };
    }
    this.#kept.delete(name);
    this.#kept.set(name, true);
    const path = join(this.#folder, name);
    await mkdir(path, { recursive: true, mode: 0o755 });
    return {
      path,
      release: async () => {
        if (this.#kept.has(name)) this.#kept.set(name, false);
        await this.#bound();
      },
    };
  }

  async #bound(): Promise<void> {
    for (const [name, lent] of this.#kept) {
      if (this.#kept.size <= KEEP) return;
      if (lent) continue;
      this.#kept.delete(name);
      await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }
}
