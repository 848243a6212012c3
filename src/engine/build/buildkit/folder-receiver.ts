import { chmod, link, lstat, lutimes, mkdir, open, readdir, readlink, rm, symlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { kindOf, permissionsOf } from './file-mode.ts';
import type { Stat } from './messages.ts';

const MAX_FILES = 2_000_000;
/** Files that are asked for and not yet here. */
const IN_FLIGHT = 256;
/** Looks at the disk that are under way. */
const LOOKING = 256;
/** Bytes that came and are not yet written. */
const HELD_BYTES = 16 << 20;

interface Incoming {
  readonly stat: Stat;
  file: FileHandle | undefined;
  /** What is done with it, one thing after another. */
  chain: Promise<void>;
}

/**
 * The receiving side of one transfer. Checks what it is told at once, in order, and works on the disk behind that, many
 * files at a time. Only in folders that this transfer has made sure of may anything lie.
 */
export class FolderReceiver {
  /** Resolves when all files are told of and here; rejects with what went wrong on the disk. */
  readonly complete: Promise<void>;
  readonly #root: string;
  readonly #progress: (bytes: number, files: number) => void;
  readonly #request: (id: number) => Promise<void> | void;
  /** When each folder is there. */
  readonly #folders = new Map<string, Promise<void>>([['', Promise.resolve()]]);
  readonly #files = new Set<string>();
  readonly #incoming = new Map<number, Incoming>();
  /** To be asked for when there is room. */
  readonly #queue: { id: number; stat: Stat }[] = [];
  readonly #times: Stat[] = [];
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #allTold = false;
  #looking = 0;
  #wakeLooking: (() => void) | undefined;
  #held = 0;
  #wakeHeld: (() => void) | undefined;
  #count = 0;
  #bytes = 0;

  constructor(root: string, progress: (bytes: number, files: number) => void, request: (id: number) => Promise<void> | void) {
    this.#root = root;
    this.#progress = progress;
    this.#request = request;
    this.complete = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Takes one entry. Waits while too much is under way. @throws `invalid`, `too-large` */
  async stat(stat: Stat): Promise<void> {
    const id = this.#count++;
    if (this.#count > MAX_FILES) throw new LongshoreError('too-large', `the build context has more than ${MAX_FILES} files`);
    const path = checkPath(stat.path);
    const parent = this.#folders.get(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
    if (!parent) throw new LongshoreError('invalid', `the client sent ${path} without its folder`, { object: path });
    if (this.#folders.has(path) || this.#files.has(path)) {
      throw new LongshoreError('invalid', `the client sent ${path} twice`, { object: path });
    }
    const kind = kindOf(stat.mode);
    if (kind === 'file' && stat.linkname !== '' && !this.#files.has(checkPath(stat.linkname))) {
      throw new LongshoreError('invalid', `the client sent ${path} as a link to ${stat.linkname}, which it has not sent`, { object: path });
    }
    // Sockets, pipes and devices have no place in a context.
    if (kind === 'other') return;
    if (kind !== 'directory') this.#files.add(path);
    // A link is made when its target is there: at the end.
    if (kind === 'file' && stat.linkname !== '') {
      this.#times.push(stat);
      return;
    }
    this.#looking++;
    const done = parent.then(() => this.#place(id, stat, kind));
    if (kind === 'directory') {
      this.#folders.set(path, done);
      this.#times.push(stat);
    }
    done.then(
      () => this.#looked(),
      (error: unknown) => this.#reject(error),
    );
    if (this.#looking >= LOOKING) await new Promise<void>((resolve) => (this.#wakeLooking = resolve));
  }

  allTold(): void {
    this.#allTold = true;
    this.#settle();
  }

  /** A piece of a file; an empty one is its end. @throws `invalid` for a file that was not asked for */
  async data(id: number, data: Buffer): Promise<void> {
    const incoming = this.#incoming.get(id);
    if (!incoming) throw new LongshoreError('invalid', 'the client sent a file that was not asked for');
    if (data.length === 0) {
      incoming.chain = incoming.chain.then(async () => {
        await this.#end(incoming);
        this.#incoming.delete(id);
        await this.#pump();
        this.#settle();
      });
    } else {
      this.#held += data.length;
      incoming.chain = incoming.chain.then(async () => {
        await incoming.file!.write(data);
        this.#bytes += data.length;
        this.#held -= data.length;
        this.#progress(this.#bytes, this.#files.size);
        if (this.#held < HELD_BYTES) this.#wakeHeld?.();
      });
    }
    incoming.chain.catch((error: unknown) => {
      this.#reject(error);
      this.#wakeHeld?.();
    });
    if (this.#held >= HELD_BYTES) await new Promise<void>((resolve) => (this.#wakeHeld = resolve));
  }

  /** Makes hard links, takes away what the client doesn't have, and sets the folders' times. */
  async finish(): Promise<void> {
    for (const stat of this.#times) {
      if (kindOf(stat.mode) !== 'file') continue;
      const full = join(this.#root, stat.path);
      await rm(full, { recursive: true, force: true });
      await link(join(this.#root, stat.linkname), full);
    }
    for (const folder of this.#folders.keys()) {
      for (const name of await readdir(join(this.#root, folder))) {
        const path = folder === '' ? name : `${folder}/${name}`;
        if (!this.#folders.has(path) && !this.#files.has(path)) await rm(join(this.#root, path), { recursive: true, force: true });
      }
    }
    for (const stat of this.#times.toReversed()) {
      if (kindOf(stat.mode) === 'directory') {
        await lutimes(join(this.#root, stat.path), seconds(stat), seconds(stat));
      }
    }
    this.#progress(this.#bytes, this.#files.size);
  }

  /** Closes what is open. To be called at the end, whatever that is. */
  async abandon(): Promise<void> {
    for (const incoming of this.#incoming.values()) {
      await incoming.chain.catch(() => {
        // The transfer has failed already.
      });
      await incoming.file?.close();
    }
    this.#incoming.clear();
  }

  /** Makes room for an entry, and the entry itself if it is not a file that has to be sent. */
  async #place(id: number, stat: Stat, kind: 'file' | 'directory' | 'symlink'): Promise<void> {
    const full = join(this.#root, stat.path);
    const there = await lstat(full, { bigint: true }).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (kind === 'directory') {
      if (there && !there.isDirectory()) await rm(full);
      if (!there?.isDirectory()) await mkdir(full, 0o755);
      if (!there || Number(there.mode & 0o7777n) !== permissionsOf(stat.mode)) await chmod(full, permissionsOf(stat.mode));
      return;
    }
    if (kind === 'symlink') {
      if (there?.isSymbolicLink() && (await readlink(full)) === stat.linkname) return;
      if (there) await rm(full, { recursive: true });
      await symlink(stat.linkname, full);
      await lutimes(full, seconds(stat), seconds(stat));
      return;
    }
    if (there && same(there, stat)) return;
    if (there) await rm(full, { recursive: true });
    this.#queue.push({ id, stat });
    await this.#pump();
  }

  async #pump(): Promise<void> {
    while (this.#incoming.size < IN_FLIGHT && this.#queue.length > 0) {
      const { id, stat } = this.#queue.shift()!;
      const incoming: Incoming = { stat, file: undefined, chain: Promise.resolve() };
      incoming.chain = open(join(this.#root, stat.path), 'wx', 0o600).then((file) => void (incoming.file = file));
      incoming.chain.catch((error: unknown) => this.#reject(error));
      this.#incoming.set(id, incoming);
      await this.#request(id);
    }
  }

  async #end(incoming: Incoming): Promise<void> {
    const { file, stat } = incoming;
    await file!.chmod(permissionsOf(stat.mode));
    await file!.utimes(seconds(stat), seconds(stat));
    await file!.close();
    incoming.file = undefined;
  }

  #looked(): void {
    this.#looking--;
    if (this.#looking < LOOKING / 2) this.#wakeLooking?.();
    this.#settle();
  }

  #settle(): void {
    if (this.#allTold && this.#looking === 0 && this.#incoming.size === 0 && this.#queue.length === 0) this.#resolve();
  }
}

/** @throws `invalid` for what is not a clean, relative path */
function checkPath(path: string): string {
  if (
    path === '' ||
    path.length > 4096 ||
    path.startsWith('/') ||
    path.includes('\0') ||
    path.split('/').some((part) => part === '' || part === '.' || part === '..')
  ) {
    throw new LongshoreError('invalid', `the client sent a file with the invalid path ${JSON.stringify(path.slice(0, 200))}`);
  }
  return path;
}

/** Times are set through doubles, which are a fraction of a microsecond off. */
const CLOCK_GRAIN_NS = 2000n;

function same(there: BigIntStats, stat: Stat): boolean {
  const apart = there.mtimeNs - stat.modTime;
  return (
    there.isFile() &&
    there.size === BigInt(stat.size) &&
    apart < CLOCK_GRAIN_NS &&
    apart > -CLOCK_GRAIN_NS &&
    Number(there.mode & 0o7777n) === permissionsOf(stat.mode) &&
    there.nlink === 1n
  );
}

function seconds(stat: Stat): number {
  return Number(stat.modTime / 1000n) / 1e6;
}
