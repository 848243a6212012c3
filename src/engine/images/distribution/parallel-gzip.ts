import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';
import { GZIP_LEVEL } from '../layers/gzip-file.ts';

const BLOCK = 1 << 20;
/** Blocks in flight: the pool has four threads, and others need some. */
const WIDTH = 3;

const deflate = promisify<Buffer, { level: number; finishFlush: number }, Buffer>(deflateRaw);

/** Ten bytes: magic, deflate, no flags, no time, unknown system (RFC 1952, section 2.3). */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

export interface GzipResult {
  digest: string;
  size: number;
  plainBytes: number;
}

/**
 * Compresses on several threads: blocks of 1 MiB, each deflated on its own and ended on a byte
 * boundary, make one gzip member. The same input gives the same bytes. `result` is filled
 * in when the generator ends.
 */
export async function* parallelGzip(source: AsyncIterable<Buffer>, result: GzipResult): AsyncGenerator<Buffer, void, void> {
  const hash = createHash('sha256');
  const waiting: Promise<Buffer>[] = [];
  let crc = 0;
  const give = (piece: Buffer): Buffer => {
    hash.update(piece);
    result.size += piece.length;
    return piece;
  };
  const start = (block: Buffer): void => {
    crc = crc32(block, crc);
    result.plainBytes += block.length;
    const running = deflate(block, { level: GZIP_LEVEL, finishFlush: constants.Z_SYNC_FLUSH });
    // Awaited in its turn; a failure before that must not go unheard.
    running.catch(() => {});
    waiting.push(running);
  };
  yield give(HEADER);
  for await (const block of blocks(source)) {
    start(block);
    if (waiting.length >= WIDTH) yield give(await waiting.shift()!);
  }
  for (const running of waiting) yield give(await running);
  // An empty last block, then checksum and length.
  const trailer = Buffer.alloc(10);
  trailer.set([3, 0]);
  trailer.writeUInt32LE(crc, 2);
  trailer.writeUInt32LE(result.plainBytes % 2 ** 32, 6);
  yield give(trailer);
  result.digest = `sha256:${hash.digest('hex')}`;
}

async function* blocks(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let block = Buffer.allocUnsafe(BLOCK);
  let length = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const take = piece.copy(block, length, at);
      at += take;
      length += take;
      if (length === BLOCK) {
        yield block;
        block = Buffer.allocUnsafe(BLOCK);
        length = 0;
      }
    }
  }
  if (length > 0) yield block.subarray(0, length);
}
