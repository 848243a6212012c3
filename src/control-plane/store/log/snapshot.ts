import { isErrno } from '../../../lib/errors.ts';
import type { SnapshotSource } from '../journal.ts';
import { FrameEncoder, HEAD_SALT } from './encode.ts';
import type { LogFile, LogFolder } from './files.ts';
import { snapshotName } from './segment.ts';

/** Keys that are encoded at one go: a fraction of a millisecond. */
const SCAN_KEYS = 256;
/** A frame is closed when it has grown to this. */
const FRAME_BYTES = 256 * 1024;

/**
 * Writes the state at the source's revision into a file of its own, and gives
 * it its name when all of it is durable.
 * @param check is called between the parts, and stops the writing by throwing
 * @returns the file's name
 */
export async function writeSnapshot(folder: LogFolder, source: SnapshotSource, salt: number, check: () => void): Promise<string> {
  const name = snapshotName(source.revision);
  const temporary = `${name}.tmp`;
  await removeIfThere(folder, temporary);
  const file = await folder.create(temporary, 'loose');
  try {
    try {
      await writeFrames(file, source, salt, check);
      await file.sync();
    } finally {
      await file.close();
    }
    check();
  } catch (error) {
    await removeIfThere(folder, temporary);
    throw error;
  }
  await folder.rename(temporary, name);
  await folder.sync();
  return name;
}

async function writeFrames(file: LogFile, source: SnapshotSource, salt: number, check: () => void): Promise<void> {
  const encoder = new FrameEncoder();
  let position = 0;
  const flush = async (withSalt: number): Promise<void> => {
    const frame = encoder.finish(withSalt);
    await file.write(frame, position);
    position += frame.length;
    encoder.begin();
  };
  encoder.begin();
  encoder.head({ kind: 'snapshot', salt, revision: source.revision });
  await flush(HEAD_SALT);
  let count = 0;
  let after: string | undefined;
  do {
    check();
    const { entries, last } = source.scan(after, SCAN_KEYS);
    for (const kv of entries) {
      encoder.key(kv);
      if (encoder.length >= FRAME_BYTES) await flush(salt);
    }
    count += entries.length;
    after = last;
  } while (after !== undefined);
  encoder.end(count);
  await flush(salt);
}

async function removeIfThere(folder: LogFolder, name: string): Promise<void> {
  try {
    await folder.remove(name);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
