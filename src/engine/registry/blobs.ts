import { pipeline } from 'node:stream/promises';
import type { ContentStore } from '../images/images.ts';
import { isDigest } from '../images/digest.ts';
import { RegistryError } from './answers.ts';
import type { Exchange } from './answers.ts';

/** GET and HEAD of a blob, with one byte range (RFC 9110, section 14.2). */
export async function serveBlob(content: ContentStore, exchange: Exchange, digest: string): Promise<void> {
  const { method, request, response } = exchange;
  if (!isDigest(digest)) throw new RegistryError('DIGEST_INVALID', `invalid digest ${JSON.stringify(digest)}`);
  if (method !== 'GET' && method !== 'HEAD') {
    throw new RegistryError('UNSUPPORTED', 'a blob is deleted by garbage collection, when no manifest refers to it');
  }
  const size = await content.size(digest);
  if (size === undefined) throw new RegistryError('BLOB_UNKNOWN', `blob unknown to registry: ${digest}`);
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'max-age=31536000',
  };
  const range = rangeOf(request.headers.range, size);
  if (range === 'invalid') {
    throw new RegistryError('RANGE_INVALID', 'the range lies outside of the blob', { 'Content-Range': `bytes */${size}` });
  }
  if (range) {
    response.writeHead(206, {
      ...headers,
      'Content-Length': range.end - range.start + 1,
      'Content-Range': `bytes ${range.start}-${range.end}/${size}`,
    });
  } else {
    response.writeHead(200, { ...headers, 'Content-Length': size });
  }
  if (method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  await pipeline(await content.stream(digest, range), response);
}

/** undefined: the whole. Several ranges, and other units, are answered with the whole, as the RFC allows. */
function rangeOf(header: string | undefined, size: number): { readonly start: number; readonly end: number } | 'invalid' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const last = Math.min(Number(match[2]), size);
    return last === 0 ? 'invalid' : { start: size - last, end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start >= size || start > end ? 'invalid' : { start, end };
}
