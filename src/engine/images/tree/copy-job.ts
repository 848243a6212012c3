import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { openInRootSync } from '../../../host/beneath.ts';
import { chmodAt, lgetxattr, linkAt, llistxattr, lsetxattr, mkdirAt, mknodAt, pathAt, S_IFBLK, S_IFCHR, S_IFIFO } from '../../../host/fs.ts';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { FolderCache } from '../layers/folder-cache.ts';
import { linkTarget, splitPath } from '../layers/entry-name.ts';
import { extractArchive } from './archive.ts';
import { cleanParts } from './match.ts';
import { excluder, FOLDER, realPath, resolveSources, walkSource } from './source.ts';
import type { TreeSelection } from './source.ts';

export interface TreeCopyJob {
  readonly kind: 'tree-copy';
  readonly selection: TreeSelection;
  /** The root that is copied into: a mounted snapshot which nothing runs in. */
  readonly into: string;
  /** Path in it. With a slash at its end, or with several sources, a folder. */
  readonly destination: string;
  /** Left out: as the source's. Also of folders that are made on the way. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly mode?: number;
  /** Files instead of a selection: heredocs. */
  readonly files?: readonly { readonly name: string; readonly content: string }[];
  /** Unpack sources that are tar archives, compressed or not, into the destination (ADD). */
  readonly unpack?: { readonly maxBytes: number };
}

/**
 * Copies as COPY does: a folder's contents, a file under its name or the destination's. Paths in the destination are
 * resolved inside of its root by descriptor, and a name is made new, never written through. Blocks its thread.
 * @throws `not-found`, `invalid`
 */
export async function copyTree(job: TreeCopyJob, signal: AbortSignal): Promise<void> {
  const sources = resolveSources(job.selection);
  const excluded = excluder(job.selection);
  const files = job.files ?? [];
  const count = sources.length + files.length;
  const copier = new Copier(job);
  try {
    const destination = cleanParts(job.destination).join('/');
    const asFolder = /\/\.?$|^\.?$/.test(job.destination) || count > 1 || job.selection.parents === true || copier.isFolder(destination);
    for (const { name, content } of files) copier.write(asFolder ? join(destination, name) : destination, content);
    for (const source of sources) {
      if (source.stats.isDirectory()) {
        const top = job.selection.parents ? join(destination, source.asked) : destination;
        for (const entry of walkSource(source, excluded)) {
          copier.put(entry.path === '' ? top : join(top, entry.path), entry.real, entry.stats, entry.path === '');
        }
        copier.times();
      } else if (excluded(lastName(source.asked))) {
        continue;
      } else if (
        job.unpack &&
        source.stats.isFile() &&
        (await extractArchive(
          { archive: source.real, into: job.into, destination, ...(job.owner ? { owner: job.owner } : {}), maxBytes: job.unpack.maxBytes },
          signal,
        ))
      ) {
        continue;
      } else {
        copier.put(
          asFolder ? join(destination, job.selection.parents ? source.asked : lastName(source.asked)) : destination,
          source.real,
          source.stats,
          false,
        );
      }
    }
  } finally {
    copier.close();
  }
}

class Copier {
  readonly #job: TreeCopyJob;
  readonly #folders: FolderCache;
  /** First names of files with several links. */
  readonly #links = new Map<string, string>();
  #times: { path: string; stats: Stats }[] = [];

  constructor(job: TreeCopyJob) {
    this.#job = job;
    this.#folders = new FolderCache(openSync(job.into, FOLDER), (path) => this.#make(path));
  }

  isFolder(path: string): boolean {
    return this.#folders.find(path) !== undefined;
  }

  close(): void {
    this.#folders.close();
  }

