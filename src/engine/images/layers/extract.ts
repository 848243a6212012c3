import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { openInRootSync, O_PATH } from '../../../host/beneath.ts';
import { chmodAt, linkAt, lsetxattr, mknodAt, pathAt, S_IFBLK, S_IFCHR, S_IFIFO } from '../../../host/fs.ts';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import type { TarHandler, TarHeader } from '../../../lib/tar.ts';
import { cleanName, linkTarget, splitPath, whiteoutOf } from './entry-name.ts';
import { FolderCache } from './folder-cache.ts';
import { isWhiteout, OPAQUE_XATTR } from './overlay.ts';

export interface ExtractOptions {
  /** `overlay`: `.wh.` names become the overlay's own marks; `none`: they are names like others. */
  readonly whiteouts: 'overlay' | 'none';
  /** Bytes of all files together. */
  readonly maxBytes: number;
  /** Everything belongs to this user and group instead of the archive's. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Refuse to replace a folder by something else or the other way round (`docker cp`). */
  readonly keepKinds?: boolean;
  /** Folders that are symlinks in the layers below: what lies in them goes where the link leads. */
  readonly redirects?: readonly { readonly path: string; readonly target: string }[];
}

export interface Extracted {
  /** Sum of the files' sizes. */
  readonly bytes: number;
  /** Folders that had to be made without an entry of their own: in a layer, they take over what lies below them. The root is ''. */
  readonly implicit: readonly string[];
  /** Hard links to files which are not here: in a layer, those of a layer below. */
  readonly pendingLinks: readonly { readonly path: string; readonly target: string }[];
}

const WRITE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Puts an archive's entries beneath a root folder. Every name is resolved by descriptor:
 * folders are opened inside of the root by the kernel (symlinks lead nowhere
 * else), and the last name is made new, never written through. Blocks its
 * thread: for workers.
 */
export class Extractor implements TarHandler {
  readonly #folders: FolderCache;
  readonly #options: ExtractOptions;
  /** The file that is being written. */
  #fd = -1;
  #header: TarHeader | undefined;
  #at: { readonly folder: number; readonly name: string } | undefined;
  /** Times of folders, set at the end since every entry made in them changes them. */
  readonly #times = new Map<string, number>();
  readonly #implicit = new Set<string>(['']);
  readonly #pendingLinks: { path: string; target: string }[] = [];
  #bytes = 0;

  constructor(root: string, options: ExtractOptions) {
    this.#options = options;
    this.#folders = new FolderCache(openSync(root, O_PATH | constants.O_DIRECTORY), (path) => this.#makeFolder(path));
  }

  /** @throws `invalid` for what an archive may not hold, `too-large`; system errors */
  entry(header: TarHeader): void {
    const path = this.#redirect(cleanName(header.name));
    if (path === '') {
      if (header.type !== 'directory') throw refuse(header.name, 'the root can only be a directory');
      this.#root(header);
      return;
    }
    const { parent, name } = splitPath(path);
    if (this.#options.whiteouts === 'overlay') {
      const whiteout = whiteoutOf(name);
      if (whiteout.kind === 'skip') return;
      if (whiteout.kind === 'opaque') {
        lsetxattr(`/proc/self/fd/${this.#folders.get(parent)}/.`, OPAQUE_XATTR, Buffer.from('y'));
        return;
      }
      if (whiteout.kind === 'delete') {
        this.#whiteout(this.#folders.get(parent), whiteout.name);
        return;
      }
    }
    const folder = this.#folders.get(parent);
    switch (header.type) {
      case 'file':
        this.#file(header, folder, name, path);
        return;
      case 'directory':
        this.#directory(header, folder, name, path);
        return;
      case 'symlink':
        this.#making(folder, name, path, () => symlinkSync(header.linkname ?? '', pathAt(folder, name)));
        this.#ownLink(header, folder, name);
        return;
      case 'link':
        this.#link(header, folder, name, path);
        return;
      case 'character-device':
      case 'block-device':
      case 'fifo': {
        const major = header.devMajor ?? 0;
        const minor = header.devMinor ?? 0;
        if (header.type === 'character-device' && major === 0 && minor === 0) {
          throw refuse(header.name, 'a character device 0:0 is a whiteout of the overlay file system, which an archive may not hold');
        }
        const kind = header.type === 'fifo' ? S_IFIFO : header.type === 'block-device' ? S_IFBLK : S_IFCHR;
        this.#making(folder, name, path, () => mknodAt(folder, name, kind | (header.mode & 0o777), major, minor));
        this.#ownLink(header, folder, name);
        chmodAt(folder, name, header.mode);
        return;
      }
    }
  }

