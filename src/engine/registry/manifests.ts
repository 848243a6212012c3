import { isCode, messageOf } from '../../lib/errors.ts';
import type { ContentStore } from '../images/images.ts';
import type { RegistryBacking } from '../images/registry-backing.ts';
import { OCI_INDEX } from '../images/media-types.ts';
import { RegistryError, sendEmpty, sendJson } from './answers.ts';
import type { Exchange } from './answers.ts';

const MANIFEST_BYTES = 4 << 20;
const REFERENCE = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64})$/;

/** GET, HEAD, PUT and DELETE of a manifest, by tag or digest. */
export async function serveManifest(content: ContentStore, backing: RegistryBacking, exchange: Exchange, reference: string): Promise<void> {
  const { host, method, repository, request, response } = exchange;
  if (!REFERENCE.test(reference)) {
    throw new RegistryError(
      reference.includes(':') ? 'DIGEST_INVALID' : 'MANIFEST_INVALID',
      `${JSON.stringify(reference)} is neither a tag nor a sha256 digest`,
    );
  }
  switch (method) {
    case 'GET':
    case 'HEAD': {
      const found = await backing.manifest(repository, reference, host);
      if (!found) throw new RegistryError('MANIFEST_UNKNOWN', `manifest unknown: ${repository} has no ${reference}`);
      response.writeHead(200, {
        'Content-Type': found.mediaType,
        'Content-Length': found.size,
        'Docker-Content-Digest': found.digest,
        ETag: `"${found.digest}"`,
      });
      response.end(method === 'HEAD' ? undefined : await content.read(found.digest));
      return;
    }
    case 'PUT': {
      const pieces: Buffer[] = [];
      let size = 0;
      for await (const piece of request as AsyncIterable<Buffer>) {
        size += piece.length;
        if (size > MANIFEST_BYTES) throw new RegistryError('SIZE_INVALID', `a manifest may have ${MANIFEST_BYTES} bytes`);
        pieces.push(piece);
      }
      const mediaType = (request.headers['content-type'] ?? '').split(';')[0]!.trim();
      try {
        const put = await backing.put(
          repository,
          reference,
          mediaType === 'application/json' ? '' : mediaType,
          Buffer.concat(pieces),
          host,
        );
        sendEmpty(response, 201, {
          Location: `/v2/${repository}/manifests/${put.digest}`,
          'Docker-Content-Digest': put.digest,
          ...(put.subject === undefined ? {} : { 'OCI-Subject': put.subject }),
        });
      } catch (error) {
        if (isCode(error, 'not-found')) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', messageOf(error));
        if (isCode(error, 'invalid')) throw new RegistryError('MANIFEST_INVALID', messageOf(error));
        throw error;
      }
      return;
    }
    case 'DELETE':
      if (!(await backing.remove(repository, reference, host))) {
        throw new RegistryError('MANIFEST_UNKNOWN', `manifest unknown: ${repository} has no ${reference} that was pushed here`);
      }
      sendEmpty(response, 202);
      return;
    default:
      throw new RegistryError('UNSUPPORTED', `${method} is not known for a manifest`);
  }
}

/** GET of what refers to a manifest (distribution-spec, "Listing Referrers"). */
export function serveReferrers(backing: RegistryBacking, { query, repository, response }: Exchange, digest: string): void {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new RegistryError('DIGEST_INVALID', `invalid digest ${JSON.stringify(digest)}`);
  const wanted = query.get('artifactType');
  const manifests = backing.referrers(repository, digest).filter((entry) => wanted === null || entry.artifactType === wanted);
  sendJson(
    response,
    200,
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests },
    { 'Content-Type': OCI_INDEX, ...(wanted === null ? {} : { 'OCI-Filters-Applied': 'artifactType' }) },
  );
}
