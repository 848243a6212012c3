import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isErrno } from '../../lib/errors.ts';
import { packTar, type PackEntry } from '../../lib/tar.ts';

/**
 * A folder as a tar, for the build endpoint. `excluded` says which paths (relative, forward slashes) stay away; what lies below an excluded
 * folder is looked at too, since a later pattern may bring it back.
 */
export function tarOf(folder: string, excluded: (path: string, isFolder: boolean) => boolean): Readable {
  return Readable.from(packTar(walk(folder, '', excluded)), { objectMode: false });
}

async function* walk(root: string, path: string, excluded: (path: string, isFolder: boolean) => boolean): AsyncGenerator<PackEntry> {
  for (const name of (await readdir(join(root, path))).sort()) {
    const relative = path === '' ? name : `${path}/${name}`;
    const full = join(root, relative);
    const found = await lstat(full);
    const skip = excluded(relative, found.isDirectory());
    const base = { name: relative, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, mtime: Math.floor(found.mtimeMs / 1000) };
    if (found.isDirectory()) {
      if (!skip) yield { header: { ...base, type: 'directory', size: 0 } };
      yield* walk(root, relative, excluded);
    } else if (skip) {
      continue;
    } else if (found.isSymbolicLink()) {
      yield { header: { ...base, type: 'symlink', size: 0, linkname: await readlink(full) } };
    } else if (found.isFile()) {
      yield {
        header: { ...base, type: 'file', size: found.size },
        ...(found.size > 0 && { body: createReadStream(full, { end: found.size - 1 }) }),
      };
    }
  }
}

/** What the folder's .dockerignore keeps away; nothing without one. */
export async function ignoredBy(folder: string): Promise<(path: string, isFolder: boolean) => boolean> {
  let text: string;
  try {
    text = await readFile(join(folder, '.dockerignore'), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return () => false;
    throw error;
  }
  const { dockerIgnore } = await import('../../engine/build/dockerignore.ts');
  const excludes = dockerIgnore(text);
  // The builder itself needs these two, whatever the file says.
  return (path) => path !== 'Dockerfile' && path !== '.dockerignore' && excludes(path);
}
