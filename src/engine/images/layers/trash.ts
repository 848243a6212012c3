import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { hexId } from '../../../lib/random.ts';
import type { Random } from '../../../lib/random.ts';

/**
 * Folders that are deleted: gone at once by a rename, emptied behind the caller's back, one after another. What a crash
 * leaves is emptied at the next start.
 */
export class Trash {
  readonly #folder: string;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #delete: (path: string) => Promise<unknown>;
  #emptying: Promise<void> | undefined;
  #again = false;

  /** @param remove deletes a tree that may be large */
  private constructor(folder: string, random: Random, logger: Logger, remove: (path: string) => Promise<unknown>) {
    this.#folder = folder;
    this.#random = random;
    this.#logger = logger;
    this.#delete = remove;
  }

  static async open(
    folder: string,
    random: Random,
    logger: Logger,
    remove: (path: string) => Promise<unknown> = (path) => rm(path, { recursive: true, force: true }),
  ): Promise<Trash> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const trash = new Trash(folder, random, logger, remove);
    if ((await readdir(folder)).length > 0) trash.#empty();
    return trash;
  }

  /** Nothing there is success. */
  async put(path: string): Promise<void> {
    try {
      await rename(path, join(this.#folder, hexId(this.#random, 8)));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    this.#empty();
  }

  /** Resolves when all that was put in is deleted. */
  async emptied(): Promise<void> {
    while (this.#emptying) await this.#emptying;
  }

  #empty(): void {
    this.#again = true;
    this.#emptying ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      try {
        for (const name of await readdir(this.#folder)) await this.#delete(join(this.#folder, name));
      } catch (error) {
        this.#logger.warn('deleted layers could not be removed from the disk; it is tried again at the next start', {
          folder: this.#folder,
          error: messageOf(error),
        });
      }
    }
    this.#emptying = undefined;
  }
}
