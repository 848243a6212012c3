import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Gunzip, ZstdDecompress } from 'node:zlib';
import { DirectFile } from '../../../host/direct.ts';
import type { AlignedMemory } from '../../../host/direct.ts';
import { TarParser } from '../../../lib/tar.ts';
import { writeFailure } from '../write-failure.ts';
import { compressionOf } from './compression.ts';
import type { Compression } from './compression.ts';
import { Extractor } from './extract.ts';
import type { ExtractOptions } from './extract.ts';
import type { Unpacked } from './unpack-job.ts';

/** Where to unpack to, and how. */
export interface UnpackTarget {
  readonly into: string;
  readonly options: ExtractOptions;
  readonly maxEntries: number;
}

/** A blob that comes in pieces through shared memory: written to `path`, hashed, and unpacked when there is a target, all in one pass. */
export interface IngestJob {
  readonly path: string;
  /** `slots` pieces of `slotBytes`, a multiple of DIRECT_ALIGNMENT. */
  readonly memory: AlignedMemory;
  readonly slots: number;
  readonly slotBytes: number;
  readonly target?: UnpackTarget;
}

export interface Ingested {
  readonly digest: string;
  readonly size: number;
  /** Left out when it was not to be unpacked, or can't be: unpacking it from its file says why. */
  readonly unpacked?: Unpacked;
}

/** The worker's end of a blob in the making. */
export class Ingest {
  readonly #job: IngestJob;
  readonly #slots: readonly Buffer[];
  readonly #file: DirectFile;
  readonly #hash = createHash('sha256');
  readonly #writes = new Set<Promise<unknown>>();
  readonly #onFree: (slot: number) => void;
  readonly #onFailure: (error: unknown) => void;
  #unpacking: Unpacking | undefined;
  #size = 0;
  #failed = false;

  /**
   * @param onFree a slot may be filled again
   * @param onFailure the blob can't be written, and is thrown away; called once
   * @throws system errors
   */
  constructor(job: IngestJob, onFree: (slot: number) => void, onFailure: (error: unknown) => void) {
    this.#job = job;
    this.#onFree = onFree;
    this.#onFailure = onFailure;
    this.#slots = Array.from({ length: job.slots }, (_, n) => Buffer.from(job.memory.memory, job.memory.offset + n * job.slotBytes, job.slotBytes));
    try {
      this.#file = new DirectFile(job.path);
    } catch (error) {
      throw writeFailure(error);
    }
  }

  /** The next piece; all but the last fill their slot. */
  take(slot: number, length: number): void {
    if (this.#failed) return;
    const room = this.#slots[slot]!;
    const piece = room.subarray(0, length);
    const written = this.#file.write(room, length, this.#size);
    if (this.#size === 0 && this.#job.target) this.#unpacking = new Unpacking(this.#job.target, piece);
    this.#size += length;
    this.#hash.update(piece);
    const work = Promise.all([written, this.#unpacking?.write(piece)]).then(
      () => this.#onFree(slot),
      (error: unknown) => this.#fail(writeFailure(error)),
    );
    this.#writes.add(work);
    void work.then(() => this.#writes.delete(work));
  }

  /** @returns undefined after a failure, of which `onFailure` tells */
  async end(): Promise<Ingested | undefined> {
    await Promise.all(this.#writes);
    if (this.#failed) return undefined;
    try {
      await this.#file.finish(this.#size);
    } catch (error) {
      this.#fail(writeFailure(error));
      return undefined;
    }
    const digest = `sha256:${this.#hash.digest('hex')}`;
    const unpacked = await this.#unpacking?.end(digest);
    return { digest, size: this.#size, ...(unpacked ? { unpacked } : {}) };
  }

  /** Throws the file away. Safe at any time. */
  async abort(): Promise<void> {
    this.#failed = true;
    this.#unpacking?.abort();
    await Promise.all(this.#writes);
    this.#file.close();
    rmSync(this.#job.path, { force: true });
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    // Told when nothing writes any more.
    this.abort().then(() => this.#onFailure(error), this.#onFailure);
  }
}

/** Unpacks what comes. What is wrong with it is not told: the blob itself may be good. */
class Unpacking {
  readonly #extractor: Extractor | undefined;
  readonly #parser: TarParser | undefined;
  readonly #stream: Gunzip | ZstdDecompress | undefined;
  readonly #hash: Hash | undefined;
  readonly #ended: Promise<void> | undefined;
  #failed = false;

  constructor(target: UnpackTarget, start: Buffer) {
    let compression: Compression;
    try {
      compression = compressionOf(start);
    } catch {
      // Not taken: whoever wants it as a layer hears of it when it is unpacked from its file.
      this.#failed = true;
      return;
    }
    this.#extractor = new Extractor(target.into, target.options);
    this.#parser = new TarParser(this.#extractor, { maxEntries: target.maxEntries });
    if (compression === 'none') return;
    this.#hash = createHash('sha256');
    const stream = compression === 'gzip' ? createGunzip({ chunkSize: 256 * 1024 }) : createZstdDecompress({ chunkSize: 256 * 1024 });
    this.#stream = stream;
    stream.on('data', (piece: Buffer) => {
      this.#hash!.update(piece);
      this.#parse(piece);
    });
    stream.on('error', () => this.abort());
    this.#ended = new Promise((resolve) => void stream.once('close', resolve));
  }

  /** @returns when the piece's memory is free again; at once when it is already */
  write(piece: Buffer): Promise<void> | undefined {
    if (this.#failed) return undefined;
    const stream = this.#stream;
    if (!stream) {
      this.#parse(piece);
      return undefined;
    }
    return new Promise((resolve) => void stream.write(piece, () => resolve()));
  }

  /** @param digest of what came, which is the diff id of a plain layer */
  async end(digest: string): Promise<Unpacked | undefined> {
    if (!this.#failed) this.#stream?.end();
    await this.#ended;
    try {
      if (this.#failed || !this.#parser || !this.#extractor) return undefined;
      this.#parser.end();
      return { ...this.#extractor.finish(), diffId: this.#hash ? `sha256:${this.#hash.digest('hex')}` : digest };
    } catch {
      return undefined; // as in #parse
    } finally {
      this.abort();
    }
  }

  /** Safe to call twice. */
  abort(): void {
    this.#failed = true;
    this.#stream?.destroy();
    this.#extractor?.close();
  }

  #parse(piece: Buffer): void {
    if (this.#failed) return;
    try {
      this.#parser!.write(piece);
    } catch {
      // A malformed or hostile archive, or a full disk: said when it is unpacked from its file.
      this.abort();
    }
  }
}
