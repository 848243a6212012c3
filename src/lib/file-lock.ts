import { DatabaseSync } from 'node:sqlite';
import type { Undo } from './undo.ts';

/** SQLITE_BUSY of sqlite3.h. */
const BUSY = 5;

/**
 * Takes a file for this process alone; makes it where it is missing.
 *
 * Node has no call for file locks, but its SQLite takes one (fcntl, exclusive) on an empty file for as long as a
 * transaction is open. The kernel gives it back when the process dies in whatever way, so no stale lock can be left,
 * and SQLite itself refuses a second holder within the process. Nobody else may open the file: whoever closes it gives
 * this process's lock back.
 *
 * @returns the undo, which gives the lock back; undefined when another holder is alive
 * @throws Error where the file can't be opened or locked
 */
export function lockFile(path: string): Undo | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined;
    throw error;
  }
  const held = database;
  return () => {
    if (held.isOpen) held.close();
  };
}
