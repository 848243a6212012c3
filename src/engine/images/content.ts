import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { alignedBuffer, DirectReader } from '../../host/direct.ts';
import { isErrno, LongshoreError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { hexId } from '../../lib/random.ts';
import { checkDigest, hexOf } from './digest.ts';
import type { ContentStore } from './images.ts';
import { writeFailure } from './write-failure.ts';

/** Manifests and configs; a bigger blob is streamed. */
const READ_BYTES = 8 << 20;
/** Of a blob that is sent; a multiple of DIRECT_ALIGNMENT. */
const SEND_BYTES = 512 * 1024;
/** Pieces are gathered to this size for each write: a hop to the thread pool costs more than a copy. */
const BATCH_BYTES = 512 * 1024;

/** Blobs as files `blobs/sha256/<hex>`; a blob appears there whole, verified and synced, or not at all. */
export class FileContentStore implements ContentStore {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #random: Random;
  readonly #onWritten: (digest: string) => void;
  /** Known to be on the disk. What an earlier process left is not known to be. */
  readonly #durable = new Set<string>();
  /** Written around the page cache by this process. */
  readonly #uncached = new Set<string>();

  /** @param onWritten called before a blob appears: what protects it from collection begins here */
  private constructor(folder: string, random: Random, onWritten: (digest: string) => void) {
    this.#blobs = join(folder, 'blobs/sha256');
    this.#ingest = join(folder, 'ingest');
    this.#random = random;
    this.#onWritten = onWritten;
  }

  static async open(folder: string, random: Random, onWritten: (digest: string) => void = () => {}): Promise<FileContentStore> {
    const store = new FileContentStore(folder, random, onWritten);
    await mkdir(store.#blobs, { recursive: true, mode: 0o700 });
    // What was being written when an earlier process ended.
    await rm(store.#ingest, { recursive: true, force: true });
    await mkdir(store.#ingest, { recursive: true, mode: 0o700 });
    return store;
  }

  async has(digest: string): Promise<boolean> {
    return (await this.size(digest)) !== undefined;
  }

  async size(digest: string): Promise<number | undefined> {
    try {
      return (await stat(this.path(digest))).size;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async read(digest: string): Promise<Buffer> {
    const size = await this.size(digest);
    if (size === undefined) throw missing(digest);
    if (size > READ_BYTES) {
      throw new LongshoreError('too-large', `blob ${digest} has ${size} bytes, and at most ${READ_BYTES} are read at once`, {
        object: digest,
      });
    }
    return await readFile(this.path(digest));
  }

  async stream(digest: string, range?: { readonly start: number; readonly end?: number }): Promise<Readable> {
    const file = await this.#found(digest, () => open(this.path(digest), 'r'));
    return createReadStream('', {
      fd: file,
      highWaterMark: 256 * 1024,
      autoClose: true,
      ...(range ? { start: range.start, ...(range.end === undefined ? {} : { end: range.end }) } : {}),
    });
  }

  /**
   * Hands over a blob's bytes in order, in two pieces of memory by turns: `write` resolves when its piece may change.
   * What lies only on the disk is read past the page cache.
   * @throws `not-found`; what `write` throws
   */
  async send(digest: string, write: (piece: Buffer) => Promise<void>): Promise<void> {
    const reader = await this.#found(digest, () => DirectReader.open(this.path(digest), { direct: this.#uncached.has(digest) }));
    let writing = Promise.resolve();
    try {
      const rooms = [alignedBuffer(SEND_BYTES), alignedBuffer(SEND_BYTES)] as const;
      for (let at = 0, turn = 0, bytes = SEND_BYTES; bytes === SEND_BYTES; at += bytes, turn = 1 - turn) {
        bytes = await reader.read(rooms[turn]!, at);
        await writing;
        if (bytes > 0) writing = write(rooms[turn]!.subarray(0, bytes));
        writing.catch(() => {
          // Thrown in its turn.
        });
      }
      await writing;
    } finally {
      await reader.close();
    }
  }

  path(digest: string): string {
    return join(this.#blobs, hexOf(digest));
  }

  async write(
    source: AsyncIterable<Uint8Array> | Uint8Array,
    expected: { readonly digest?: string; readonly size?: number; readonly maxBytes?: number; readonly sync?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<{ readonly digest: string; readonly size: number }> {
    if (expected.digest !== undefined) checkDigest(expected.digest);
    const limit = expected.size ?? expected.maxBytes ?? Number.MAX_SAFE_INTEGER;
    const writer = await this.writer({ sync: expected.sync ?? true });
    try {
      if (source instanceof Uint8Array) await writer.write(source);
      else {
        for await (const piece of source) {
          signal?.throwIfAborted();
          if (writer.size + piece.length > limit) {
            throw new LongshoreError('invalid', `${expected.digest ?? 'the blob'} is larger than the ${limit} bytes expected`, {
              object: expected.digest,
            });
          }
          await writer.write(piece);
        }
      }
      signal?.throwIfAborted();
      return await writer.commit(expected);
    } finally {
      await writer.abort();
    }
  }

  /** A blob in the making, for uploads in several requests. Ends with `commit` or `abort`, or with the process. */
  async writer(options: { readonly sync: boolean } = { sync: true }): Promise<BlobWriter> {
    const path = join(this.#ingest, hexId(this.#random, 12));
    return new BlobWriter(await open(path, 'wx', 0o600), path, options.sync, async (digest) => {
      await this.#publish(path, digest, options.sync);
    });
  }

  /** A fresh path among the unfinished blobs, for a worker thread that writes one; `adopt` makes it a blob. */
  temporaryPath(): string {
    return join(this.#ingest, hexId(this.#random, 12));
  }

  /**
   * Takes over a file which its writer has hashed; `synced` when that wrote around the page cache and synced it. Else
   * it is on the disk for sure after a `flush`.
   */
  async adopt(path: string, digest: string, options: { readonly synced: boolean } = { synced: false }): Promise<void> {
    if (options.synced) this.#uncached.add(digest);
    await this.#publish(path, digest, options.synced);
  }

  /** Removes a file among the unfinished. Nothing there is success. */
  async discard(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  /** Sees to it that those of these blobs that are here are on the disk: before anything durable refers to them. */
  async flush(digests: readonly string[]): Promise<void> {
    const unknown = digests.filter((digest) => !this.#durable.has(digest));
    if (unknown.length === 0) return;
    const synced = await Promise.all(unknown.map(async (digest) => ((await syncFile(this.path(digest))) ? [digest] : [])));
    await syncFolder(this.#blobs);
    for (const digest of synced.flat()) this.#durable.add(digest);
  }

  async #found<T>(digest: string, find: () => Promise<T>): Promise<T> {
    try {
      return await find();
    } catch (error) {
      throw isErrno(error, 'ENOENT') ? missing(digest) : error;
    }
  }

  async #publish(path: string, digest: string, synced: boolean): Promise<void> {
    this.#onWritten(digest);
    await rename(path, this.path(digest));
    if (!synced) return;
    await syncFolder(this.#blobs);
    this.#durable.add(digest);
  }

  async remove(digest: string): Promise<void> {
    this.#durable.delete(digest);
    this.#uncached.delete(digest);
    await rm(this.path(digest), { force: true });
  }

  async *list(): AsyncGenerator<{ readonly digest: string; readonly size: number; readonly mtimeMs: number }> {
    for await (const entry of await opendir(this.#blobs)) {
      if (!/^[0-9a-f]{64}$/.test(entry.name)) continue;
      try {
        const { size, mtimeMs } = await stat(join(this.#blobs, entry.name));
        yield { digest: `sha256:${entry.name}`, size, mtimeMs };
      } catch (error) {
        // Removed in the meantime.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  }
}

/** Hashes while it writes. */
export class BlobWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #sync: boolean;
  readonly #publish: (digest: string) => Promise<void>;
  readonly #hash = createHash('sha256');
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;
  #size = 0;
  #ended = false;

  constructor(file: FileHandle, path: string, sync: boolean, publish: (digest: string) => Promise<void>) {
    this.#file = file;
    this.#path = path;
    this.#sync = sync;
    this.#publish = publish;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a piece, which must not change afterwards; waits while the disk is behind. @throws `exhausted` when the disk is full */
  async write(piece: Uint8Array): Promise<void> {
    this.#size += piece.length;
    this.#batch.push(piece);
    this.#batchBytes += piece.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#flush();
  }

  /**
   * Verifies, syncs and publishes the blob.
   * @throws `invalid` when digest or size are not as expected
   */
  async commit(expected: { readonly digest?: string; readonly size?: number } = {}): Promise<{ readonly digest: string; readonly size: number }> {
    await this.#flush();
    await this.#settle();
    const digest = `sha256:${this.#hash.digest('hex')}`;
    if (expected.size !== undefined && expected.size !== this.#size) {
      throw new LongshoreError('invalid', `${expected.digest ?? digest} has ${this.#size} bytes instead of the ${expected.size} expected`, {
        object: expected.digest,
      });
    }
    if (expected.digest !== undefined && expected.digest !== digest) {
      throw new LongshoreError('invalid', `the content's digest is ${digest} instead of the expected ${expected.digest}`, { object: expected.digest });
    }
    if (this.#sync) await this.#guard(() => this.#file.datasync());
    this.#ended = true;
    await this.#file.close();
    await this.#publish(digest);
    return { digest, size: this.#size };
  }

  /** Throws away what there is, unless it is committed. Safe to call twice. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#writing?.catch(() => {
      // The blob is given up either way.
    });
    await this.#file.close();
    await rm(this.#path, { force: true });
  }

  /** Starts writing the batch, and hashes it meanwhile. */
  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#settle();
    this.#writing = writeAll(this.#file, batch).catch((error: unknown) => {
      this.#failure = error;
    });
    for (const piece of batch) this.#hash.update(piece);
  }

  async #settle(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) await this.#guard(() => Promise.reject(this.#failure));
  }

  async #guard(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (cause) {
      throw writeFailure(cause);
    }
  }
}

async function writeAll(file: FileHandle, batch: Uint8Array[]): Promise<void> {
  const total = batch.reduce((sum, piece) => sum + piece.length, 0);
  let { bytesWritten } = await file.writev(batch);
  if (bytesWritten === total) return;
  // A short write: the rest piece by piece.
  let skip = bytesWritten;
  for (const piece of batch) {
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    for (let at = skip; at < piece.length; at += bytesWritten) ({ bytesWritten } = await file.write(piece, at, piece.length - at));
    skip = 0;
  }
}

/** @returns false where there is no such file: a layer may be here unpacked alone */
async function syncFile(path: string): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    await file.datasync();
    return true;
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function missing(digest: string): LongshoreError {
  return new LongshoreError('not-found', `content ${digest} is not in the store`, { object: digest });
}