  write(path: string, content: string): void {
    const { folder, name } = this.#place(path);
    const fd = openSync(pathAt(folder, name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      const { uid, gid } = this.#job.owner ?? { uid: 0, gid: 0 };
      fchownSync(fd, uid, gid);
      fchmodSync(fd, this.#job.mode ?? 0o644);
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    } finally {
      closeSync(fd);
    }
  }

  /** @param top the source folder itself: what it is copied onto keeps what it has */
  put(path: string, real: string, stats: Stats, top: boolean): void {
    if (stats.isDirectory()) {
      this.#folder(path, real, stats, top);
      return;
    }
    const { folder, name } = this.#place(path);
    const { uid, gid } = this.#job.owner ?? stats;
    const target = pathAt(folder, name);
    if (stats.isSymbolicLink()) { symlinkSync(readlinkSync(real), target); }
    else if (stats.isFile()) {
      const inode = stats.nlink > 1 ? `${stats.dev}:${stats.ino}` : undefined;
      const first = inode === undefined ? undefined : this.#links.get(inode);
      if (first !== undefined) {
        const { parent, name: firstName } = splitPath(first);
        linkAt(this.#folders.get(parent), firstName, this.#folders.get(splitPath(path).parent), name);
        return;
      }
      if (inode !== undefined) this.#links.set(inode, path);
      copyFileSync(real, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    } else if (stats.isSocket()) {
      return;
    } else {
      mknodAt(
        folder,
        name,
        stats.isFIFO() ? S_IFIFO : stats.isBlockDevice() ? S_IFBLK : S_IFCHR,
        (stats.rdev >> 8) & 0xfff,
        (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00),
      );
    }
    lchownSync(target, uid, gid);
    if (!stats.isSymbolicLink()) {
      chmodAt(folder, name, this.#job.mode ?? stats.mode & 0o7777);
      copyAttributes(real, target);
    }
    lutimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
  }

  /** Times of the folders that were made, now that nothing changes them any more. */
  times(): void {
    for (const { path, stats } of this.#times.toReversed()) {
      if (path !== '') {
        const { parent, name } = splitPath(path);
        const folder = this.#folders.get(parent);
        if (lstatSync(pathAt(folder, name), { throwIfNoEntry: false })?.isDirectory()) {
          lutimesSync(pathAt(folder, name), stats.atimeMs / 1000, stats.mtimeMs / 1000);
        }
      }
    }
    this.#times = [];
  }

  #folder(path: string, real: string, stats: Stats, top: boolean): void {
    if (path === '') return;
    const { parent, name } = splitPath(path);
    const folder = this.#folders.get(parent);
    const there = lstatSync(pathAt(folder, name), { throwIfNoEntry: false });
    // A symlink to a folder stays, and leads on.
    if (there?.isSymbolicLink() && this.#folders.find(path) !== undefined) return;
    if (there && !there.isDirectory()) {
      if (top) throw new LongshoreError('invalid', `cannot copy to non-directory: /${path}`, { object: path });
      unlinkSync(pathAt(folder, name));
      this.#folders.forget(path);
    }
    if (!there?.isDirectory()) mkdirAt(folder, name, 0o700);
    else if (top) return;
    const { uid, gid } = this.#job.owner ?? stats;
    lchownSync(pathAt(folder, name), uid, gid);
    chmodAt(folder, name, this.#job.mode ?? stats.mode & 0o7777);
    copyAttributes(real, pathAt(folder, name));
    this.#times.push({ path, stats });
  }

  /** The folder and name for a path that is to be made; what has the name goes. */
  #place(path: string): { folder: number; name: string } {
    const { parent, name } = splitPath(path);
    if (name === '') throw new LongshoreError('invalid', 'a file cannot be copied over the root', { object: '/' });
    const folder = this.#folders.get(parent);
    const there = lstatSync(pathAt(folder, name), { throwIfNoEntry: false });
    if (there?.isDirectory()) {
      rmSync(pathAt(folder, name), { recursive: true });
      this.#folders.forget(path);
    } else if (there) {
      unlinkSync(pathAt(folder, name));
      if (there.isSymbolicLink()) this.#folders.forget(path);
    }
    return { folder, name };
  }

  /** A folder on the way that is missing. */
  #make(path: string): number {
    const { parent, name } = splitPath(path);
    const folder = this.#folders.get(parent);
    try {
      mkdirAt(folder, name, 0o755);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      // A symlink that leads to what is not there yet; a circle was found out before.
      if (lstatSync(pathAt(folder, name)).isSymbolicLink()) {
        return this.#folders.get(linkTarget(parent, readlinkSync(pathAt(folder, name))));
      }
      throw new LongshoreError('invalid', `cannot copy into /${path}: it is not a directory`, { object: path, cause: error });
    }
    chmodAt(folder, name, 0o755);
    const { uid, gid } = this.#job.owner ?? { uid: 0, gid: 0 };
    lchownSync(pathAt(folder, name), uid, gid);
    return openInRootSync(folder, name, FOLDER);
  }
}

function copyAttributes(from: string, to: string): void {
  for (const name of llistxattr(from)) {
    if (name !== 'security.capability' && !(name.startsWith('user.') && !name.startsWith('user.overlay.'))) continue;
    const value = lgetxattr(from, name);
    if (value) lsetxattr(to, name, value);
  }
}

function join(folder: string, path: string): string {
  return folder === '' ? path : `${folder}/${path}`;
}

function lastName(path: string): string {
  return path.split('/').at(-1) ?? '';
}

export interface TreeReadJob {
  readonly kind: 'tree-read';
  readonly root: string;
  readonly path: string;
  readonly maxBytes: number;
}

/** A file's text, symlinks resolved inside of the root; undefined when there is none. @throws `too-large`, `invalid` */
export function readInTree({ root, path, maxBytes }: TreeReadJob): string | undefined {
  const real = realPath(root, path);
  if (real === undefined) return undefined;
  const stats = lstatSync(real);
  if (!stats.isFile()) throw new LongshoreError('invalid', `${path} is not a file`, { object: path });
  if (stats.size > maxBytes) throw new LongshoreError('too-large', `${path} is larger than ${maxBytes} bytes`, { object: path });
  return readFileSync(real, 'utf8');
}
