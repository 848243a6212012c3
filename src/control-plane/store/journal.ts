import type { KeyValue } from './store.ts';

/** What makes one step of the store's history durable. */
export type JournalEntry =
  | { readonly type: 'txn'; readonly revision: number; /** Versions and tombstones, in the order of the operations. */ readonly writes: readonly KeyValue[] }
  | { readonly type: 'compact'; readonly revision: number };

/** A view of the whole state as it was at one revision, held readable until it is released. */
export interface SnapshotSource {
  readonly revision: number;
  /** The next up to `max` keys after `after`; `last` is where to go on, undefined at the end. */
  scan(after: string | undefined, max: number): { readonly entries: readonly KeyValue[]; readonly last: string | undefined };
  release(): void;
}

/**
 * The seam between the state in memory and what outlives the process. The
 * store hands over one batch at a time, and shows a batch only after `append`
 * has resolved.
 */
export interface Journal {
  /** True when `append` has nothing to wait for, so that gathering writes is of no use. */
  readonly immediate: boolean;
  /**
   * Makes all entries durable, or none. After a rejection the journal is as it was before.
   * @throws LongshoreError `exhausted` or `unavailable`
   */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** Asked after each compaction: would it pay to write a snapshot at `floor`, given so many bytes of live values? */
  wantsCheckpoint(floor: number, liveBytes: number): boolean;
  /** Writes a snapshot beside the appends that go on, and drops the history it replaces. */
  checkpoint(source: SnapshotSource): Promise<void>;
  /** Ends a running checkpoint, which then rejects, and gives back files and lock. */
  close(): Promise<void>;
}
