import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { Undo } from '../../../lib/undo.ts';
import { resolveUser } from '../../containers/users.ts';
import { DockerfileError } from '../dockerfile/error.ts';
import type { StepProgress } from './progress.ts';
import type { BuildParts } from './request.ts';

/** The owner that `--chown` names, by the names of the tree it is for. */
export async function ownerOf(root: string, chown: string | undefined): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (chown === undefined || chown === '') return undefined;
  const { uid, gid } = await resolveUser(root, chown);
  // A number alone is the group's too.
  return { uid, gid: !chown.includes(':') && /^\d+$/.test(chown) ? uid : gid };
}

/** The bits of `--chmod`. @throws DockerfileError for anything but an octal number */
export function modeOf(chmod: string | undefined, line: number): number | undefined {
  if (chmod === undefined || chmod === '') return undefined;
  if (!/^[0-7]{1,5}$/.test(chmod)) {
    throw new DockerfileError(`invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`, line);
  }
  return parseInt(chmod, 8);
}

export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

export function isGit(source: string): boolean {
  return /^git(?:@|:\/\/)|^ssh:\/\//.test(source) || /^https?:\/\/[^#]+\.git(?:#|\?|$)/.test(source);
}

const DOWNLOAD_BYTES = 16 * 1024 ** 3;

export interface Downloaded {
  readonly root: string;
  readonly name: string;
  readonly digest: string;
  readonly remove: Undo;
}

/** Fetches the file of `ADD https://…` into a folder of its own. @throws `unavailable`, `not-found`, `invalid` (checksum) */
export async function download(parts: BuildParts, address: string, checksum: string | undefined, step: StepProgress, signal: AbortSignal): Promise<Downloaded> {
  const url = URL.parse(address);
  if (!url || url.username !== '') throw new LongshoreError('invalid', `invalid address ${JSON.stringify(address)}`, { object: address });
  const name = basename(decodeURIComponent(url.pathname)).replaceAll(/[/\0]/g, '') || 'index.html';
  await mkdir(join(parts.folder, 'downloads'), { recursive: true, mode: 0o700 });
  const root = await mkdtemp(join(parts.folder, 'downloads/'));
  const remove = (): Promise<void> => rm(root, { recursive: true, force: true });
  try {
    const response = await fetch(url, { signal, headers: { 'User-Agent': 'longshore' } });
    if (!response.ok || !response.body) {
      throw new LongshoreError(
        response.status === 404 ? 'not-found' : 'unavailable',
        `invalid response status ${response.status} of ${address}`,
        { object: address },
      );
    }
    const total = Number(response.headers.get('content-length') ?? 0);
    const hash = createHash('sha256');
    let bytes = 0;
    const counted = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of source) {
        bytes += piece.length;
        if (bytes > DOWNLOAD_BYTES) {
          throw new LongshoreError('too-large', `${address} has more than ${DOWNLOAD_BYTES} bytes`, { object: address });
        }
        hash.update(piece);
        step.status(`downloading ${name}`, bytes, total, false);
        yield piece;
      }
    };
    await pipeline(Readable.fromWeb(response.body), counted, createWriteStream(join(root, name), { mode: 0o600, flags: 'wx' }));
    const digest = `sha256:${hash.digest('hex')}`;
    if (checksum !== undefined && checksum !== digest) {
      throw new LongshoreError('invalid', `digest mismatch ${digest}: ${checksum} expected for ${address}`, { object: address });
    }
    const modified = Date.parse(response.headers.get('last-modified') ?? '');
    await utimes(join(root, name), (modified || 0) / 1000, (modified || 0) / 1000);
    step.status(`downloading ${name}`, bytes, bytes, true);
    return { root, name, digest, remove };
  } catch (error) {
    await remove();
    if (error instanceof LongshoreError || signal.aborted) throw error;
    throw new LongshoreError('unavailable', `can't fetch ${address}: ${messageOf((error as Error).cause ?? error)}`, {
      object: address,
      remedy: "Check the address and this machine's network.",
      cause: error,
    });
  }
}
