import { join } from 'node:path';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import { lockFile } from '../../../lib/file-lock.ts';
import type { Undo } from '../../../lib/undo.ts';

/**
 * Takes the store's folder for this process alone, until the undo is called or the process dies in whatever way.
 * @returns the undo, which gives the lock back
 * @throws LongshoreError `conflict` when another holder is alive
 */
export function lockFolder(path: string): Undo {
  let unlock: Undo | undefined;
  try {
    unlock = lockFile(join(path, 'lock'));
  } catch (error) {
    throw new LongshoreError('unavailable', `cannot lock the state store at ${path}: ${messageOf(error)}`, {
      object: path,
      remedy: 'Check that the folder can be written to.',
      cause: error,
    });
  }
  if (unlock === undefined) {
    throw new LongshoreError('conflict', `the state store at ${path} is in use by another process`, {
      object: path,
      remedy: 'Stop the other instance, or give this one a folder of its own.',
    });
  }
  return unlock;
}
