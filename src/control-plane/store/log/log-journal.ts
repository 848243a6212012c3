import { LongshoreError, isErrno, messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { Undo } from '../../../lib/undo.ts';
import type { Journal, JournalEntry, SnapshotSource } from '../journal.ts';
import { diskError } from './disk-error.ts';
import { FrameEncoder } from './encode.ts';
import type { LogFolder } from './files.ts';
import { createSegment, newSalt, snapshotRevision } from './segment.ts';
import type { ActiveSegment, Segment } from './segment.ts';
import { writeSnapshot } from './snapshot.ts';

export interface LogJournalOptions {
  readonly folder: LogFolder;
  readonly logger: Logger;
  readonly random: Random;
  readonly active: ActiveSegment;
  readonly segments: readonly Segment[];
  readonly nextSequence: number;
  /** A log file is closed, and the next one begun, when it has grown to this. */
  readonly segmentBytes: number;
  /** A snapshot is written when it frees at least this much of the log, and at least as much as the live values take. */
  readonly checkpointBytes: number;
  /** Gives the lock back. */
  readonly unlock: Undo;
}

/** Write-ahead log and snapshots in one folder. */
export class LogJournal implements Journal {
  readonly immediate = false;
  readonly #folder: LogFolder;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #segmentBytes: number;
  readonly #checkpointBytes: number;
  readonly #unlock: Undo;
  readonly #encoder = new FrameEncoder();
  #active: ActiveSegment;
  #segments: Segment[];
  #nextSequence: number;
  /** What is behind the active file's size may be the rest of a write that failed. */
  #torn = false;
  #closing = false;

  constructor(options: LogJournalOptions) {
    this.#folder = options.folder;
    this.#logger = options.logger;
    this.#random = options.random;
    this.#active = options.active;
    this.#segments = [...options.segments];
    this.#nextSequence = options.nextSequence;
    this.#segmentBytes = options.segmentBytes;
    this.#checkpointBytes = options.checkpointBytes;
    this.#unlock = options.unlock;
  }

  async append(entries: readonly JournalEntry[]): Promise<void> {
    try {
      if (this.#torn) await this.#mend();
      if (this.#active.size >= this.#segmentBytes) await this.#rotate();
    } catch (error) {
      throw diskError('write to the state store', this.#folder.path, error);
    }
    this.#encoder.begin();
    for (const entry of entries) this.#encoder.entry(entry);
    const active = this.#active;
    const frame = this.#encoder.finish(active.salt);
    try {
      await active.file.append(frame, active.size);
    } catch (error) {
      await this.#withdraw();
      throw diskError('write to the state store', this.#folder.path, error);
    }
    active.size += frame.length;
    for (const entry of entries) {
      if (entry.type === 'txn') active.last = entry.revision;
    }
  }

  wantsCheckpoint(floor: number, liveBytes: number): boolean {
    let bytes = 0;
    for (const segment of this.#segments) {
      if (segment.last <= floor) bytes += segment.size;
    }
    return bytes >= Math.max(this.#checkpointBytes, liveBytes);
  }

  async checkpoint(source: SnapshotSource): Promise<void> {
    const name = await writeSnapshot(this.#folder, source, newSalt(this.#random), () => {
      if (this.#closing) throw new LongshoreError('unavailable', 'the state store is being closed');
    });
    source.release();
    const dead = this.#segments.filter((segment) => segment.last <= source.revision);
    this.#segments = this.#segments.filter((segment) => segment.last > source.revision);
    const old = (await this.#folder.names()).filter((other) => other !== name && snapshotRevision(other) !== undefined);
    for (const file of [...dead.map((segment) => segment.name), ...old]) await this.#folder.remove(file);
  }

  async close(): Promise<void> {
    this.#closing = true;
    try {
      await this.#active.file.close();
    } finally {
      await this.#unlock();
    }
  }

  /** Makes a failed write as if it had not been; where even that fails, the next append tries again first. */
  async #withdraw(): Promise<void> {
    this.#torn = true;
    try {
      await this.#mend();
    } catch (error) {
      this.#logger.error('the state store could not take back a write that failed, and takes no other until it can', {
        file: `${this.#folder.path}/${this.#active.name}`,
        error: messageOf(error),
      });
    }
  }

  async #mend(): Promise<void> {
    // Cutting also drops the cached pages, whose state is unknown after a failed sync.
    await this.#active.file.truncate(this.#active.size);
    await this.#active.file.sync();
    this.#torn = false;
  }

  async #rotate(): Promise<void> {
    const before = this.#active;
    try {
      this.#active = await createSegment(this.#folder, this.#encoder, {
        sequence: this.#nextSequence++,
        salt: newSalt(this.#random),
        revision: before.last,
      });
    } catch (error) {
      // The old file serves on; whether there is room for this write, it will tell itself.
      if (!isErrno(error, 'ENOSPC') && !isErrno(error, 'EDQUOT')) throw error;
      this.#logger.warn('the state store could not begin a new log file', { folder: this.#folder.path, error: messageOf(error) });
      return;
    }
    this.#segments.push({ name: before.name, sequence: before.sequence, last: before.last, size: before.size });
    await before.file.close();
  }
}
