import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { LongshoreError } from '../../../lib/errors.ts';
import { exportRoot } from '../../containers/archive.ts';
import type { PathStat } from '../../containers/containers.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';

const STAT_HEADER = 'X-Docker-Container-Path-Stat';

function encodeStat(stat: PathStat): string {
  return Buffer.from(
    JSON.stringify({
      name: stat.name,
      size: stat.size,
      mode: stat.mode,
      mtime: new Date(stat.mtimeMs).toISOString(),
      linkTarget: stat.linkTarget,
    }),
  ).toString('base64');
}

function pathOf(request: ApiRequest): string {
  const path = request.query.get('path');
  if (!path) throw new LongshoreError('invalid', 'bad parameter: path cannot be empty');
  return path.startsWith('/') ? path : `/${path}`;
}

/** `HEAD /containers/{name}/archive`. */
export async function statArchive(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const stat = await deps.containers.statPath(request.params['name']!, pathOf(request));
  response.writeHead(200, { [STAT_HEADER]: encodeStat(stat) }).end();
}

/** `GET /containers/{name}/archive`. */
export async function getArchive(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const container = deps.containers.get(request.params['name']!);
  const { stat, tar } = await deps.containers.archive(request.params['name']!, pathOf(request));
  deps.containers.announce(container.id, 'archive-path');
  response.writeHead(200, { 'Content-Type': 'application/x-tar', [STAT_HEADER]: encodeStat(stat) });
  await pipeline(tar(), response);
}

/** `PUT /containers/{name}/archive`. */
export async function putArchive(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  await deps.containers.extract(request.params['name']!, pathOf(request), await uncompressed(request.raw), {
    noOverwriteDirNonDir: request.flag('noOverwriteDirNonDir'),
    copyUidGid: request.flag('copyUIDGID'),
  });
  return {};
}

/** `GET /containers/{name}/export`: the whole root. */
export async function exportContainer(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const container = deps.containers.get(request.params['name']!);
  await deps.containers.withRoot(container.id, async (rootfs) => {
    response.writeHead(200, { 'Content-Type': 'application/x-tar' });
    await pipeline(Readable.from(exportRoot(rootfs), { objectMode: false, highWaterMark: 256 * 1024 }), response);
  });
  deps.containers.announce(container.id, 'export');
}

/** A tar that may be compressed with gzip or zstd, told by its first bytes. */
export async function uncompressed(source: Readable): Promise<Readable> {
  const first = await firstBytes(source);
  if (first.length >= 2 && first[0] === 0x1f && first[1] === 0x8b) return piped(source, createGunzip());
  if (first.length >= 4 && first.readUInt32LE(0) === 0xfd2fb528) return piped(source, createZstdDecompress());
  return source;
}

function piped(source: Readable, through: NodeJS.ReadWriteStream): Readable {
  // A failure of either comes out at the reader of the second.
  pipeline(source, through).catch(() => undefined);
  return through as unknown as Readable;
}

async function firstBytes(source: Readable): Promise<Buffer> {
  let seen = Buffer.alloc(0);
  while (seen.length < 4) {
    const piece = (source.read() as Buffer | null) ?? undefined;
    if (piece !== undefined) {
      seen = Buffer.concat([seen, piece]);
      continue;
    }
    if (source.readableEnded) break;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        source.removeListener('readable', done);
        source.removeListener('end', done);
        source.removeListener('close', done);
        resolve();
      };
      source.once('readable', done);
      source.once('end', done);
      source.once('close', done);
    });
    if (source.destroyed) break;
  }
  if (seen.length > 0) source.unshift(seen);
  return seen;
}
