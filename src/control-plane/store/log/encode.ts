import { isDeleted } from '../key-record.ts';
import type { JournalEntry } from '../journal.ts';
import type { KeyValue } from '../store.ts';
import { FRAME_HEADER_BYTES, sealFrame } from './frame.ts';

/** The kinds of record in a payload, by their first byte. Numbers are little endian; revisions are doubles, exact up to 2^53. */
export const RECORD = {
  /** The file's beginning: layout, kind of file, salt, revision. */
  head: 1,
  /** Revision, count of writes, writes. */
  txn: 2,
  /** Revision. */
  compact: 3,
  /** A key of a snapshot: create revision, modification revision, version, key, value. */
  key: 4,
  /** The end of a snapshot: count of keys. */
  end: 5,
} as const;

/** The kinds of write within a transaction. */
export const WRITE = { put: 1, delete: 2 } as const;

/** What the head record says. */
export interface FileHead {
  readonly kind: 'wal' | 'snapshot';
  readonly salt: number;
  /** wal: the revision before the file's first transaction; snapshot: the revision it holds. */
  readonly revision: number;
}

/** The layout of these files; one that is not known is refused. */
export const FORMAT = 1;
/** The head is sealed with this, since it holds the salt of the rest. */
export const HEAD_SALT = 0;

const INITIAL_BYTES = 64 * 1024;
/** A buffer that one large batch has blown up is not kept. */
const KEEP_BYTES = 2 ** 20;

/** Builds one frame at a time, in a buffer that is used again: the frame is good until the next begin. */
export class FrameEncoder {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #at = FRAME_HEADER_BYTES;

  begin(): void {
    if (this.#buffer.length > KEEP_BYTES) this.#buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.#at = FRAME_HEADER_BYTES;
  }

  /** Bytes of the frame so far. */
  get length(): number {
    return this.#at;
  }

  head(head: FileHead): void {
    this.#reserve(32);
    this.#u8(RECORD.head);
    this.#u8(FORMAT);
    this.#u8(head.kind === 'wal' ? 1 : 2);
    this.#u32(head.salt);
    this.#f64(head.revision);
  }

  entry(entry: JournalEntry): void {
    this.#reserve(13);
    this.#u8(entry.type === 'txn' ? RECORD.txn : RECORD.compact);
    this.#f64(entry.revision);
    if (entry.type === 'compact') return;
    this.#u32(entry.writes.length);
    for (const kv of entry.writes) {
      this.#reserve(9 + kv.key.length * 3 + kv.value.length);
      const deleted = isDeleted(kv);
      this.#u8(deleted ? WRITE.delete : WRITE.put);
      this.#key(kv.key);
      if (!deleted) this.#bytes(kv.value);
    }
  }

  key(kv: KeyValue): void {
    this.#reserve(33 + kv.key.length * 3 + kv.value.length);
    this.#u8(RECORD.key);
    this.#f64(kv.createRevision);
    this.#f64(kv.modRevision);
    this.#f64(kv.version);
    this.#key(kv.key);
    this.#bytes(kv.value);
  }

  end(count: number): void {
    this.#reserve(9);
    this.#u8(RECORD.end);
    this.#f64(count);
  }

  /** The sealed frame. */
  finish(salt: number): Buffer {
    sealFrame(this.#buffer, this.#at, salt);
    return this.#buffer.subarray(0, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  #u8(value: number): void {
    this.#buffer[this.#at++] = value;
  }

  #u32(value: number): void {
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
  }

  #f64(value: number): void {
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  #key(key: string): void {
    const length = this.#buffer.write(key, this.#at + 4, 'utf8');
    this.#u32(length);
    this.#at += length;
  }

  #bytes(bytes: Uint8Array): void {
    this.#u32(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}
