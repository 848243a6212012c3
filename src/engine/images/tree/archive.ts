import { closeSync, openSync, readSync } from 'node:fs';
import { gunzipSync, constants as zlib, zstdDecompressSync } from 'node:zlib';
import { openInRootSync } from '../../../host/beneath.ts';
import { TarParser } from '../../../lib/tar.ts';
import { compressionOf, decompress, openCompressed } from '../layers/compression.ts';
import { Extractor } from '../layers/extract.ts';
import { readable } from '../layers/unpack-job.ts';
import { makeTreeFolder } from './folder-jobs.ts';
import { FOLDER } from './source.ts';

export interface ExtractInto {
  /** The archive's real path. */
  readonly archive: string;
  readonly into: string;
  readonly destination: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly maxBytes: number;
}

/**
 * Unpacks an archive into a folder of a root, as ADD does.
 * @returns false when the file is no tar archive, compressed or not. @throws `invalid`, `too-large`
 */
export async function extractArchive(job: ExtractInto, signal: AbortSignal): Promise<boolean> {
  if (!isArchive(job.archive)) return false;
  makeTreeFolder({ kind: 'tree-folder', root: job.into, path: job.destination, owner: job.owner ?? { uid: 0, gid: 0 } });
  const fd = openInRootSync(job.into, job.destination === '' ? '.' : job.destination, FOLDER);
  const { source, compression } = await openCompressed(job.archive);
  try {
    const extractor = new Extractor(`/proc/self/fd/${fd}`, { whiteouts: 'none', maxBytes: job.maxBytes, ...(job.owner ? { owner: job.owner } : {}) });
    try {
      const parser = new TarParser(extractor);
      for await (const piece of decompress(source, compression)) {
        signal.throwIfAborted();
        parser.write(piece);
      }
      parser.end();
      extractor.finish();
    } catch (error) {
      throw readable(error);
    } finally {
      extractor.close();
    }
  } finally {
    source.destroy();
    closeSync(fd);
  }
  return true;
}

/** Looks at the beginning: a tar's first header has the sum of its own bytes in it. */
function isArchive(path: string): boolean {
  const fd = openSync(path, 'r');
  let start: Buffer;
  try {
    const buffer = Buffer.alloc(64 * 1024);
    start = buffer.subarray(0, readSync(fd, buffer));
  } finally {
    closeSync(fd);
  }
  const compression = compressionOf(start);
  let plain = start;
  try {
    if (compression === 'gzip') plain = gunzipSync(start, { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: 64 << 20 });
    else if (compression === 'zstd') plain = zstdDecompressSync(start, { finishFlush: zlib.ZSTD_e_flush, maxOutputLength: 64 << 20 });
  } catch {
    // Whatever it is, it can't be unpacked.
    return false;
  }
  if (plain.length < 512 || plain[0] === 0) return false;
  let sum = 256;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += plain[i]!;
  return parseInt(plain.toString('latin1', 148, 156).replaceAll('\0', ' ').trim(), 8) === sum;
}
