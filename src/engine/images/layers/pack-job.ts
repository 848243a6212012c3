import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, writeSync, constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { lgetxattr, llistxattr } from '../../../host/fs.ts';
import { encodeHeader, END_OF_ARCHIVE, padding } from '../../../lib/tar.ts';
import type { TarHeader } from '../../../lib/tar.ts';
import { isWhiteout, OPAQUE_XATTR } from './overlay.ts';
import { GzipFile } from './gzip-file.ts';

export interface PackJob {
  readonly kind: 'pack';
  /** An overlay's upper directory, which nobody changes meanwhile. */
  readonly folder: string;
  /** The blob's file, made here. */
  readonly path: string;
  readonly compression: 'none' | 'gzip';
}

export interface Packed {
  readonly digest: string;
  readonly diffId: string;
  /** Of the blob. */
  readonly size: number;
  /** Sum of the files' sizes. */
  readonly bytes: number;
}

const PIECE = 512 * 1024;

/**
 * Makes a layer's tar of an upper directory: sorted by name, whiteouts turned back into
 * their `.wh.` names, hard links kept, user and capability attributes kept, the overlay's own left out. The same
 * folder gives the same bytes. Blocks its thread.
 */
export async function packLayer(job: PackJob, signal: AbortSignal): Promise<Packed> {
  const fd = openSync(job.path, 'wx', 0o600);
  const out = job.compression === 'gzip' ? new GzipFile(fd) : new PlainFile(fd);
  const state: State = { out, links: new Map(), bytes: 0, buffer: Buffer.allocUnsafe(PIECE), signal };
  try {
    await packFolder(state, job.folder, '');
    await out.write(END_OF_ARCHIVE);
    const { digest, diffId, size } = await out.end();
    return { digest, diffId, size, bytes: state.bytes };
  } finally {
    closeSync(fd);
  }
}

interface Sink {
  /** Takes the piece before it returns a promise or nothing; the buffer may be reused once that has settled. */
  write(piece: Buffer): Promise<void> | void;
  end(): Promise<{ digest: string; diffId: string; size: number }>;
}

interface State {
  readonly out: Sink;
  /** Names of files with several links, by inode. */
  readonly links: Map<string, string>;
  bytes: number;
  readonly buffer: Buffer;
  readonly signal: AbortSignal;
}

async function packFolder(state: State, folder: string, prefix: string): Promise<void> {
  state.signal.throwIfAborted();
  const names = readdirSync(folder).sort();
  if (prefix !== '' && lgetxattr(folder, OPAQUE_XATTR)?.toString() === 'y') {
    await state.out.write(encodeHeader({ name: `${prefix}.wh..wh..opq`, type: 'file', mode: 0o600, uid: 0, gid: 0, size: 0, mtime: 0 }));
  }
  for (const name of names) {
    const path = `${folder}/${name}`;
    const stats = lstatSync(path);
    if (stats.isSocket()) continue;
    if (isWhiteout(stats)) {
      await state.out.write(encodeHeader({ name: `${prefix}.wh.${name}`, type: 'file', mode: 0o600, uid: 0, gid: 0, size: 0, mtime: 0 }));
      continue;
    }
    const header = headerOf(state, path, prefix + name, stats);
    await state.out.write(encodeHeader(header));
    if (header.type === 'file') await packFile(state, path, header.size);
    else if (header.type === 'directory') await packFolder(state, path, `${prefix}${name}/`);
  }
}

async function packFile(state: State, path: string, size: number): Promise<void> {
  if (size === 0) return;
  state.bytes += size;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let left = size; left > 0; ) {
      const read = readSync(fd, state.buffer, 0, Math.min(left, PIECE), null);
      if (read === 0) throw new Error(`${path} became shorter while it was packed`);
      await state.out.write(state.buffer.subarray(0, read));
      left -= read;
    }
  } finally {
    closeSync(fd);
  }
  await state.out.write(padding(size));
}

/** A tar header for a file of the disk; of its attributes, those that images carry. */
export function headerOf(state: { readonly links: Map<string, string> }, path: string, name: string, stats: Stats): TarHeader {
  const base = { name, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, size: 0, mtime: Math.floor(stats.mtimeMs / 1000) };
  if (stats.isSymbolicLink()) return { ...base, type: 'symlink', mode: 0o777, linkname: readlinkSync(path) };
  if (!stats.isDirectory() && stats.nlink > 1) {
    const inode = `${stats.dev}:${stats.ino}`;
    const first = state.links.get(inode);
    if (first !== undefined) return { ...base, type: 'link', linkname: first };
    state.links.set(inode, name);
  }
  const xattrs = attributesOf(path);
  const more = xattrs ? { xattrs } : {};
  if (stats.isDirectory()) return { ...base, ...more, type: 'directory' };
  if (stats.isFile()) return { ...base, ...more, type: 'file', size: stats.size };
  if (stats.isFIFO()) return { ...base, type: 'fifo' };
  const device = { devMajor: (stats.rdev >> 8) & 0xfff, devMinor: (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00) };
  return { ...base, ...device, type: stats.isBlockDevice() ? 'block-device' : 'character-device' };
}

function attributesOf(path: string): Map<string, Buffer> | undefined {
  let found: Map<string, Buffer> | undefined;
  for (const name of llistxattr(path)) {
    if (name !== 'security.capability' && !(name.startsWith('user.') && !name.startsWith('user.overlay.'))) continue;
    const value = lgetxattr(path, name);
    if (value) (found ??= new Map()).set(name, value);
  }
  return found;
}

class PlainFile implements Sink {
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #gathered: Buffer = Buffer.allocUnsafe(PIECE);
  #length = 0;
  #size = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(piece: Buffer): void {
    if (this.#length + piece.length > PIECE) this.#flush();
    if (piece.length > PIECE / 2) this.#put(piece);
    else this.#length += piece.copy(this.#gathered, this.#length);
  }

  end(): Promise<{ digest: string; diffId: string; size: number }> {
    this.#flush();
    const digest = `sha256:${this.#hash.digest('hex')}`;
    return Promise.resolve({ digest, diffId: digest, size: this.#size });
  }

  #flush(): void {
    if (this.#length > 0) this.#put(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
  }

  #put(bytes: Buffer): void {
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at);
    this.#size += bytes.length;
  }
}
