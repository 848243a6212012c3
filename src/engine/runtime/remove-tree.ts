import { readdir, rmdir, unlink } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';

/**
 * Removes a folder of our own and all in it; nothing there is success. Unlike node:fs's rm it asks for no file's type one by one. Only for
 * folders that nobody else can change: it goes by path.
 */
export async function removeTree(folder: string): Promise<void> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  await Promise.all(entries.map((entry) => (entry.isDirectory() ? removeTree(`${folder}/${entry.name}`) : unlinkIfThere(`${folder}/${entry.name}`))));
  try {
    await rmdir(folder);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
