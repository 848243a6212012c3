import { LongshoreError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { tombstone, isDeleted } from '../key-record.ts';
import { EMPTY_STORE, Mvcc } from '../mvcc.ts';
import type { KeyValue } from '../store.ts';
import { decodeHead, decodeRecords } from './decode.ts';
import type { DecodedWrite, RecordVisitor } from './decode.ts';
import { HEAD_SALT } from './encode.ts';
import type { FileHead } from './encode.ts';
import type { LogFile, LogFolder } from './files.ts';
import { readFrames } from './read-file.ts';
import { snapshotRevision, walSequence } from './segment.ts';
import type { ActiveSegment, Segment } from './segment.ts';

/** A log file shorter than this can hold no more than a part of its head. */
const HEAD_FRAME_BYTES = 12 + 15;

/** What the folder held. */
export interface Recovered {
  readonly mvcc: Mvcc;
  readonly segments: Segment[];
  /** The last log file, opened to be appended to; undefined in a new store. */
  readonly active: ActiveSegment | undefined;
  /** Greater than that of any log file. */
  readonly nextSequence: number;
  /** The snapshot that was read. */
  readonly snapshot: string | undefined;
  /** Bytes of a torn last frame that were cut off: a write that was never acknowledged. */
  readonly cutBytes: number;
}

/**
 * Rebuilds the state: the newest snapshot, then every transaction after it. A
 * torn end of the last file is cut; any other damage is refused, since cutting
 * there would silently lose acknowledged writes.
 * @throws LongshoreError `internal` for a damaged or incomplete store
 */
export async function recover(folder: LogFolder, logger: Logger): Promise<Recovered> {
  const names = (await folder.names()).sort();
  for (const name of names) {
    if (name.endsWith('.tmp')) await folder.remove(name);
  }
  const snapshot = names.findLast((name) => snapshotRevision(name) !== undefined);
  const mvcc = snapshot === undefined ? new Mvcc(EMPTY_STORE) : await readSnapshot(folder, snapshot);
  const wals = names.filter((name) => walSequence(name) !== undefined);
  const segments: Segment[] = [];
  let active: ActiveSegment | undefined;
  let cutBytes = 0;
  try {
    for (const name of wals) {
      if (active !== undefined) {
        segments.push({ name: active.name, sequence: active.sequence, last: active.last, size: active.size });
        await active.file.close();
        active = undefined;
      }
      const file = await folder.open(name);
      try {
        const read = await readSegment(folder, name, file, mvcc, name === wals.at(-1), logger);
        if (read === undefined) {
          await file.close();
          continue;
        }
        active = read.segment;
        cutBytes += read.cut;
      } catch (error) {
        await file.close();
        throw error;
      }
    }
    if (snapshot !== undefined && active === undefined && segments.length === 0) {
      throw damaged(folder, `there is a snapshot (${snapshot}) but no log`);
    }
    // The last process may have died between a write and its sync. What is shown from now on must last.
    await active?.file.sync();
    await folder.sync();
  } catch (error) {
    await active?.file.close();
    throw error;
  }
  return { mvcc, segments, active, nextSequence: (walSequence(wals.at(-1) ?? '') ?? 0) + 1, snapshot, cutBytes };
}

async function readSnapshot(folder: LogFolder, name: string): Promise<Mvcc> {
  let head: FileHead | undefined;
  let mvcc: Mvcc | undefined;
  let keys = 0;
  let complete = false;
  const visitor: RecordVisitor = {
    ...wrongKind(folder, name),
    key: (key, value, createRevision, modRevision, version) => {
      mvcc!.load({ key, value, createRevision, modRevision, version });
      keys++;
    },
    end: (count) => {
      complete = count === keys;
    },
  };
  const file = await folder.open(name);
  try {
    await readFrames(file, HEAD_SALT, (buffer, at, end) => {
      if (head === undefined) {
        head = decodeHead(buffer, at, `${folder.path}/${name}`);
        // A snapshot is taken one below the compacted revision: see Mvcc.
        mvcc = new Mvcc({ revision: head.revision, compacted: head.revision + 1 });
      } else {
        decodeRecords(buffer, at, end, visitor);
      }
      return head.salt;
    });
  } finally {
    await file.close();
  }
  if (mvcc === undefined || !complete) throw damaged(folder, `the snapshot ${name} is damaged: ${keys} keys could be read`);
  return mvcc;
}

async function readSegment(
  folder: LogFolder,
  name: string,
  file: LogFile,
  mvcc: Mvcc,
  isLast: boolean,
  logger: Logger,
): Promise<{ readonly segment: ActiveSegment; readonly cut: number } | undefined> {
  let head: FileHead | undefined;
  let last = 0;
  const visitor: RecordVisitor = {
    ...wrongKind(folder, name),
    txn: (revision, writes) => {
      last = revision;
      if (revision <= mvcc.revision) return; // The snapshot has it.
      if (revision !== mvcc.revision + 1) throw damaged(folder, `in ${name}, revision ${revision} follows on revision ${mvcc.revision}`);
      mvcc.apply(writes.map((write) => versionOf(mvcc, write, revision)));
    },
    compact: (revision) => mvcc.compact(revision),
  };
  const { end, size, nextFrame } = await readFrames(file, HEAD_SALT, (buffer, at, frameEnd) => {
    if (head !== undefined) decodeRecords(buffer, at, frameEnd, visitor);
    else {
      head = decodeHead(buffer, at, `${folder.path}/${name}`);
      last = head.revision;
      if (head.revision > mvcc.revision) {
        throw damaged(folder, `${name} begins after revision ${head.revision}, but the log before it ends at revision ${mvcc.revision}`);
      }
    }
    return head.salt;
  });
  if (head === undefined) {
    if (size > HEAD_FRAME_BYTES) throw damaged(folder, `the head of ${name} is damaged`);
    logger.warn('removed a log file of the state store that a crash left without content', { file: `${folder.path}/${name}`, bytes: size });
    await folder.remove(name);
    return undefined;
  }
  if (end < size) {
    if (nextFrame !== -1 || !isLast) {
      throw damaged(folder, `${name} is damaged at byte ${end}${nextFrame === -1 ? '' : `, with intact writes behind it from byte ${nextFrame}`}`);
    }
    await file.truncate(end);
    logger.warn('cut a torn write off the end of the log of the state store; it had not been acknowledged', {
      file: `${folder.path}/${name}`,
      offset: end,
      bytes: size - end,
      revision: mvcc.revision,
    });
  }
  return { segment: { name, sequence: walSequence(name)!, file, salt: head.salt, last, size: end }, cut: size - end };
}

function versionOf(mvcc: Mvcc, write: DecodedWrite, revision: number): KeyValue {
  const head = mvcc.head(write.key);
  // The string that is held already, and not one more of the same content.
  const key = head?.key ?? write.key;
  if (write.value === undefined) return tombstone(key, revision);
  const existing = head === undefined || isDeleted(head) ? undefined : head;
  return {
    key,
    value: write.value,
    createRevision: existing?.createRevision ?? revision,
    modRevision: revision,
    version: (existing?.version ?? 0) + 1,
  };
}

function wrongKind(folder: LogFolder, name: string): RecordVisitor {
  const refuse = (): never => {
    throw damaged(folder, `${name} holds a record that does not belong into such a file`);
  };
  return { txn: refuse, compact: refuse, key: refuse, end: refuse };
}

function damaged(folder: LogFolder, what: string): LongshoreError {
  return new LongshoreError('internal', `the state store at ${folder.path} is damaged: ${what}`, {
    object: folder.path,
    remedy: 'Restore this folder from a backup; it was left as it is.',
  });
}
