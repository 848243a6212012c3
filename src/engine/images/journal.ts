import { createHash } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';

/** A change of the journal's tables. */
export type Change =
  | { readonly table: string; readonly key: string; readonly value: unknown }
  | { readonly table: string; readonly key: string; readonly value?: undefined };

const COMPACT_BYTES = 1 << 20;

/**
 * # A few small tables, kept whole in memory and safe on disk
 *
 * Each commit is one line of an append-only file: a checksum and the changes as
 * JSON. A commit resolves once the line is synced; commits that wait share one sync. A
 * line that a crash cut off was never acknowledged and is dropped at the next
 * opening; the file is written anew when most of it is history.
 */
export class Journal {
  readonly #path: string;
  readonly #sync: boolean;
  readonly #tables: Map<string, Map<string, unknown>>;
  #file: FileHandle;
  #size: number;
  #waiting: { readonly line: string; readonly changes: readonly Change[]; resolve(): void; reject(error: unknown): void }[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  private constructor(path: string, file: FileHandle, size: number, tables: Map<string, Map<string, unknown>>, sync: boolean) {
    this.#path = path;
    this.#sync = sync;
    this.#file = file;
    this.#size = size;
    this.#tables = tables;
  }

  /**
   * @param options.sync false: for what may be lost with the machine, such as a cache
   * @throws `internal` when the file is damaged
   */
  static async open(path: string, options: { readonly sync?: boolean } = {}): Promise<Journal> {
    const file = await open(path, 'a+', 0o600);
    try {
      const bytes = await file.readFile();
      const tables = new Map<string, Map<string, unknown>>();
      let good = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, good)) {
        const changes = decode(bytes.toString('utf8', good, end));
        if (!changes) break;
        for (const change of changes) apply(tables, change);
        good = end + 1;
      }
      // What follows the last whole line was not acknowledged. A bad line with good ones behind it is damage, though.
      if (good < bytes.length) {
        const next = bytes.indexOf(10, good);
        if (
          next >= 0 &&
          next + 1 < bytes.length &&
          bytes
            .toString('utf8', next + 1)
            .split('\n')
            .some((line) => decode(line))
        ) {
          throw new LongshoreError('internal', `${path} is damaged at byte ${good}`, {
            object: path,
            remedy: 'Restore the file from a backup, or move it away to begin without images.',
          });
        }
        await file.truncate(good);
        await file.sync();
      }
      const journal = new Journal(path, file, good, tables, options.sync ?? true);
      if (good > COMPACT_BYTES && good > 2 * journal.#encodeAll().length) await journal.#compact();
      return journal;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A table as it stands; only `commit` changes it. */
  table<T>(name: string): ReadonlyMap<string, T> {
    let table = this.#tables.get(name);
    if (!table) this.#tables.set(name, (table = new Map()));
    return table as ReadonlyMap<string, T>;
  }

  /** All or nothing; the tables show it once it is safe. @throws `exhausted` (disk full), `unavailable` (closed) */
  commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed) return Promise.reject(new LongshoreError('unavailable', 'the image store is closed'));
    if (changes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line: encode(changes), changes, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      const bytes = Buffer.from(batch.map((entry) => entry.line).join(''));
      try {
        await this.#file.appendFile(bytes);
        if (this.#sync) await this.#file.datasync();
      } catch (cause) {
        // Half a line must not precede the next one.
        await this.#file.truncate(this.#size).catch(() => {
          // Opening drops the rest in any case; until then no commit may follow it.
          this.#closed = true;
        });
        const error = new LongshoreError(
          isErrno(cause, 'ENOSPC') ? 'exhausted' : 'internal',
          `images: can't write ${this.#path}: ${messageOf(cause)}`,
          { remedy: 'Free some disk space.', cause },
        );
        for (const entry of batch) entry.reject(error);
        continue;
      }
      this.#size += bytes.length;
      for (const entry of batch) {
        for (const change of entry.changes) apply(this.#tables, change);
        entry.resolve();
      }
    }
    // In the same breath as the last look at the queue: what comes now starts anew.
    this.#flushing = undefined;
  }

  #encodeAll(): Buffer {
    const lines: string[] = [];
    for (const [table, entries] of this.#tables) for (const [key, value] of entries) lines.push(encode([{ table, key, value }]));
    return Buffer.from(lines.join(''));
  }

  async #compact(): Promise<void> {
    const bytes = this.#encodeAll();
    const fresh = await open(`${this.#path}.new`, 'w', 0o600);
    try {
      await fresh.writeFile(bytes);
      await fresh.sync();
    } finally {
      await fresh.close();
    }
    await rename(`${this.#path}.new`, this.#path);
    const folder = await open(dirname(this.#path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    await this.#file.close();
    this.#file = await open(this.#path, 'a+', 0o600);
    this.#size = bytes.length;
  }
}

function encode(changes: readonly Change[]): string {
  const body = JSON.stringify(changes.map((c) => (c.value === undefined ? [c.table, c.key] : [c.table, c.key, c.value])));
  return `${sum(body)} ${body}\n`;
}

function decode(line: string): Change[] | undefined {
  if (line.length < 18 || line[16] !== ' ') return undefined;
  const body = line.slice(17);
  if (sum(body) !== line.slice(0, 16)) return undefined;
  return (JSON.parse(body) as [string, string, unknown][]).map(([table, key, value]) => ({ table, key, value }));
}

function sum(body: string): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 16);
}

function apply(tables: Map<string, Map<string, unknown>>, change: Change): void {
  let table = tables.get(change.table);
  if (!table) tables.set(change.table, (table = new Map()));
  if (change.value === undefined) table.delete(change.key);
  else table.set(change.key, change.value);
}
