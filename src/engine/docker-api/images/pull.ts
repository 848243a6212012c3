import type { ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Platform, TransferProgress } from '../../images/images.ts';
import { parsePlatform } from '../../images/manifest.ts';
import { applyChanges } from '../../containers/commit.ts';
import { JsonLines } from '../answers.ts';
import { uncompressed } from '../containers/archive.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest } from '../request.ts';
import { credentialsOf } from './credentials.ts';
import { familiar, joinReference } from './names.ts';

/** Progress of one layer is sent this often at most; a terminal can't show more. */
const PROGRESS_INTERVAL_MS = 100;

/** `POST /images/create`: pulls (`fromImage`), or imports a root file system (`fromSrc`). */
export async function createImage(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const from = request.query.get('fromImage');
  if (from) {
    await pull(deps, request, response, joinReference(from, request.query.get('tag')));
    return;
  }
  const source = request.query.get('fromSrc');
  if (!source) throw new LongshoreError('invalid', 'neither fromImage nor fromSrc was given');
  const platform = platformOf(request.query.get('platform'));
  const lines = new JsonLines(response);
  try {
    const repository = request.query.get('repo') ?? '';
    const message = request.query.get('message') ?? '';
    const tar = source === '-' ? request.raw : await download(source, request.signal);
    const changes = request.query.getAll('changes').flatMap((line) => line.split('\n')).filter((line) => line.trim() !== '');
    const image = await deps.images.import(await uncompressed(tar), {
      config: applyChanges({}, changes),
      ...(repository === '' ? {} : { reference: joinReference(repository, request.query.get('tag')) }),
      ...(platform === undefined ? {} : { platform }),
      message: message || `Imported from ${source}`,
    });
    await lines.send({ status: image.id });
    lines.end();
  } catch (error) {
    lines.fail(error);
  }
}

function download(address: string, signal: AbortSignal): Promise<Readable> {
  const url = URL.parse(address.includes('://') ? address : `http://${address}`);
  if (url === null) {
    throw new LongshoreError('invalid', `can't import from ${JSON.stringify(address)}: it is no address`, { object: address });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new LongshoreError('invalid', `can't import from ${url.protocol}//`, { object: address });
  }
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, { signal }, (answer) => {
      if (answer.statusCode === 200) {
        resolve(answer);
      } else {
        reject(
          new LongshoreError(
            answer.statusCode === 404 ? 'not-found' : 'unavailable',
            `${address} answered with status ${answer.statusCode ?? 0}`,
            { object: address },
          ),
        );
      }
    });
    outgoing.once('error', (error) =>
      reject(new LongshoreError('unavailable', `${address} can't be read: ${error.message}`, { object: address, cause: error })),
    );
    outgoing.end();
  });
}

async function pull(deps: Deps, request: ApiRequest, response: ServerResponse, reference: string): Promise<void> {
  const lines = new JsonLines(response);
  const platform = platformOf(request.query.get('platform'));
  const credentials = credentialsOf(request.raw.headers);
  try {
    const before = await deps.images.get(reference).catch(() => undefined); // not there yet
    const tag = /@sha256:/.test(reference) ? reference.slice(reference.indexOf('@') + 1) : (/:([^:/]+)$/.exec(reference)?.[1] ?? 'latest');
    const name = familiar(reference).replace(/@.*$/, '').replace(/:[^:/]+$/, '');
    const first = { status: `Pulling from ${name.includes('/') || /\./.test(name) ? name : `library/${name}`}`, id: tag };
    let begun = false;
    const progress = throttled(deps, (event) => {
      if (!begun) {
        begun = true;
        void lines.send(first);
      }
      return lines.send(progressLine(event));
    });
    const image = await deps.images.pull(reference, {
      ...(credentials === undefined ? {} : { credentials }),
      ...(platform === undefined ? {} : { platform }),
      progress,
      signal: request.signal,
    });
    if (!begun) await lines.send(first);
    const digest = image.repoDigests.find((each) => familiar(each).startsWith(name))?.replace(/^.*@/, '') ?? image.manifestDigest;
    await lines.send({ status: `Digest: ${digest}` });
    await lines.send({
      status: `Status: ${before?.id === image.id ? 'Image is up to date for' : 'Downloaded newer image for'} ${familiar(reference)}${/[:@][^/]*$/.test(reference) ? '' : ':latest'}`,
    });
    lines.end();
  } catch (error) {
    // Not 401: upon that the command line asks for a user name, and waits for it in scripts as well.
    if (error instanceof LongshoreError && error.code === 'unauthorized') {
      lines.fail(
        new LongshoreError('not-found', error.message, { cause: error, ...(error.remedy === undefined ? {} : { remedy: error.remedy }) }),
      );
    } else {
      lines.fail(error);
    }
  }
}

/** One line of progress, as the command line draws it. */
export function progressLine(event: TransferProgress): Record<string, unknown> {
  const detail =
    event.current === undefined ? {} : { current: event.current, ...(event.total === undefined ? {} : { total: event.total }) };
  return {
    status: event.status,
    progressDetail: detail,
    ...(event.id === undefined ? {} : { id: event.id }),
    ...(event.current === undefined || !event.total ? {} : { progress: `${event.current}B/${event.total}B` }),
  };
}

/** Lets only some of the events pass that differ by numbers alone. */
export function throttled(deps: Pick<Deps, 'clock'>, send: (event: TransferProgress) => unknown): (event: TransferProgress) => void {
  const last = new Map<string, { status: string; at: number }>();
  return (event) => {
    const key = event.id ?? '';
    const before = last.get(key);
    const now = deps.clock.monotonic();
    if (before !== undefined && before.status === event.status && event.current !== event.total && now - before.at < PROGRESS_INTERVAL_MS) {
      return;
    }
    last.set(key, { status: event.status, at: now });
    send(event);
  };
}

/** `linux/amd64`, `linux/arm/v7`; also as the JSON of newer clients. @throws `invalid` */
export function platformOf(text: string | null): Platform | undefined {
  if (text === null || text === '') return undefined;
  if (text.startsWith('{')) {
    let parsed: Partial<Record<string, unknown>>;
    try {
      parsed = JSON.parse(text) as Partial<Record<string, unknown>>;
    } catch (error) {
      throw new LongshoreError('invalid', 'failed to parse platform: not JSON', { cause: error });
    }
    const { os, architecture, variant } = parsed;
    if (typeof os !== 'string' || typeof architecture !== 'string' || os === '' || architecture === '') {
      throw new LongshoreError('invalid', 'both OS and Architecture must be provided');
    }
    return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
  }
  return parsePlatform(text);
}
