import { watch } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { isErrno, messageOf } from '../../lib/errors.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';

/** A log that is written to is looked at this often, and one that isn't, not at all. */
const LOOK_INTERVAL_MS = 100;

/** Keeps a running container's log within its bounds: full, it becomes `….1`, that `….2`, and the supervisor begins a new one. Returns the undo. */
export function rotateLogs(context: Context, entry: Entry): () => void {
  const bounds = entry.spec.logRotation;
  if (bounds === undefined || entry.spec.logging === 'none') return () => undefined;
  let scheduled = false;
  let stopped = false;
  const slash = entry.logPath.lastIndexOf('/');
  const name = entry.logPath.slice(slash + 1);
  const look = (): void => {
    if (scheduled || stopped) return;
    scheduled = true;
    context.clock.after(LOOK_INTERVAL_MS, () => {
      rotate(entry, bounds)
        .catch((error: unknown) => context.logger.warn('a log was not rotated', { container: entry.short, error: messageOf(error) }))
        .finally(() => (scheduled = false));
    });
  };
  const watcher = watch(entry.logPath.slice(0, slash), (_event, changed) => {
    if (changed === null || changed === name) look();
  });
  watcher.on('error', (error) => context.logger.warn('a log is not watched', { container: entry.short, error: error.message }));
  watcher.unref();
  return () => {
    stopped = true;
    watcher.close();
  };
}

async function rotate(entry: Entry, bounds: { readonly maxBytes: number; readonly files: number }): Promise<void> {
  const path = entry.logPath;
  const size = await sizeOf(path);
  if (size === undefined || size <= bounds.maxBytes || entry.run === undefined) return;
  const rotated = bounds.files - 1;
  await rm(`${path}.${Math.max(rotated, 1)}`, { force: true });
  for (let n = rotated - 1; n >= 1; n--) await moveIfThere(`${path}.${n}`, `${path}.${n + 1}`);
  await rename(path, `${path}.1`);
  // Until it has the new file the supervisor writes on into the old one, under its new name.
  await entry.run.runtime.reopenLog();
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined; // renamed, and not yet begun anew
    throw error;
  }
}

/** The files of a log, oldest first; the last is the one that is written to. */
export function logFiles(entry: Entry): string[] {
  const rotated = entry.spec.logRotation === undefined ? 0 : Math.max(entry.spec.logRotation.files - 1, 1);
  return [...Array.from({ length: rotated }, (_, n) => `${entry.logPath}.${rotated - n}`), entry.logPath];
}
