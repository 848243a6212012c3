import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';
import type { LogEntry, LogOptions } from './containers.ts';
import type { Entry } from './entry.ts';
import { LogFile } from './log-file.ts';
import { logFiles } from './log-rotation.ts';

/** The log of a container, over all its files; with `follow` until the container ends. */
export async function* readLogs(entry: Entry, options: LogOptions): AsyncGenerator<LogEntry, void, void> {
  const changes = options.follow === true ? new Changes(entry, options.signal) : undefined;
  let files = await openFiles(entry, options.tail);
  let file = files.shift();
  try {
    for (;;) {
      if (options.signal?.aborted === true) return;
      // Asked before reading: an end that comes in between is seen the next time round.
      const ended = entry.run === undefined;
      const newer = changes === undefined || files.length > 0 ? undefined : await successor(entry, file);
      const records = (await file?.read()) ?? [];
      for (const record of records) {
        if (options.untilMs !== undefined && Date.parse(record.time) > options.untilMs) return;
        if (wanted(record, options)) yield record;
      }
      if (records.length > 0) continue;
      const next = files.shift() ?? newer;
      if (next !== undefined) {
        // Nothing is written to a file any more once there is a newer one.
        await file?.close();
        file = next;
        continue;
      }
      if (changes === undefined || ended) return;
      await changes.next();
    }
  } finally {
    changes?.close();
    await Promise.all([file, ...files].map(async (each) => each?.close()));
    files = [];
  }
}

function wanted(record: LogEntry, options: LogOptions): boolean {
  if (record.stream === 'stdout' ? options.stdout === false : options.stderr === false) return false;
  return options.sinceMs === undefined || Date.parse(record.time) >= options.sinceMs;
}

/** The files to read, oldest first, each set to where the reading begins. */
async function openFiles(entry: Entry, tail: number | undefined): Promise<LogFile[]> {
  const opened: LogFile[] = [];
  let wanting = tail;
  for (const path of logFiles(entry).reverse()) {
    if (wanting !== undefined && wanting <= 0 && opened.length > 0) break;
    const file = await LogFile.open(path);
    if (file === undefined) continue;
    if (wanting !== undefined) wanting = await file.seekTail(wanting);
    opened.unshift(file);
  }
  return opened;
}

/** The file that follows `file`, when it has been rotated away; the first one, when there was none. */
async function successor(entry: Entry, file: LogFile | undefined): Promise<LogFile | undefined> {
  const paths = logFiles(entry);
  if (file === undefined) return LogFile.open(entry.logPath);
  for (const [index, path] of paths.entries()) {
    const info = await stat(path).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined; // not there, or just being renamed
      throw error;
    });
    if (info?.ino !== file.ino) continue;
    return index === paths.length - 1 ? undefined : LogFile.open(paths[index + 1]!);
  }
  // It fell out at the end: the oldest of what is left follows.
  for (const path of paths) {
    const oldest = await LogFile.open(path);
    if (oldest !== undefined) return oldest;
  }
  return undefined;
}

/** Tells when there may be more to read: the log was written or replaced, or the container ended. */
class Changes {
  readonly #watcher: ReturnType<typeof watch>;
  readonly #stop = new AbortController();
  readonly #onAbort = (): void => this.#changed();
  readonly #signal: AbortSignal | undefined;
  #dirty = false;
  #wake: (() => void) | undefined;

  constructor(entry: Entry, signal: AbortSignal | undefined) {
    // The folder, so that a file that is not there yet, or is renamed away, is seen as well.
    const slash = entry.logPath.lastIndexOf('/');
    const name = entry.logPath.slice(slash + 1);
    this.#watcher = watch(entry.logPath.slice(0, slash), (_event, changed) => {
      if (changed === null || changed === name) this.#changed();
    });
    this.#watcher.on('error', () => this.#changed());
    entry.wait('next-exit', this.#stop.signal).then(() => this.#changed(), () => undefined);
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
  }

  async next(): Promise<void> {
    if (!this.#dirty) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#dirty = false;
  }

  close(): void {
    this.#watcher.close();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort(new Error('no longer followed'));
    this.#changed();
  }

  #changed(): void {
    this.#dirty = true;
    this.#wake?.();
    this.#wake = undefined;
  }
}
