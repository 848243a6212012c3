import { chmod, link, lstat, lutimes, mkdir, open, readdir, readlink, rm, symlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { kindOf, permissionsOf } from './file-mode.ts';
import { PACKET, Packet } from './messages.ts';
import type { Stat } from './messages.ts';
import type { Session } from './sessions.ts';

export interface ReceiveOptions {
  /** As the client calls the folder: `context`, `dockerfile`. */
  readonly name: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Only these paths, and what symlinks among them lead to. */
  readonly follow?: readonly string[];
  /** A folder of ours, in which files of an earlier transfer may lie. */
  readonly into: string;
  readonly progress?: (bytes: number, files: number) => void;
  readonly signal: AbortSignal;
}

const METHOD = '/moby.filesync.v1.FileSync/DiffCopy';
const MAX_FILES = 2_000_000;
/** Files that are asked for and not yet here. */
const IN_FLIGHT = 256;

interface Incoming {
  readonly stat: Stat;
  readonly file: Promise<FileHandle>;
  writing: Promise<unknown>;
}

/**
 * Makes `into` what the client's folder is (fsutil's protocol: the sender tells of all its files, the receiver asks for
 * those that it lacks). What the client says is checked: no name leads out, and nothing is written through a link.
 * @throws `invalid`, `not-found` (no such folder), what the session throws
 */
export async function receiveFiles(session: Session, options: ReceiveOptions): Promise<void> {
  if (!session.supports(METHOD)) throw new LongshoreError('not-found', 'no local sources enabled', { object: options.name });
  const call = session.client.call(METHOD, metadata(options), options.signal);
  const receiver = new Receiver(options.into, options.progress ?? (() => {}), (id) => call.send(Packet.encode({ type: PACKET.REQ, id })));
  try {
    for await (const bytes of call.messages) {
      options.signal.throwIfAborted();
      const packet = Packet.decode(bytes);
      if (packet.type === PACKET.ERR) throw new LongshoreError('invalid', `error from sender: ${packet.data.toString('utf8')}`, { object: options.name });
      if (packet.type === PACKET.STAT) {
        if (packet.stat && packet.stat.path !== '') await receiver.stat(packet.stat);
        else receiver.allTold = true;
      } else if (packet.type === PACKET.DATA) await receiver.data(packet.id, packet.data);
      else if (packet.type === PACKET.FIN) {
        call.end();
        continue;
      }
      if (receiver.allTold && receiver.waiting === 0 && !receiver.finished) {
        await receiver.finish();
        await call.send(Packet.encode({ type: PACKET.FIN }));
      }
    }
    if (!receiver.finished) throw new LongshoreError('unavailable', `the transfer of ${options.name} ended early`);
  } finally {
    await receiver.abandon();
    call.cancel();
  }
}

function metadata(options: ReceiveOptions): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [key, values] of [
    ['dir-name', [options.name]],
    ['include-patterns', options.include ?? []],
    ['exclude-patterns', options.exclude ?? []],
    ['followpaths', options.follow ?? []],
  ] as const) {
    if (values.length === 0) continue;
    const encode = values.some((value) => /[^ -~]/.test(value));
    out[key] = encode ? values.map((value) => encodeURIComponent(value)) : [...values];
    if (encode) out[`${key}-encoded`] = '1';
  }
  return out;
}

class Receiver {
  allTold = false;
  finished = false;
  readonly #root: string;
  readonly #progress: (bytes: number, files: number) => void;
  readonly #request: (id: number) => Promise<void> | void;
  /** Folders that this transfer has made sure of: only in them may anything lie. */
  readonly #folders = new Set<string>(['']);
  readonly #files = new Set<string>();
  readonly #incoming = new Map<number, Incoming>();
  /** Asked for when there is room. */
  readonly #queue: { id: number; stat: Stat }[] = [];
  readonly #times: Stat[] = [];
  #count = 0;
  #bytes = 0;

  constructor(root: string, progress: (bytes: number, files: number) => void, request: (id: number) => Promise<void> | void) {
    this.#root = root;
    this.#progress = progress;
    this.#request = request;
  }

  get waiting(): number {
    return this.#incoming.size + this.#queue.length;
  }

