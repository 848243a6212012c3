/**
 * # The state store: a multi-version key-value log
 *
 * It promises what etcd promises, so that etcd itself can stand behind it:
 *
 * - **One revision counter.** It starts at 1 for an empty store. Every
 *   successful transaction that writes at least one key raises it by exactly
 *   one, and all keys of the transaction carry that revision.
 * - **Serialisable transactions.** A transaction compares, then applies either
 *   `success` or `failure`, atomically. Compares see all earlier transactions,
 *   also those which are not durable yet.
 * - **Durable before acknowledged.** The promise of `txn` resolves after the
 *   write was synced (one sync serves all writes that wait: group commit). A
 *   write that was not acknowledged may or may not survive a crash; one that
 *   was acknowledged always does. A *failed* compare is acknowledged only
 *   after the write that made it fail is durable.
 * - **Nothing is seen before it is durable.** `get`, `range` and watches show
 *   durable state only. After `await txn(...)` they show its result.
 * - **Ordered watch without gaps** from any revision that is not compacted:
 *   first what happened since then, and then what happens, each event exactly
 *   once, in revision order; the events of one transaction arrive together.
 * - **Compaction** forgets the history before a revision; the newest state of
 *   each key always stays. Reads and watches that start below it fail with
 *   the code `gone`.
 *
 * Keys are strings, ordered by their UTF-16 code units (we use ASCII keys,
 * where this is byte order, as in etcd). Values are opaque bytes, never changed once
 * handed over: neither side may write to a buffer that went in or came out.
 */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision that created this key (after its last deletion). */
  readonly createRevision: number;
  /** The revision that wrote this value: the resourceVersion of an API object. */
  readonly modRevision: number;
  /** 1 after creation, raised by one with each write of this key. */
  readonly version: number;
}

export interface RangeOptions {
  /** Read as of this revision; the newest where it is left out. `gone` when compacted, `invalid` when in the future. */
  readonly revision?: number;
  /** At most so many entries. */
  readonly limit?: number;
}

export interface RangeResult {
  readonly entries: readonly KeyValue[];
  /** The store's revision at which this was read. */
  readonly revision: number;
  /** True when `limit` cut the result. */
  readonly more: boolean;
  /** How many keys the range holds in all, without the limit. */
  readonly count: number;
}

/** One condition. `modRevision: 0` (or `version: 0`) says: the key does not exist. */
export type Compare =
  | { readonly key: string; readonly modRevision: number }
  | { readonly key: string; readonly version: number };

export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

export interface TxnRequest {
  /** All must hold for `success` to be applied. */
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure?: readonly Op[];
}

export interface TxnResult {
  readonly succeeded: boolean;
  /** The revision of this transaction's writes; the store's revision when it wrote nothing (deleting an absent key writes nothing). */
  readonly revision: number;
}

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** For a delete: the key, with modRevision the revision of the deletion, and an empty value. */
  readonly kv: KeyValue;
  /** What the key held before; undefined when it did not exist. */
  readonly prev: KeyValue | undefined;
}

export interface WatchOptions {
  /** Keys that start with this. */
  readonly prefix: string;
  /** The first revision to deliver. Left out: what happens after this call. */
  readonly fromRevision?: number;
}

/** Receives a watch. Its methods are called in turn, never after the returned stop was called, and must not throw. */
export interface WatchSink {
  /** The events of one or more whole transactions in revision order, and the store's revision after them. */
  events(events: readonly WatchEvent[], revision: number): void;
  /** The watch ended and won't deliver any more (compacted away, or the store closed). */
  ended(error: Error): void;
}

export interface Store {
  /** The revision of the newest durable transaction. */
  readonly revision: number;
  /** The oldest revision that can still be read or watched from. */
  readonly compactedRevision: number;
  /** Synchronous, from memory. */
  get(key: string, revision?: number): KeyValue | undefined;
  /** All keys from `start` (included) to `end` (left out), in order. Synchronous, from memory. */
  range(start: string, end: string, options?: RangeOptions): RangeResult;
  /**
   * Decided at once, in order of calls; resolves when durable.
   * @throws LongshoreError `exhausted` (disk full: nothing of it was written, and the store goes on), `invalid` (a key
   * twice in one branch), `unavailable` (closed)
   */
  txn(request: TxnRequest): Promise<TxnResult>;
  /** Returns the undo that stops the watch. @throws `gone` when fromRevision is compacted */
  watch(options: WatchOptions, sink: WatchSink): () => void;
  /** Forgets history before `revision`. Resolves when durable. */
  compact(revision: number): Promise<void>;
  /** Bytes of values of the newest state, keys and revisions of history held; for metrics. */
  stats(): { readonly keys: number; readonly bytes: number; readonly history: number };
  /** Waits for pending writes, ends all watches. */
  close(): Promise<void>;
}

/** The end of the range of all keys that start with `prefix`. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
