import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Clock } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Undo } from '../../../lib/undo.ts';
import { Journal } from '../../images/journal.ts';
import type { Change } from '../../images/journal.ts';
import type { Descriptor, Images } from '../../images/images.ts';
import type { BuildCacheRecord } from '../builder.ts';

/** What a step left: a file system, and the layer that it added, if it changed anything. */
export interface StepResult {
  /** undefined: an empty file system. */
  readonly chainId: string | undefined;
  readonly layer?: { readonly descriptor: Descriptor; readonly diffId: string };
  readonly createdMs: number;
}

interface CacheRecord extends StepResult {
  readonly description: string;
  readonly type: 'regular' | 'source.local' | 'exec.cachemount';
  readonly bytes: number;
  readonly lastUsedMs: number;
  readonly useCount: number;
}

const KEEP_BYTES = 20 * 1024 ** 3;
const KEEP_RECORDS = 20_000;

/** What is lost with the machine is built again, and a damaged cache begins anew. */
async function openJournal(path: string): Promise<Journal> {
  try {
    return await Journal.open(path, { sync: false });
  } catch (error) {
    if (!isCode(error, 'internal')) throw error;
    await rm(path, { force: true });
    return await Journal.open(path, { sync: false });
  }
}

/** A key of what decides a step's result. */
export function keyOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Results of steps by their key, on disk; what they need is kept from collection. A step that two builds want at once runs once. */
export class BuildCache {
  readonly #journal: Journal;
  readonly #images: Pick<Images, 'content' | 'snapshots' | 'hold' | 'collect'>;
  readonly #clock: Clock;
  readonly #holds = new Map<string, Undo>();
  readonly #running = new Map<string, Promise<StepResult>>();
  /** Uses since the record was written; written along with the next change. */
  readonly #used = new Map<string, { count: number; lastMs: number }>();

  private constructor(journal: Journal, images: Pick<Images, 'content' | 'snapshots' | 'hold' | 'collect'>, clock: Clock) {
    this.#journal = journal;
    this.#images = images;
    this.#clock = clock;
  }

  static async open(path: string, images: Pick<Images, 'content' | 'snapshots' | 'hold' | 'collect'>, clock: Clock): Promise<BuildCache> {
    const cache = new BuildCache(await openJournal(path), images, clock);
    const gone: Change[] = [];
    for (const [key, record] of cache.#records) {
      if (await cache.#isWhole(record)) cache.#hold(key, record);
      else gone.push({ table: 'steps', key });
    }
    await cache.#journal.commit(gone);
    return cache;
  }

  get #records(): ReadonlyMap<string, CacheRecord> {
    return this.#journal.table('steps');
  }

