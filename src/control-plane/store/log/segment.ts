import type { Random } from '../../../lib/random.ts';
import { HEAD_SALT } from './encode.ts';
import type { FrameEncoder } from './encode.ts';
import type { LogFile, LogFolder } from './files.ts';

/** One file of the write-ahead log that is not written any more. */
export interface Segment {
  readonly name: string;
  readonly sequence: number;
  /** The newest revision in it, or the one before it where it holds none. */
  readonly last: number;
  readonly size: number;
}

/** The file that is appended to. */
export interface ActiveSegment {
  readonly name: string;
  readonly sequence: number;
  readonly file: LogFile;
  readonly salt: number;
  last: number;
  /** Where the next frame goes: everything before is whole and synced. */
  size: number;
}

const WAL = /^wal-(\d{10})$/;
const SNAPSHOT = /^snapshot-(\d{16})$/;

function walName(sequence: number): string {
  return `wal-${String(sequence).padStart(10, '0')}`;
}

export function snapshotName(revision: number): string {
  return `snapshot-${String(revision).padStart(16, '0')}`;
}

/** The sequence number in the name of a log file; undefined for other names. */
export function walSequence(name: string): number | undefined {
  const digits = WAL.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The revision in the name of a snapshot; undefined for other names. */
export function snapshotRevision(name: string): number | undefined {
  const digits = SNAPSHOT.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A salt for the frames of a new file. */
export function newSalt(random: Random): number {
  return random.bytes(4).readUInt32LE(0);
}

/**
 * Begins a log file: its head is synced, and then the folder, before any frame
 * goes into it. After a failure the file is gone, or holds nothing but a torn head.
 */
export async function createSegment(
  folder: LogFolder,
  encoder: FrameEncoder,
  begin: { readonly sequence: number; readonly salt: number; readonly revision: number },
): Promise<ActiveSegment> {
  const name = walName(begin.sequence);
  const file = await folder.create(name);
  try {
    encoder.begin();
    encoder.head({ kind: 'wal', salt: begin.salt, revision: begin.revision });
    const frame = encoder.finish(HEAD_SALT);
    await file.append(frame, 0);
    await folder.sync();
    return { name, sequence: begin.sequence, file, salt: begin.salt, last: begin.revision, size: frame.length };
  } catch (error) {
    await file.close();
    await folder.remove(name);
    throw error;
  }
}
