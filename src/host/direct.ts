/**
 * Writing around the page cache (O_DIRECT, open(2)): for files that are synced before anybody hears
 * of them and are rarely read again. What is written is on the disk without a second copy in memory.
 */
import { closeSync, constants, fdatasync, ftruncate, openSync, write } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isErrno } from '../lib/errors.ts';
import { kernel } from './syscall/kernel.ts';

/** What addresses, lengths and positions must be a multiple of: no disk in use has larger blocks. */
export const DIRECT_ALIGNMENT = 4096;

const writeAt = promisify(write);
const truncate = promisify(ftruncate);
const sync = promisify(fdatasync);

/** Memory that two threads see. `offset` is where the aligned part begins. */
export interface AlignedMemory {
  readonly memory: SharedArrayBuffer;
  readonly offset: number;
  readonly length: number;
}

export function alignedMemory(length: number): AlignedMemory {
  const memory = new SharedArrayBuffer(length + DIRECT_ALIGNMENT);
  const over = Number(kernel().address(Buffer.from(memory)) % BigInt(DIRECT_ALIGNMENT));
  return { memory, offset: (DIRECT_ALIGNMENT - over) % DIRECT_ALIGNMENT, length };
}

/** Memory of this thread's own that can be read into. */
export function alignedBuffer(length: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(length + DIRECT_ALIGNMENT);
  const over = Number(kernel().address(buffer) % BigInt(DIRECT_ALIGNMENT));
  const start = (DIRECT_ALIGNMENT - over) % DIRECT_ALIGNMENT;
  return buffer.subarray(start, start + length);
}

/** A new file, written from aligned memory from its beginning to its end. Blocks its thread where it opens: for workers. */
export class DirectFile {
  readonly #path: string;
  #fd: number;
  #cached = false;
  /** Descriptors that others may still be writing through. */
  readonly #retired: number[] = [];
  #closed = false;

  /** @throws system errors: EEXIST when there is such a file */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DIRECT, 0o600);
    } catch (error) {
      if (!isErrno(error, 'EINVAL')) throw error;
      // A file system that knows no such thing may have made the file all the same.
      this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
      this.#cached = true;
    }
  }

  /**
   * Writes the first `length` bytes of `room`. All pieces but the last have a length that is a multiple
   * of DIRECT_ALIGNMENT; so has `room`, whose rest is overwritten. Several may be under way.
   * @throws system errors
   */
  async write(room: Buffer, length: number, position: number): Promise<void> {
    const padded = Math.ceil(length / DIRECT_ALIGNMENT) * DIRECT_ALIGNMENT;
    room.fill(0, length, padded);
    for (let at = 0; at < padded; ) {
      try {
        const { bytesWritten } = await writeAt(this.#fd, room, at, padded - at, position + at);
        at += bytesWritten;
      } catch (error) {
        if (!isErrno(error, 'EINVAL') || !this.#goThroughCache()) throw error;
      }
    }
  }

  /** Cuts off what was padded, syncs and closes. @throws system errors */
  async finish(size: number): Promise<void> {
    await truncate(this.#fd, size);
    await sync(this.#fd);
    this.close();
  }

  /** Safe to call twice; nothing may be under way. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of [this.#fd, ...this.#retired]) closeSync(fd);
  }

  /** After a short write, or on a disk with larger blocks. @returns false when it does already */
  #goThroughCache(): boolean {
    if (this.#cached) return false;
    this.#cached = true;
    this.#retired.push(this.#fd);
    this.#fd = openSync(this.#path, constants.O_WRONLY);
    return true;
  }
}

/** A file read in order into an `alignedBuffer`: past the page cache, or through it. */
export class DirectReader {
  readonly #path: string;
  #file: FileHandle;
  #direct: boolean;

  private constructor(path: string, file: FileHandle, direct: boolean) {
    this.#path = path;
    this.#file = file;
    this.#direct = direct;
  }

  /** @throws system errors */
  static async open(path: string, options: { readonly direct: boolean }): Promise<DirectReader> {
    try {
      return new DirectReader(path, await open(path, options.direct ? constants.O_RDONLY | constants.O_DIRECT : constants.O_RDONLY), options.direct);
    } catch (error) {
      if (!options.direct || !isErrno(error, 'EINVAL')) throw error;
      return new DirectReader(path, await open(path, constants.O_RDONLY), false);
    }
  }

  /**
   * Fills `room` from `position`, a multiple of DIRECT_ALIGNMENT.
   * @returns how many bytes there were: less than its length at the file's end alone.
   * @throws system errors
   */
  async read(room: Buffer, position: number): Promise<number> {
    for (let at = 0; ; ) {
      try {
        const { bytesRead } = await this.#file.read(room, at, room.length - at, position + at);
        at += bytesRead;
        // What is not aligned any more is the end, behind which a direct read is none.
        if (bytesRead === 0 || at === room.length || (this.#direct && at % DIRECT_ALIGNMENT !== 0)) return at;
      } catch (error) {
        if (!this.#direct || !isErrno(error, 'EINVAL')) throw error;
        this.#direct = false;
        await this.#file.close();
        this.#file = await open(this.#path, constants.O_RDONLY);
      }
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
