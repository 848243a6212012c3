import { chmod, chown, mkdir, readdir, readFile, readlink, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno } from '../../lib/errors.ts';
import type { Payload } from './payload.ts';

const DATA = '..data';

/**
 * Brings a folder to hold just the files of the payload. They lie in a folder
 * with the time in its name, `..data` is a link to it, and every visible name a link through `..data`: one rename of
 * that link changes all files at once. Readers inside of a container never see half of an update.
 * @returns false when everything was as it should be
 */
export async function writePayload(
  folder: string,
  payload: Payload,
  { stamp, gid }: { readonly stamp: string; readonly gid: number | undefined },
): Promise<boolean> {
  const before = await current(folder);
  if (before !== undefined && (await holds(join(folder, before), payload))) return false;
  const fresh = `..${stamp}`;
  const target = join(folder, fresh);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true, mode: 0o755 });
  if (gid !== undefined) await chown(target, -1 >>> 0, gid);
  for (const [path, { data, mode }] of payload) {
    const file = join(target, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, data);
    // A group that shares the volume may read what its owner may.
    await chmod(file, gid === undefined ? mode : mode | ((mode & 0o400) >> 3));
    if (gid !== undefined) await chown(file, -1 >>> 0, gid);
  }
  await rm(join(folder, `${DATA}.new`), { force: true });
  await symlink(fresh, join(folder, `${DATA}.new`));
  await rename(join(folder, `${DATA}.new`), join(folder, DATA));
  await linkNames(folder, payload);
  if (before !== undefined) await rm(join(folder, before), { recursive: true, force: true });
  return true;
}

async function current(folder: string): Promise<string | undefined> {
  try {
    return await readlink(join(folder, DATA));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function holds(folder: string, payload: Payload): Promise<boolean> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  if (files.length !== payload.size) return false;
  for (const [path, { data }] of payload) {
    try {
      if (!(await readFile(join(folder, path))).equals(data)) return false;
    } catch (error) {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
      throw error;
    }
  }
  return true;
}

async function linkNames(folder: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split('/', 1)[0]!));
  const there = (await readdir(folder)).filter((name) => !name.startsWith('..'));
  for (const name of there) if (!wanted.has(name)) await unlink(join(folder, name));
  for (const name of wanted) if (!there.includes(name)) await symlink(join(DATA, name), join(folder, name));
}