  async stat(stat: Stat): Promise<void> {
    const id = this.#count++;
    if (this.#count > MAX_FILES) throw new LongshoreError('too-large', `the build context has more than ${MAX_FILES} files`);
    const path = checkPath(stat.path);
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (!this.#folders.has(parent)) throw new LongshoreError('invalid', `the client sent ${path} without its folder`, { object: path });
    if (this.#folders.has(path) || this.#files.has(path)) throw new LongshoreError('invalid', `the client sent ${path} twice`, { object: path });
    const full = join(this.#root, path);
    const there = await lstat(full, { bigint: true }).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    switch (kindOf(stat.mode)) {
      case 'directory':
        if (there && !there.isDirectory()) await rm(full);
        if (!there?.isDirectory()) await mkdir(full, 0o755);
        await chmod(full, permissionsOf(stat.mode));
        this.#folders.add(path);
        this.#times.push(stat);
        return;
      case 'symlink':
        this.#files.add(path);
        if (there?.isSymbolicLink() && (await readlink(full)) === stat.linkname) return;
        if (there) await rm(full, { recursive: true });
        await symlink(stat.linkname, full);
        await setTime(full, stat);
        return;
      case 'file':
        this.#files.add(path);
        if (stat.linkname !== '') {
          const target = checkPath(stat.linkname);
          if (!this.#files.has(target)) throw new LongshoreError('invalid', `the client sent ${path} as a link to ${target}, which it has not sent`, { object: path });
          await this.#settled();
          if (there) await rm(full, { recursive: true });
          await link(join(this.#root, target), full);
          return;
        }
        if (there && same(there, stat)) return;
        if (there) await rm(full, { recursive: true });
        this.#queue.push({ id, stat: { ...stat, path } });
        await this.#pump();
        return;
      case 'other':
        // Sockets, pipes and devices have no place in a context.
        return;
    }
  }

  async data(id: number, data: Buffer): Promise<void> {
    const incoming = this.#incoming.get(id);
    if (!incoming) throw new LongshoreError('invalid', 'the client sent a file that was not asked for');
    if (data.length > 0) {
      this.#bytes += data.length;
      const file = await incoming.file;
      await incoming.writing;
      incoming.writing = file.write(data);
      incoming.writing.catch(() => {
        // Heard of with the next piece, or at the end.
      });
      this.#progress(this.#bytes, this.#files.size);
      return;
    }
    const file = await incoming.file;
    await incoming.writing;
    await file.chmod(permissionsOf(incoming.stat.mode));
    await file.close();
    await setTime(join(this.#root, incoming.stat.path), incoming.stat);
    this.#incoming.delete(id);
    await this.#pump();
  }

  /** Takes away what the client doesn't have, and sets the folders' times. */
  async finish(): Promise<void> {
    this.finished = true;
    for (const folder of this.#folders) {
      for (const name of await readdir(join(this.#root, folder))) {
        const path = folder === '' ? name : `${folder}/${name}`;
        if (!this.#folders.has(path) && !this.#files.has(path)) await rm(join(this.#root, path), { recursive: true, force: true });
      }
    }
    for (const stat of this.#times.toReversed()) await setTime(join(this.#root, stat.path), stat);
    this.#progress(this.#bytes, this.#files.size);
  }

  async abandon(): Promise<void> {
    for (const incoming of this.#incoming.values()) {
      await incoming.writing.catch(() => {
        // The transfer has failed already.
      });
      await (await incoming.file.catch(() => undefined))?.close();
    }
    this.#incoming.clear();
  }

  async #pump(): Promise<void> {
    while (this.#incoming.size < IN_FLIGHT && this.#queue.length > 0) {
      const { id, stat } = this.#queue.shift()!;
      const file = open(join(this.#root, stat.path), 'wx', 0o600);
      file.catch(() => {
        // Heard of with the first piece.
      });
      this.#incoming.set(id, { stat, file, writing: Promise.resolve() });
      await this.#request(id);
    }
  }

  /** A hard link wants its target's name to be there. */
  async #settled(): Promise<void> {
    for (const incoming of this.#incoming.values()) await incoming.file;
  }
}

/** @throws `invalid` for what is not a clean, relative path */
function checkPath(path: string): string {
  if (path === '' || path.length > 4096 || path.startsWith('/') || path.includes('\0') || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new LongshoreError('invalid', `the client sent a file with the invalid path ${JSON.stringify(path.slice(0, 200))}`);
  }
  return path;
}

function same(there: BigIntStats, stat: Stat): boolean {
  return there.isFile() && there.size === BigInt(stat.size) && there.mtimeNs / 1000n === stat.modTime / 1000n && Number(there.mode & 0o7777n) === permissionsOf(stat.mode) && there.nlink === 1n;
}

async function setTime(path: string, stat: Stat): Promise<void> {
  const seconds = Number(stat.modTime / 1000n) / 1e6;
  await lutimes(path, seconds, seconds);
}
