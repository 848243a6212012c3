import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { isErrno, LongshoreError } from '../../lib/errors.ts';

/** A control file's content without the final newline; undefined when it isn't there. */
export async function readControl(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trimEnd();
  } catch (error) {
    // ENODEV: the group was removed between open and read.
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV')) return undefined;
    throw error;
  }
}

/** @throws `invalid` when the kernel refuses the value, `not-found` when the group or the controller is missing */
export async function writeControl(path: string, value: string | number): Promise<void> {
  try {
    await writeFile(path, String(value));
  } catch (error) {
    const object = `cgroup ${path.slice(0, path.lastIndexOf('/'))}`;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (isErrno(error, 'ENOENT')) {
      throw new LongshoreError('not-found', `${name} does not exist`, {
        object,
        remedy: 'Run longshore doctor: a cgroup controller may be missing.',
        cause: error,
      });
    }
    if (isErrno(error, 'EINVAL') || isErrno(error, 'ERANGE')) {
      throw new LongshoreError('invalid', `the kernel refuses ${value} for ${name}`, { object, cause: error });
    }
    if (isErrno(error, 'EBUSY')) {
      throw new LongshoreError('conflict', `${name} can't become ${value} now: more is in use`, { object, cause: error });
    }
    throw error;
  }
}

/** A number; undefined for `max` and for what isn't there. */
export async function readNumber(path: string): Promise<number | undefined> {
  const text = await readControl(path);
  return text === undefined || text === 'max' || text === '' ? undefined : Number(text);
}

/** The fields of a file of `name number` lines. */
export async function readFields(path: string): Promise<ReadonlyMap<string, number>> {
  const fields = new Map<string, number>();
  for (const line of ((await readControl(path)) ?? '').split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) fields.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return fields;
}

/** The folder and all groups within it, deepest first; empty when it isn't there. */
export async function tree(folder: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV')) return [];
    throw error;
  }
  const within = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => tree(`${folder}/${entry.name}`)));
  return [...within.flat(), folder];
}

export async function processesOf(folders: readonly string[]): Promise<number[]> {
  const lists = await Promise.all(folders.map((folder) => readControl(`${folder}/cgroup.procs`)));
  return lists.flatMap((list) => (list ?? '').split('\n').filter((line) => line !== '').map(Number)).filter((pid) => pid > 0);
}

export async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Removes groups in the given order. @returns whether all are gone; false when one is still busy */
export async function removeFolders(folders: readonly string[]): Promise<boolean> {
  let all = true;
  for (const folder of folders) {
    try {
      await rmdir(folder);
    } catch (error) {
      if (isErrno(error, 'EBUSY')) all = false;
      else if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  return all;
}

/** The parts of a group's path. @throws `invalid` for one that would leave the tree, or is the root itself */
export function pathParts(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.some((part) => part === '.' || part === '..' || part.includes('\0'))) {
    throw new LongshoreError('invalid', `${JSON.stringify(path)} is no path of a cgroup`, { object: `cgroup ${path}` });
  }
  return parts;
}

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It has ended meanwhile.
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
