import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, LongshoreError, messageOf } from '../lib/errors.ts';
import { lockFile } from '../lib/file-lock.ts';
import type { Undo } from '../lib/undo.ts';
import type { Home } from './home.ts';
import { startTicksOf, type ProcessMark } from './process-mark.ts';

/**
 * Takes a home for this process alone: before anything else of it is opened, and until the undo is called or the process
 * dies in whatever way. Makes the home where it is missing.
 * @throws LongshoreError `conflict` with the holder's pid, `forbidden` when the home can't be written
 */
export async function lockInstance(home: Home): Promise<Undo> {
  await makeHome(home);
  let unlock: Undo | undefined;
  try {
    unlock = lockFile(join(home.root, 'lock'));
  } catch (error) {
    throw unusable(home, error);
  }
  if (unlock === undefined) {
    const holder = await lockHolder(home);
    throw new LongshoreError('conflict', `another process${holder ? ` (pid ${holder.pid})` : ''} runs the instance in ${home.root}`, {
      object: `home ${home.root}`,
      remedy: `Stop it first (LONGSHORE_HOME=${home.root} longshore down), or set LONGSHORE_HOME to another folder.`,
    });
  }
  try {
    const mark: ProcessMark = { pid: process.pid, startTicks: (await startTicksOf(process.pid)) ?? '' };
    await writeFile(pidFile(home) + '.new', JSON.stringify(mark) + '\n');
    await rename(pidFile(home) + '.new', pidFile(home));
  } catch (error) {
    await unlock();
    throw unusable(home, error);
  }
  return async () => {
    await rm(pidFile(home), { force: true });
    await unlock();
  };
}

/** Makes the home where it is missing. @throws LongshoreError `forbidden` or `exhausted`, with what stands in the way */
export async function makeHome(home: Home): Promise<void> {
  try {
    await mkdir(home.root, { recursive: true, mode: 0o711 });
  } catch (error) {
    throw unusable(home, await obstacle(home.root) ?? error);
  }
}

/** Of a folder that can't be made, the nearest that is there tells why: mkdir says ENOENT where a file system is read-only. */
async function obstacle(path: string): Promise<unknown> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const stats = await stat(folder);
      if (!stats.isDirectory()) return new Error(`${folder} is no folder`);
      await access(folder, constants.W_OK);
      return undefined;
    } catch (error) {
      if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) return error;
      if (folder === dirname(folder)) return undefined;
    }
  }
}

/** The living process that took this home, be it starting, up or stopping; undefined when there is none. */
export async function lockHolder(home: Home): Promise<ProcessMark | undefined> {
  let text: string;
  try {
    text = await readFile(pidFile(home), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw unusable(home, error);
  }
  const [, pid, startTicks] = /"pid":(\d+),"startTicks":"(\d+)"/.exec(text) ?? [];
  if (pid === undefined || startTicks === undefined) return undefined;
  return (await startTicksOf(Number(pid))) === startTicks ? { pid: Number(pid), startTicks } : undefined;
}

function pidFile(home: Home): string {
  return join(home.root, 'daemon.pid');
}

function unusable(home: Home, error: unknown): LongshoreError {
  const full = isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT');
  return new LongshoreError(full ? 'exhausted' : 'forbidden', `can't use the folder ${home.root}: ${messageOf(error)}`, {
    object: `home ${home.root}`,
    remedy: full ? 'Free some disk space.' : 'Run as root, or set LONGSHORE_HOME to a folder on a disk that can be written.',
    cause: error,
  });
}
