import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { Undo } from '../../../lib/undo.ts';

/** SQLITE_BUSY of sqlite3.h. */
const BUSY = 5;

/**
 * Takes the store's folder for this process alone.
 *
 * Node has no call for file locks, but its SQLite takes one (fcntl, exclusive)
 * on an empty file for as long as a transaction is open. The kernel gives it
 * back when the process dies in whatever way, so no stale lock can be left, and
 * SQLite itself refuses a second holder within the process.
 *
 * @returns the undo, which gives the lock back
 * @throws LongshoreError `conflict` when another holder is alive
 */
export function lockFolder(path: string): Undo {
  const file = join(path, 'lock');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) {
      throw new LongshoreError('conflict', `the state store at ${path} is in use by another process`, {
        object: path,
        remedy: 'Stop the other instance, or give this one a folder of its own.',
      });
    }
    throw new LongshoreError('unavailable', `cannot lock the state store at ${path}: ${messageOf(error)}`, {
      object: path,
      remedy: 'Check that the folder can be written to.',
      cause: error,
    });
  }
  const held = database;
  return () => {
    if (held.isOpen) held.close();
  };
}
