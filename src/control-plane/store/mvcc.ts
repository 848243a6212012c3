import { KeyRecord, isDeleted } from './key-record.ts';
import { PageCounts } from './page-counts.ts';
import { RevisionLog } from './revision-log.ts';
import { SortedIndex } from './sorted-index.ts';
import type { KeyValue, WatchEvent } from './store.ts';

/** From where a state starts that was read from a snapshot. */
export interface Origin {
  /** The revision of the snapshot. */
  readonly revision: number;
  readonly compacted: number;
}

/** An empty store: revision 1, and all of its history still there. */
export const EMPTY_STORE: Origin = { revision: 1, compacted: 1 };

/**
 * The durable state in memory: every version of every key back to the last
 * compaction, in key order and by revision. It decides nothing; it is handed
 * writes in revision order. Everything in it is synchronous.
 *
 * One revision below the compacted one is kept readable inside (`floor`): that
 * is what a snapshot holds, so that after a restart the events of the compacted
 * revision itself can still be told, with what they replaced.
 */
export class Mvcc {
  readonly #records = new Map<string, KeyRecord>();
  readonly #index = new SortedIndex();
  readonly #log: RevisionLog;
  readonly #pages = new PageCounts();
  #revision: number;
  #compacted: number;
  #keys = 0;
  #bytes = 0;

  constructor(origin: Origin) {
    this.#revision = origin.revision;
    this.#compacted = origin.compacted;
    this.#log = new RevisionLog(origin.revision + 1);
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  /** Live keys. */
  get keys(): number {
    return this.#keys;
  }

  /** Bytes of the newest values. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The newest version of a key, which may be a tombstone. */
  head(key: string): KeyValue | undefined {
    return this.#records.get(key)?.head;
  }

  /** What `key` held at `revision`. */
  get(key: string, revision: number): KeyValue | undefined {
    return this.#records.get(key)?.at(revision);
  }

  /** Fills `out` with at most `limit` entries as of `revision`; returns how many the range holds. */
  range(start: string, end: string, revision: number, limit: number, out: KeyValue[]): number {
    const count = this.#index.range(start, end, revision, limit, out, this.#pages.take(start, end, revision));
    if (count > out.length && out.length > 0) this.#pages.keep(out.at(-1)!.key, end, revision, count - out.length);
    return count;
  }

  /** Takes in a key of a snapshot, before anything is applied. */
  load(kv: KeyValue): void {
    this.#add(kv);
  }

  /** Applies one transaction: versions and tombstones that all carry the next revision. */
  apply(writes: readonly KeyValue[]): readonly WatchEvent[] {
    const events: WatchEvent[] = [];
    for (const kv of writes) {
      const record = this.#records.get(kv.key);
      const type = isDeleted(kv) ? 'delete' : 'put';
      if (record === undefined) {
        this.#add(kv);
        events.push({ type, kv, prev: undefined });
        continue;
      }
      const before = record.head;
      const existed = !isDeleted(before);
      const chunk = record.chunk!;
      chunk.newest = kv.modRevision;
      const change = (type === 'put' ? 1 : 0) - (existed ? 1 : 0);
      chunk.live += change;
      this.#keys += change;
      this.#bytes += kv.value.length - before.value.length;
      record.push(kv);
      events.push({ type, kv, prev: existed ? before : undefined });
    }
    this.#revision++;
    this.#log.push(events);
    return events;
  }

  /** The events of a revision from `compacted` to the newest (none at the snapshot a state started from). */
  eventsAt(revision: number): readonly WatchEvent[] {
    return this.#log.at(revision);
  }

  /** Hides what is older than `revision` from now on; `prune` then frees it. */
  compact(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
  }

  /**
   * Frees history that no read at `floor` or later needs, at most `max` revisions of it.
   * @returns true when nothing is left to free
   */
  prune(floor: number, max: number): boolean {
    for (let n = 0; this.#log.first <= floor; n++) {
      if (n === max) return false;
      // Whatever a version superseded has an event in the log at the revision that superseded it.
      for (const { kv } of this.#log.shift()) {
        const record = this.#records.get(kv.key);
        if (record?.prune(floor) !== true) continue;
        this.#records.delete(kv.key);
        this.#index.remove(record);
      }
    }
    return true;
  }

  /** The next up to `max` keys after `after`, as of `revision`; `last` is where to go on, undefined at the end. */
  scan(after: string | undefined, max: number, revision: number): { readonly entries: KeyValue[]; readonly last: string | undefined } {
    const records = this.#index.recordsAfter(after, max);
    const entries: KeyValue[] = [];
    for (const record of records) {
      const kv = record.at(revision);
      if (kv !== undefined) entries.push(kv);
    }
    return { entries, last: records.length < max ? undefined : records.at(-1)!.key };
  }

  #add(kv: KeyValue): void {
    const record = new KeyRecord(kv);
    this.#records.set(record.key, record);
    this.#index.insert(record);
    if (isDeleted(kv)) return;
    this.#keys++;
    this.#bytes += kv.value.length;
  }
}
