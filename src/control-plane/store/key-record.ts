import type { KeyValue } from './store.ts';

const EMPTY = new Uint8Array(0);

/** A run of neighbouring records. What is summed up here lets a count skip over the records. */
export interface Chunk {
  records: KeyRecord[];
  /** How many of the records exist at the newest revision. */
  live: number;
  /** No record of this chunk changed after this revision. */
  newest: number;
}

/** What stands for a deleted key: version 0, no value, and the revision of the deletion. */
export function tombstone(key: string, revision: number): KeyValue {
  return { key, value: EMPTY, createRevision: 0, modRevision: revision, version: 0 };
}

/** True for a tombstone. */
export function isDeleted(kv: KeyValue): boolean {
  return kv.version === 0;
}

/** All versions of one key that are still held, tombstones included. */
export class KeyRecord {
  readonly key: string;
  /** The newest version. */
  head: KeyValue;
  /** Which chunk of the index holds this record; kept by the index. */
  chunk: Chunk | undefined = undefined;
  /** Earlier versions, oldest first; most keys have none, and then no array. */
  #older: KeyValue[] | undefined = undefined;

  constructor(head: KeyValue) {
    this.key = head.key;
    this.head = head;
  }

  push(kv: KeyValue): void {
    (this.#older ??= []).push(this.head);
    this.head = kv;
  }

  /** The version that held at `revision`; undefined when the key did not exist then. */
  at(revision: number): KeyValue | undefined {
    let kv: KeyValue | undefined = this.head;
    if (kv.modRevision > revision) {
      kv = this.#older === undefined ? undefined : this.#older[this.#countUpTo(this.#older, revision) - 1];
    }
    return kv === undefined || isDeleted(kv) ? undefined : kv;
  }

  /**
   * Forgets what no read at `floor` or later can see.
   * @returns true when nothing is left but a deletion, so that the record can go
   */
  prune(floor: number): boolean {
    if (this.head.modRevision <= floor) {
      this.#older = undefined;
      return isDeleted(this.head);
    }
    const older = this.#older;
    if (older === undefined) return false;
    // The last version at or before the floor is still visible at the floor; a tombstone is as good as nothing.
    let drop = this.#countUpTo(older, floor) - 1;
    if (drop >= 0 && isDeleted(older[drop]!)) drop++;
    if (drop >= older.length) this.#older = undefined;
    else if (drop > 0) older.splice(0, drop);
    return false;
  }

  /** How many of `versions` were written at or before `revision`. */
  #countUpTo(versions: readonly KeyValue[], revision: number): number {
    let low = 0;
    let high = versions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (versions[middle]!.modRevision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
