import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { systemRandom } from '../../../lib/random.ts';
import type { Random } from '../../../lib/random.ts';
import type { Undo } from '../../../lib/undo.ts';
import { MvccStore } from '../mvcc-store.ts';
import type { Store } from '../store.ts';
import { diskError } from './disk-error.ts';
import { FrameEncoder } from './encode.ts';
import { openFolder } from './files.ts';
import type { LogFolder } from './files.ts';
import { lockFolder } from './lock.ts';
import { LogJournal } from './log-journal.ts';
import { recover } from './recover.ts';
import { createSegment, newSalt } from './segment.ts';

export interface LogStoreTuning {
  /** Bytes at which a log file is closed and the next one begun. */
  readonly segmentBytes?: number;
  /** The least bytes of log that a snapshot must free. */
  readonly checkpointBytes?: number;
}

export interface LogStoreOptions extends LogStoreTuning {
  /** The store's folder; made where it is missing, and taken for this process alone. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: Random;
}

const SEGMENT_BYTES = 8 * 2 ** 20;
const CHECKPOINT_BYTES = 16 * 2 ** 20;

/**
 * Opens, or begins, the durable store in a folder of the machine: everything in
 * memory for reads, a write-ahead log with snapshots for durability.
 * @throws LongshoreError `conflict` (in use by another process), `internal` (damaged), `exhausted`, `unavailable`
 */
export async function openLogStore(options: LogStoreOptions): Promise<Store> {
  let unlock: Undo = () => {};
  try {
    const folder = await openFolder(options.path);
    unlock = lockFolder(options.path);
    return await openLogStoreIn(folder, unlock, options);
  } catch (error) {
    await unlock();
    throw diskError('open the state store', options.path, error);
  }
}

/** The same on any folder, which the caller has locked; the store calls `unlock` when it is closed. */
export async function openLogStoreIn(folder: LogFolder, unlock: Undo, options: Omit<LogStoreOptions, 'path'>): Promise<Store> {
  const { clock, logger, random = systemRandom } = options;
  const start = clock.monotonic();
  const { mvcc, segments, active, nextSequence, snapshot, cutBytes } = await recover(folder, logger);
  const segment =
    active ??
    (await createSegment(folder, new FrameEncoder(), { sequence: nextSequence, salt: newSalt(random), revision: mvcc.revision }));
  const journal = new LogJournal({
    folder,
    logger,
    random,
    active: segment,
    segments,
    nextSequence: active === undefined ? nextSequence + 1 : nextSequence,
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    checkpointBytes: options.checkpointBytes ?? CHECKPOINT_BYTES,
    unlock,
  });
  logger.debug('opened the state store', {
    path: folder.path,
    revision: mvcc.revision,
    compacted: mvcc.compacted,
    keys: mvcc.keys,
    snapshot,
    cutBytes,
    ms: Math.round(clock.monotonic() - start),
  });
  return new MvccStore({ mvcc, journal, logger });
}
