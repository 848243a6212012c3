import { LongshoreError } from '../../../lib/errors.ts';
import { FORMAT, RECORD, WRITE } from './encode.ts';
import type { FileHead } from './encode.ts';

/** Who takes in the records of a payload. Values are copies, and may be kept. */
export interface RecordVisitor {
  txn(revision: number, writes: readonly DecodedWrite[]): void;
  compact(revision: number): void;
  key(key: string, value: Uint8Array, createRevision: number, modRevision: number, version: number): void;
  end(count: number): void;
}

export interface DecodedWrite {
  readonly key: string;
  /** Undefined for a deletion. */
  readonly value: Uint8Array | undefined;
}

/**
 * Reads the head record from the payload at `at`.
 * @throws LongshoreError `internal` when it is none, or of a layout that this version does not know
 */
export function decodeHead(buffer: Buffer, at: number, object: string): FileHead {
  if (buffer[at] !== RECORD.head) {
    throw new LongshoreError('internal', `${object} does not begin like a file of the state store`, { object });
  }
  const format = buffer[at + 1];
  if (format !== FORMAT) {
    throw new LongshoreError('internal', `${object} has layout ${format}, and this version of Longshore reads layout ${FORMAT} only`, {
      object,
      remedy: 'Start it with the version of Longshore that wrote it.',
    });
  }
  return {
    kind: buffer[at + 2] === 1 ? 'wal' : 'snapshot',
    salt: buffer.readUInt32LE(at + 3),
    revision: buffer.readDoubleLE(at + 7),
  };
}

/** Hands all records of the payload from `at` to `end` to `visitor`. The checksum has been seen to hold. */
export function decodeRecords(buffer: Buffer, at: number, end: number, visitor: RecordVisitor): void {
  const cursor = new Cursor(buffer, at);
  while (cursor.at < end) {
    const kind = cursor.u8();
    if (kind === RECORD.txn) {
      const revision = cursor.f64();
      const count = cursor.u32();
      const writes: DecodedWrite[] = [];
      for (let i = 0; i < count; i++) {
        const deleted = cursor.u8() === WRITE.delete;
        const key = cursor.string();
        writes.push({ key, value: deleted ? undefined : cursor.bytes() });
      }
      visitor.txn(revision, writes);
    } else if (kind === RECORD.compact) {
      visitor.compact(cursor.f64());
    } else if (kind === RECORD.key) {
      const createRevision = cursor.f64();
      const modRevision = cursor.f64();
      const version = cursor.f64();
      const key = cursor.string();
      visitor.key(key, cursor.bytes(), createRevision, modRevision, version);
    } else if (kind === RECORD.end) {
      visitor.end(cursor.f64());
    } else {
      throw new LongshoreError('internal', `the state store holds a record of the unknown kind ${kind}`, {
        remedy: 'Start it with the version of Longshore that wrote it.',
      });
    }
  }
}

/** Small values share slabs: an allocation each would double the time of a recovery. A value that stays keeps at most one slab alive. */
const SLAB_BYTES = 64 * 1024;
let slab = Buffer.alloc(0);
let slabAt = 0;

function copyOut(from: Buffer, start: number, length: number): Uint8Array {
  if (length > SLAB_BYTES / 8) return Uint8Array.prototype.slice.call(from, start, start + length);
  if (slabAt + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabAt = 0;
  }
  from.copy(slab, slabAt, start, start + length);
  return slab.subarray(slabAt, (slabAt += length));
}

class Cursor {
  readonly #buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.at++);
  }

  u32(): number {
    const value = this.#buffer.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  f64(): number {
    const value = this.#buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  string(): string {
    const length = this.u32();
    return this.#buffer.toString('utf8', this.at, (this.at += length));
  }

  /** A copy, since the buffer is used again for the next part of the file. */
  bytes(): Uint8Array {
    const length = this.u32();
    const start = this.at;
    this.at += length;
    return copyOut(this.#buffer, start, length);
  }
}
