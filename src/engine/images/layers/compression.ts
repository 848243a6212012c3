import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { LongshoreError } from '../../../lib/errors.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** The longest beginning that `compressionOf` looks at. */
export const MAGIC_BYTES = 6;

/** By the first bytes; what isn't known as compressed is taken as it is. @throws `invalid` for bzip2 and xz, which are not taken */
export function compressionOf(start: Uint8Array): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd) return 'zstd';
  if (start[0] === 0x42 && start[1] === 0x5a && start[2] === 0x68) throw unsupported('bzip2', 'bunzip2');
  if (start[0] === 0xfd && start[1] === 0x37 && start[2] === 0x7a && start[3] === 0x58 && start[4] === 0x5a) {
    throw unsupported('xz', 'unxz');
  }
  return 'none';
}

function unsupported(kind: string, tool: string): LongshoreError {
  return new LongshoreError('invalid', `the archive is compressed with ${kind}, which is not supported`, {
    remedy: `Unpack it first with ${tool}, or compress it with gzip or zstd.`,
  });
}

/** Pieces of up to 256 KiB of what `source` holds, unpacked. */
export async function* decompress(source: Readable, compression: Compression): AsyncGenerator<Buffer, void, void> {
  if (compression === 'none') {
    yield* source as AsyncIterable<Buffer>;
    return;
  }
  const unpack = compression === 'gzip' ? createGunzip({ chunkSize: 256 * 1024 }) : createZstdDecompress({ chunkSize: 256 * 1024 });
  source.on('error', (error) => unpack.destroy(error));
  source.pipe(unpack);
  try {
    yield* unpack as AsyncIterable<Buffer>;
  } catch (error) {
    if (isZlib(error)) throw new LongshoreError('invalid', `the ${compression} data is damaged: ${error.message}`, { cause: error });
    throw error;
  } finally {
    unpack.destroy();
    source.destroy();
  }
}

function isZlib(error: unknown): error is Error {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && (code.startsWith('Z_') || code.startsWith('ZSTD_') || code === 'ERR_TRAILING_JUNK_AFTER_STREAM_END');
}

/** Opens a file and looks what it is. */
export async function openCompressed(path: string): Promise<{ readonly source: Readable; readonly compression: Compression }> {
  const file = await open(path, 'r');
  try {
    const start = Buffer.alloc(MAGIC_BYTES);
    const { bytesRead } = await file.read(start, 0, MAGIC_BYTES, 0);
    const compression = compressionOf(start.subarray(0, bytesRead));
    return { compression, source: createReadStream('', { fd: file, start: 0, highWaterMark: 512 * 1024 }) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The beginning of a stream, and the stream with it back in place. */
export async function peek(source: AsyncIterable<Uint8Array>): Promise<{ readonly start: Buffer; readonly whole: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let length = 0;
  while (length < MAGIC_BYTES) {
    const piece = await iterator.next();
    if (piece.done) break;
    held.push(piece.value);
    length += piece.value.length;
  }
  const whole = (async function* (): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* held;
      for (let piece = await iterator.next(); !piece.done; piece = await iterator.next()) yield piece.value;
    } finally {
      await iterator.return?.();
    }
  })();
  return { start: Buffer.concat(held).subarray(0, MAGIC_BYTES), whole };
}