  data(piece: Buffer): void {
    if (this.#fd < 0) return;
    for (let at = 0; at < piece.length; ) at += writeSync(this.#fd, piece, at, piece.length - at);
  }

  end(): void {
    const header = this.#header;
    if (this.#fd < 0 || !header || !this.#at) return;
    try {
      this.#own(this.#fd, header);
      this.#xattrs(pathAt(this.#at.folder, this.#at.name), header);
      futimesSync(this.#fd, header.mtime, header.mtime);
    } finally {
      closeSync(this.#fd);
      this.#fd = -1;
      this.#header = this.#at = undefined;
    }
  }

  /** Sets the folders' times and tells what there is to settle. */
  finish(): Extracted {
    for (const [path, mtime] of [...this.#times].toReversed()) {
      const folder = this.#folders.get(path);
      const fd = openInRootSync(folder, '.', constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        futimesSync(fd, mtime, mtime);
      } finally {
        closeSync(fd);
      }
    }
    return { bytes: this.#bytes, implicit: [...this.#implicit].sort(), pendingLinks: this.#pendingLinks };
  }

  /** Closes all descriptors. Safe to call twice. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#folders.close();
  }

  #redirect(path: string): string {
    for (const { path: from, target } of this.#options.redirects ?? []) {
      if (path.startsWith(`${from}/`)) {
        path = `${linkTarget(splitPath(from).parent, target)}/${path.slice(from.length + 1)}`.replace(/^\//, '');
      }
    }
    return path;
  }

  #root(header: TarHeader): void {
    const fd = openInRootSync(this.#folders.get(''), '.', constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      this.#own(fd, header);
    } finally {
      closeSync(fd);
    }
    this.#xattrs(`/proc/self/fd/${this.#folders.get('')}/.`, header);
    this.#implicit.delete('');
    this.#times.set('', header.mtime);
  }

  #file(header: TarHeader, folder: number, name: string, path: string): void {
    this.#bytes += header.size;
    if (this.#bytes > this.#options.maxBytes) {
      throw new LongshoreError(
        'too-large',
        `the archive's files take more than the ${this.#options.maxBytes} bytes that may be used of this disk`,
        { remedy: 'Free some disk space (docker system prune), or raise the limit.' },
      );
    }
    this.#fd = this.#making(folder, name, path, () => openSync(pathAt(folder, name), WRITE_NEW, 0o600));
    this.#header = header;
    this.#at = { folder, name };
  }

  #directory(header: TarHeader, folder: number, name: string, path: string): void {
    let opaque = false;
    const there = stat(folder, name);
    if (there && !there.isDirectory()) {
      if (this.#options.keepKinds && !(this.#options.whiteouts === 'overlay' && isWhiteout(there))) throw kindConflict(path, 'directory');
      opaque = this.#options.whiteouts === 'overlay' && isWhiteout(there);
      this.#clear(folder, name, path, there);
    }
    if (!there?.isDirectory()) mkdirSync(pathAt(folder, name), 0o700);
    const fd = openInRootSync(folder, name, OPEN_FOLDER);
    try {
      this.#own(fd, header);
    } finally {
      closeSync(fd);
    }
    this.#xattrs(pathAt(folder, name), header);
    if (opaque) lsetxattr(pathAt(folder, name), OPAQUE_XATTR, Buffer.from('y'));
    this.#implicit.delete(path);
    this.#times.set(path, header.mtime);
  }

  #link(header: TarHeader, folder: number, name: string, path: string): void {
    const target = this.#redirect(cleanName(header.linkname ?? ''));
    if (target === '') throw refuse(header.name, 'a hard link needs a target');
    if (target === path) return;
    const from = splitPath(target);
    const fromFolder = this.#folders.find(from.parent);
    const there = fromFolder === undefined ? undefined : stat(fromFolder, from.name);
    if (fromFolder === undefined || !there) {
      this.#pendingLinks.push({ path, target });
      return;
    }
    if (there.isDirectory()) throw refuse(header.name, `a hard link can't lead to a directory (${target})`);
    this.#making(folder, name, path, () => linkAt(fromFolder, from.name, folder, name));
  }

  #whiteout(folder: number, name: string): void {
    const there = stat(folder, name);
    if (!there) mknodAt(folder, name, S_IFCHR, 0, 0);
    // A whiteout is about the layers below: what this layer brings itself stays, without what was merged into it.
    else if (there.isDirectory()) lsetxattr(pathAt(folder, name), OPAQUE_XATTR, Buffer.from('y'));
  }

  /** Makes the name; what has it already goes first. */
  #making<T>(folder: number, name: string, path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      const there = stat(folder, name);
      if (there) {
        if (there.isDirectory() && this.#options.keepKinds) throw kindConflict(path, 'non-directory');
        this.#clear(folder, name, path, there);
      }
      return make();
    }
  }

  #clear(folder: number, name: string, path: string, there: Stats): void {
    if (!there.isDirectory()) {
      unlinkSync(pathAt(folder, name));
      if (there.isSymbolicLink()) this.#folders.forget(path);
      return;
    }
    rmSync(pathAt(folder, name), { recursive: true });
    this.#folders.forget(path);
    for (const set of [this.#implicit, this.#times]) {
      for (const key of set.keys()) if (key === path || key.startsWith(`${path}/`)) set.delete(key);
    }
  }

  /** A folder that no entry has named: as a directory, over a whiteout of this layer, or where a symlink leads. */
  #makeFolder(path: string): number {
    const { parent, name } = splitPath(path);
    const folder = this.#folders.get(parent);
    const there = stat(folder, name);
    if (there?.isSymbolicLink()) {
      // It leads to what is not there yet; a circle was found out before.
      return this.#folders.get(linkTarget(parent, readlinkSync(pathAt(folder, name))));
    }
    const opaque = there !== undefined && this.#options.whiteouts === 'overlay' && isWhiteout(there);
    if (opaque) unlinkSync(pathAt(folder, name));
    else if (there) throw refuse(path, 'it is not a directory, but entries lie in it');
    mkdirSync(pathAt(folder, name), 0o755);
    const fd = openInRootSync(folder, name, OPEN_FOLDER);
    try {
      fchmodSync(fd, 0o755);
      if (this.#options.owner) fchownSync(fd, this.#options.owner.uid, this.#options.owner.gid);
    } finally {
      closeSync(fd);
    }
    if (opaque) lsetxattr(pathAt(folder, name), OPAQUE_XATTR, Buffer.from('y'));
    this.#implicit.add(path);
    return openInRootSync(folder, name, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  }

  /** Owner first: changing it takes setuid away. */
  #own(fd: number, header: TarHeader): void {
    const { uid, gid } = this.#options.owner ?? header;
    fchownSync(fd, uid, gid);
    fchmodSync(fd, header.mode);
  }

  #ownLink(header: TarHeader, folder: number, name: string): void {
    const { uid, gid } = this.#options.owner ?? header;
    if (uid !== 0 || gid !== 0) lchownSync(pathAt(folder, name), uid, gid);
    this.#xattrs(pathAt(folder, name), header);
    lutimesSync(pathAt(folder, name), header.mtime, header.mtime);
  }

  #xattrs(path: string, header: TarHeader): void {
    if (!header.xattrs) return;
    for (const [name, value] of header.xattrs) {
      // These steer the overlay itself: a redirect would show any folder of the host.
      if (name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.')) continue;
      try {
        lsetxattr(path, name, value);
      } catch (error) {
        // The file system, or a security module, knows no such attribute: the file is good without.
        if (!isErrno(error, 'EOPNOTSUPP') && !isErrno(error, 'EPERM') && !isErrno(error, 'EINVAL')) throw error;
      }
    }
  }
}

function stat(folder: number, name: string): Stats | undefined {
  return lstatSync(pathAt(folder, name), { throwIfNoEntry: false });
}

function refuse(name: string, why: string): LongshoreError {
  return new LongshoreError('invalid', `the archive's entry ${JSON.stringify(name)} is refused: ${why}`, { object: name });
}

function kindConflict(path: string, kind: string): LongshoreError {
  return new LongshoreError('invalid', `cannot overwrite ${kind === 'directory' ? 'non-directory' : 'directory'} "/${path}" with ${kind}`, { object: path });
}
