import { watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';
import type { LogEntry, LogOptions } from './containers.ts';
import type { Entry } from './entry.ts';

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/**
 * The log of a container, in the CRI format (`<RFC3339Nano> stdout|stderr F|P <text>`), one entry for each
 * record: a partial record (P) has no newline. With `follow` it goes on until the container ends.
 */
export async function* readLogs(entry: Entry, options: LogOptions): AsyncGenerator<LogEntry, void, void> {
  let file = await openLog(entry.logPath);
  const changes = options.follow === true ? new Changes(entry, options.signal) : undefined;
  try {
    let at = file === undefined || options.tail === undefined ? 0 : await tailOffset(file, options.tail);
    let rest: Buffer = Buffer.alloc(0);
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      if (options.signal?.aborted === true) return;
      // Asked before reading: an end that comes in between is seen the next time round.
      const ended = entry.run === undefined;
      const bytesRead = file === undefined ? 0 : (await file.read(buffer, 0, CHUNK_BYTES, at)).bytesRead;
      if (bytesRead > 0) {
        at += bytesRead;
        const data: Buffer = rest.length > 0 ? Buffer.concat([rest, buffer.subarray(0, bytesRead)]) : Buffer.from(buffer.subarray(0, bytesRead));
        let start = 0;
        for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
          const record = parseRecord(data, start, end);
          start = end + 1;
          if (record === undefined || !wanted(record, options)) continue;
          if (options.untilMs !== undefined && Date.parse(record.time) > options.untilMs) return;
          yield record;
        }
        rest = data.subarray(start);
        continue;
      }
      if (changes === undefined || ended) return;
      const replaced = await changes.next(file);
      if (replaced) {
        await file?.close();
        file = await openLog(entry.logPath);
        at = 0;
        rest = Buffer.alloc(0);
      }
    }
  } finally {
    changes?.close();
    await file?.close();
  }
}

function wanted(record: LogEntry, options: LogOptions): boolean {
  if (record.stream === 'stdout' ? options.stdout === false : options.stderr === false) return false;
  return options.sinceMs === undefined || Date.parse(record.time) >= options.sinceMs;
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined; // it has never run
    throw error;
  }
}

/** @returns undefined for what is not a record of ours */
function parseRecord(data: Buffer, start: number, end: number): LogEntry | undefined {
  const afterTime = data.indexOf(0x20, start);
  const afterStream = data.indexOf(0x20, afterTime + 1);
  const afterTag = data.indexOf(0x20, afterStream + 1);
  if (afterTime < 0 || afterStream < 0 || afterTag < 0 || afterTag > end) return undefined;
  const stream = data.toString('latin1', afterTime + 1, afterStream);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const whole = data[afterStream + 1] === 0x46; // F
  return {
    stream,
    time: data.toString('latin1', start, afterTime).replace(/\+00:00$/, 'Z'),
    data: data.subarray(afterTag + 1, whole ? end + 1 : end),
  };
}

/** Where the last `lines` whole lines begin; a line may consist of several records, of which only the last is marked F. */
async function tailOffset(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  let seen = 0;
  let end = size;
  let tail: Buffer = Buffer.alloc(0);
  /** Where the record after the one just looked at begins, in the file. */
  while (end > 0) {
    const from = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - from);
    await file.read(chunk, 0, chunk.length, from);
    const data: Buffer = Buffer.concat([chunk, tail]);
    // Records that begin within `data`: after each newline, and at the file's start.
    let recordEnd = data.length;
    for (let newline = data.lastIndexOf(NEWLINE, data.length - 2); ; newline = newline > 0 ? data.lastIndexOf(NEWLINE, newline - 1) : -1) {
      const begin = newline + 1;
      if (newline < 0 && from > 0) break; // begins in an earlier chunk
      if (begin < recordEnd) {
        const first = data.indexOf(0x20, begin);
        const tag = data[data.indexOf(0x20, first + 1) + 1];
        // A whole line ends here, so the ones after it are complete; the one that is still unfinished counts too.
        if ((tag === 0x46 || recordEnd === data.length) && from + recordEnd <= size && ++seen > lines) return from + recordEnd;
      }
      recordEnd = begin;
      if (newline < 0) return 0;
    }
    tail = data.subarray(0, recordEnd);
    end = from;
  }
  return 0;
}

/** Tells when there may be more to read: the log was written or replaced, or the container ended. */
class Changes {
  readonly #path: string;
  readonly #watchers: (() => void)[] = [];
  #watcher: ReturnType<typeof watch> | undefined;
  #dirty = false;
  #closed = false;

  constructor(entry: Entry, signal: AbortSignal | undefined) {
    this.#path = entry.logPath;
    // The folder, so that a file that is not there yet, or is renamed away, is seen as well.
    const slash = this.#path.lastIndexOf('/');
    const name = this.#path.slice(slash + 1);
    this.#watcher = watch(this.#path.slice(0, slash), (_event, changed) => {
      if (changed === null || changed === name) this.#wake();
    });
    this.#watcher.on('error', () => this.#wake());
    const stop = new AbortController();
    entry.wait('next-exit', stop.signal).then(() => this.#wake(), () => undefined);
    this.#onClose = () => stop.abort(new Error('no longer followed'));
    signal?.addEventListener('abort', () => this.#wake(), { once: true });
  }

  readonly #onClose: () => void;

  /** @returns true when the path now names another file */
  async next(file: FileHandle | undefined): Promise<boolean> {
    if (!this.#dirty && !this.#closed) await new Promise<void>((resolve) => this.#watchers.push(resolve));
    this.#dirty = false;
    try {
      const now = await stat(this.#path);
      return file === undefined || (await file.stat()).ino !== now.ino;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false; // renamed away, and not yet opened anew
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#onClose();
    this.#wake();
  }

  #wake(): void {
    this.#dirty = true;
    for (const wake of this.#watchers.splice(0)) wake();
  }
}
