import { createHash } from 'node:crypto';
import { LongshoreError } from '../../../lib/errors.ts';
import { isErrno, messageOf } from '../../../lib/errors.ts';
import { TarError, TarParser } from '../../../lib/tar.ts';
import { decompress, openCompressed } from './compression.ts';
import { Extractor } from './extract.ts';
import type { ExtractOptions, Extracted } from './extract.ts';

export interface UnpackJob {
  readonly kind: 'unpack';
  /** The layer's file: a tar, compressed or not. */
  readonly path: string;
  readonly into: string;
  readonly options: ExtractOptions;
  readonly maxEntries: number;
}

export interface Unpacked extends Extracted {
  /** Digest of the uncompressed tar. */
  readonly diffId: string;
}

/** Unpacks a layer into an empty folder and hashes it meanwhile. @throws `invalid`, `too-large`, `exhausted` */
export async function unpackLayer(job: UnpackJob, signal: AbortSignal, progress: (readBytes: number) => void): Promise<Unpacked> {
  const { source, compression } = await openCompressed(job.path);
  let read = 0;
  let reported = 0;
  source.on('data', (piece: Buffer) => {
    read += piece.length;
    if (read - reported >= 4 << 20) progress((reported = read));
  });
  source.pause();
  const extractor = new Extractor(job.into, job.options);
  const parser = new TarParser(extractor, { maxEntries: job.maxEntries });
  const hash = createHash('sha256');
  try {
    for await (const piece of decompress(source, compression)) {
      signal.throwIfAborted();
      hash.update(piece);
      parser.write(piece);
    }
    parser.end();
    return { ...extractor.finish(), diffId: `sha256:${hash.digest('hex')}` };
  } catch (error) {
    throw readable(error);
  } finally {
    extractor.close();
    source.destroy();
  }
}

/** What a failed extraction means to a user. */
export function readable(error: unknown): unknown {
  if (error instanceof LongshoreError) return error;
  if (error instanceof TarError) return new LongshoreError('invalid', error.message, { cause: error });
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new LongshoreError('exhausted', 'no space left on device while unpacking', {
      remedy: 'Free some disk space (docker system prune).',
      cause: error,
    });
  }
  if (isErrno(error, 'ENAMETOOLONG')) {
    return new LongshoreError('invalid', `a name in the archive is too long: ${messageOf(error)}`, { cause: error });
  }
  return error;
}
