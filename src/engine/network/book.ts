import { mkdir, open, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, LongshoreError } from '../../lib/errors.ts';

/**
 * Records on disk, a JSON file each, replaced by renaming, so that a reader finds the old or the new one whole. Writes of
 * one record that come while one is under way become one.
 */
export class Book {
  #folder: string;
  #running = new Map<string, Promise<void>>();
  #queued = new Map<string, { durable: boolean; done: Promise<void> }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** All records by id. @throws `internal` for a file that can't be read as JSON, naming it */
  async load(): Promise<Map<string, unknown>> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const records = new Map<string, unknown>();
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.endsWith('.tmp')) await unlink(path);
      if (!name.endsWith('.json')) continue;
      try {
        records.set(name.slice(0, -5), JSON.parse(await readFile(path, 'utf8')));
      } catch (cause) {
        throw new LongshoreError('internal', `the record ${path} is damaged`, {
          object: path,
          remedy: 'Move it away; the network that it described has to be created again.',
          cause,
        });
      }
    }
    return records;
  }

  /**
   * Writes what `content` returns at the time of writing.
   * @param durable wait for the disk, too: against loss of power, not only of this process
   */
  save(id: string, content: () => unknown, durable = false): Promise<void> {
    const queued = this.#queued.get(id);
    if (queued) {
      queued.durable ||= durable;
      return queued.done;
    }
    const entry = { durable, done: Promise.resolve() };
    entry.done = this.#writeNext(id, entry, content);
    this.#queued.set(id, entry);
    return entry.done;
  }

  async remove(id: string): Promise<void> {
    await this.#queued.get(id)?.done.catch(() => {}); // the file goes anyway
    await this.#running.get(id)?.catch(() => {});
    try {
      await unlink(join(this.#folder, `${id}.json`));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  async #writeNext(id: string, entry: { readonly durable: boolean }, content: () => unknown): Promise<void> {
    // Also where nothing is under way this leaves the caller first, so that all changes of one turn become one write.
    // Whoever started the other one hears of its failure.
    await this.#running.get(id)?.catch(() => {});
    await Promise.resolve();
    this.#queued.delete(id);
    const write = this.#write(id, content, entry.durable);
    this.#running.set(id, write);
    try {
      await write;
    } finally {
      if (this.#running.get(id) === write) this.#running.delete(id);
    }
  }

  async #write(id: string, content: () => unknown, durable: boolean): Promise<void> {
    const path = join(this.#folder, `${id}.json`);
    const text = JSON.stringify(content());
    if (durable) {
      const file = await open(`${path}.tmp`, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
    } else await writeFile(`${path}.tmp`, text, { mode: 0o600 });
    await rename(`${path}.tmp`, path);
  }
}
