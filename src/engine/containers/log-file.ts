import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';
import type { LogEntry } from './containers.ts';

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const WHOLE = 0x46; // F

/** One file of a log in the CRI format (`<RFC3339Nano> stdout|stderr F|P <text>`), read record by record. */
export class LogFile {
  readonly #handle: FileHandle;
  readonly ino: number;
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);

  private constructor(handle: FileHandle, ino: number) {
    this.#handle = handle;
    this.ino = ino;
  }

  /** Undefined when there is no such file. */
  static async open(path: string): Promise<LogFile | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    return new LogFile(handle, (await handle.stat()).ino);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** The next records; an empty list when there are none for now. */
  async read(): Promise<LogEntry[]> {
    const records: LogEntry[] = [];
    while (records.length === 0) {
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, CHUNK_BYTES, this.#at);
      if (bytesRead === 0) break;
      this.#at += bytesRead;
      const fresh = this.#buffer.subarray(0, bytesRead);
      const data: Buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, fresh]) : Buffer.from(fresh);
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        const record = parseRecord(data, start, end);
        start = end + 1;
        if (record !== undefined) records.push(record);
      }
      this.#rest = data.subarray(start);
    }
    return records;
  }

  /**
   * Goes to where the last `lines` lines begin; a line may consist of several records, of which the last is marked F,
   * and the one that is unfinished counts as well.
   * @returns how many lines are still wanting, when the file has fewer
   */
  async seekTail(lines: number): Promise<number> {
    const { size } = await this.#handle.stat();
    this.#at = size;
    if (lines <= 0) return 0;
    let seen = 0;
    let end = size;
    let tail: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const from = Math.max(0, end - CHUNK_BYTES);
      const chunk = Buffer.alloc(end - from);
      await this.#handle.read(chunk, 0, chunk.length, from);
      const data: Buffer = Buffer.concat([chunk, tail]);
      // Backwards over the records that begin within `data`: after a newline, or at the file's start.
      let recordEnd = data.length;
      while (recordEnd > 0) {
        const newline = recordEnd < 2 ? -1 : data.lastIndexOf(NEWLINE, recordEnd - 2);
        if (newline < 0 && from > 0) break; // it begins in an earlier piece
        const begin = newline + 1;
        const endsLine = tagAt(data, begin) === WHOLE || from + recordEnd === size;
        if (endsLine && seen++ === lines) {
          this.#at = from + recordEnd;
          return 0;
        }
        recordEnd = begin;
      }
      tail = data.subarray(0, recordEnd);
      end = from;
    }
    this.#at = 0;
    return lines - seen;
  }
}

function tagAt(data: Buffer, begin: number): number | undefined {
  const afterTime = data.indexOf(SPACE, begin);
  return data[data.indexOf(SPACE, afterTime + 1) + 1];
}

/** @returns undefined for what is not a record of ours */
function parseRecord(data: Buffer, start: number, end: number): LogEntry | undefined {
  const afterTime = data.indexOf(SPACE, start);
  const afterStream = data.indexOf(SPACE, afterTime + 1);
  const afterTag = data.indexOf(SPACE, afterStream + 1);
  if (afterTime < 0 || afterStream < 0 || afterTag < 0 || afterTag > end) return undefined;
  const stream = data.toString('latin1', afterTime + 1, afterStream);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  return {
    stream,
    time: data.toString('latin1', start, afterTime).replace(/\+00:00$/, 'Z'),
    data: data.subarray(afterTag + 1, data[afterStream + 1] === WHOLE ? end + 1 : end),
  };
}