  /**
   * The step's result: from the cache, from the same step of another build that runs now, or by `work`.
   * @param options.ignore don't look: `--no-cache`
   */
  async run(
    key: string,
    description: string,
    work: () => Promise<StepResult>,
    options: { readonly ignore: boolean; readonly signal?: AbortSignal; readonly onCached: () => void },
  ): Promise<StepResult> {
    for (;;) {
      const known = options.ignore ? undefined : this.#records.get(key);
      if (known) {
        this.#use(key);
        options.onCached();
        return known;
      }
      const other = options.ignore ? undefined : this.#running.get(key);
      if (!other) break;
      try {
        const result = await other;
        options.onCached();
        return result;
      } catch (error) {
        options.signal?.throwIfAborted();
        // The other build was given up; then it is our turn.
        if (!isCode(error, 'canceled') && !(error instanceof Error && error.name === 'AbortError')) throw error;
      }
    }
    const running = this.#perform(key, description, work);
    if (!options.ignore) this.#running.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key);
    }
  }

  async prune(options: {
    readonly all: boolean;
    readonly keepBytes?: number;
    readonly untilMs?: number;
    readonly match?: (record: BuildCacheRecord) => boolean;
  }): Promise<{ readonly ids: readonly string[]; readonly bytes: number }> {
    const oldest = [...this.#records].sort(([a], [b]) => this.#lastUsed(a) - this.#lastUsed(b));
    let total = oldest.reduce((sum, [, record]) => sum + record.bytes, 0);
    const gone: [string, CacheRecord][] = [];
    const wanted = options.match && new Set(this.usage().filter(options.match).map(({ id }) => id));
    for (const entry of oldest) {
      if (wanted?.has(entry[0]) === false) continue;
      if (options.keepBytes !== undefined && total <= options.keepBytes) break;
      if (options.untilMs !== undefined && this.#lastUsed(entry[0]) > options.untilMs) continue;
      gone.push(entry);
      total -= entry[1].bytes;
    }
    await this.#drop(gone.map(([key]) => key));
    await this.#images.collect();
    return { ids: gone.map(([key]) => key), bytes: gone.reduce((sum, [, record]) => sum + record.bytes, 0) };
  }

  usage(): readonly BuildCacheRecord[] {
    return [...this.#records].map(([id, record]) => ({
      id,
      parents: [],
      type: record.type,
      description: record.description,
      inUse: false,
      shared: false,
      bytes: record.bytes,
      createdMs: record.createdMs,
      lastUsedMs: this.#lastUsed(id),
      usageCount: record.useCount + (this.#used.get(id)?.count ?? 0),
    }));
  }

  async close(): Promise<void> {
    await this.#journal.commit(this.#uses());
    for (const end of this.#holds.values()) await end();
    await this.#journal.close();
  }

  async #perform(key: string, description: string, work: () => Promise<StepResult>): Promise<StepResult> {
    const { chainId, layer, createdMs } = await work();
    const now = this.#clock.now();
    const record: CacheRecord = {
      chainId,
      ...(layer ? { layer } : {}),
      createdMs,
      description,
      type: 'regular',
      bytes: layer?.descriptor.size ?? 0,
      lastUsedMs: now,
      useCount: 0,
    };
    this.#hold(key, record);
    // The record last: uses of the one that it replaces don't bring that back.
    await this.#journal.commit([...this.#uses(), { table: 'steps', key, value: record }]);
    await this.#bound();
    return record;
  }

  #hold(key: string, record: CacheRecord): void {
    const names = [...(record.chainId === undefined ? [] : [record.chainId]), ...(record.layer ? [record.layer.descriptor.digest] : [])];
    const before = this.#holds.get(key);
    this.#holds.set(key, this.#images.hold(names));
    void before?.();
  }

  #use(key: string): void {
    const used = this.#used.get(key) ?? { count: 0, lastMs: 0 };
    used.count++;
    used.lastMs = this.#clock.now();
    this.#used.set(key, used);
  }

  #lastUsed(key: string): number {
    return Math.max(this.#used.get(key)?.lastMs ?? 0, this.#records.get(key)?.lastUsedMs ?? 0);
  }

  #uses(): Change[] {
    const changes: Change[] = [];
    for (const [key, { count, lastMs }] of this.#used) {
      const record = this.#records.get(key);
      if (record) {
        changes.push({
          table: 'steps',
          key,
          value: { ...record, useCount: record.useCount + count, lastUsedMs: lastMs } satisfies CacheRecord,
        });
      }
    }
    this.#used.clear();
    return changes;
  }

  /** Drops what was used longest ago when there is too much. */
  async #bound(): Promise<void> {
    let total = 0;
    for (const record of this.#records.values()) total += record.bytes;
    if (total <= KEEP_BYTES && this.#records.size <= KEEP_RECORDS) return;
    const oldest = [...this.#records].sort(([a], [b]) => this.#lastUsed(a) - this.#lastUsed(b));
    const gone: string[] = [];
    for (const [key, record] of oldest) {
      if (total <= KEEP_BYTES * 0.9 && this.#records.size - gone.length <= KEEP_RECORDS * 0.9) break;
      gone.push(key);
      total -= record.bytes;
    }
    await this.#drop(gone);
    await this.#images.collect();
  }

  async #drop(keys: readonly string[]): Promise<void> {
    await this.#journal.commit(keys.map((key) => ({ table: 'steps', key })));
    for (const key of keys) {
      const end = this.#holds.get(key);
      this.#holds.delete(key);
      this.#used.delete(key);
      await end?.();
    }
  }

  async #isWhole(record: CacheRecord): Promise<boolean> {
    if (record.chainId !== undefined && !this.#images.snapshots.has(record.chainId)) return false;
    return record.layer === undefined || (await this.#images.content.has(record.layer.descriptor.digest));
  }
}
