import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { once } from 'node:events';
import { createGzip } from 'node:zlib';
import type { Gzip } from 'node:zlib';

/** The level at which a layer is compressed: higher ones take several times as long for a few percent. */
export const GZIP_LEVEL = 4;

/** Compresses into an open file, and hashes both sides. The same input gives the same bytes. */
export class GzipFile {
  readonly #gzip: Gzip;
  readonly #plain = createHash('sha256');
  readonly #packed = createHash('sha256');
  #size = 0;
  #failure: Error | undefined;

  constructor(fd: number) {
    this.#gzip = createGzip({ level: GZIP_LEVEL, chunkSize: 256 * 1024 });
    this.#gzip.on('data', (piece: Buffer) => {
      try {
        this.#packed.update(piece);
        for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at, piece.length - at);
        this.#size += piece.length;
      } catch (error) {
        this.#failure = error as Error;
        this.#gzip.destroy(this.#failure);
      }
    });
    this.#gzip.on('error', (error) => (this.#failure ??= error));
  }

  async write(piece: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.#plain.update(piece);
    // The caller uses its buffer again.
    if (!this.#gzip.write(Buffer.from(piece))) await once(this.#gzip, 'drain');
  }

  async end(): Promise<{ digest: string; diffId: string; size: number }> {
    const ended = once(this.#gzip, 'end');
    this.#gzip.end();
    await ended;
    if (this.#failure) throw this.#failure;
    return { digest: `sha256:${this.#packed.digest('hex')}`, diffId: `sha256:${this.#plain.digest('hex')}`, size: this.#size };
  }
}
