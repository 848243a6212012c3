import { LongshoreError } from '../../../lib/errors.ts';
import { digestOf } from '../digest.ts';
import type { Credentials, Descriptor, Platform } from '../images.ts';
import { parseImageDocument, parseManifest } from '../manifest.ts';
import { DEFAULT_DOMAIN, parseReference, parseTagged } from '../reference.ts';
import { RegistryClient } from './client.ts';
import type { PullParts } from './pull.ts';

const CONFIG_BYTES = 8 << 20;
/** What Docker Hub goes by where users log in. */
const HUB_NAMES = new Set(['', 'index.docker.io', 'registry-1.docker.io', DEFAULT_DOMAIN]);

/**
 * Tries a user's credentials at a registry (`docker login`).
 * @param serverAddress a host, with port or without, or an address of it (`https://index.docker.io/v1/`); empty: Docker Hub
 * @returns the token that the registry wants to see from now on instead of the password, if it gives one
 * @throws `invalid`, `unauthorized`, `unavailable`
 */
export async function logIn(parts: PullParts, serverAddress: string, credentials: Credentials, signal?: AbortSignal): Promise<string | undefined> {
  const client = new RegistryClient({
    http: parts.http,
    clock: parts.clock,
    domain: registryOf(serverAddress),
    repository: '',
    credentials,
    actions: 'none',
    insecure: parts.insecureRegistries,
    ...(signal ? { signal } : {}),
  });
  return await client.ping();
}

/** The registry's host of what a user logs in to. @throws `invalid` */
function registryOf(serverAddress: string): string {
  const host = serverAddress.trim().replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
  if (HUB_NAMES.has(host)) return DEFAULT_DOMAIN;
  let domain: string | undefined;
  try {
    ({ domain } = parseReference(`${host}/any`));
  } catch {
    // Told below, in the words of a login.
  }
  if (domain !== host) {
    throw new LongshoreError('invalid', `unable to parse server address ${JSON.stringify(serverAddress)}: it names no registry`, {
      object: serverAddress,
      remedy: 'Write the registry as HOST or HOST:PORT.',
    });
  }
  return host;
}

/** What a registry has under a name, asked without fetching it (`GET /distribution/…`). @throws as `pull` does */
export async function askRegistry(
  parts: PullParts,
  name: string,
  credentials: Credentials | undefined,
  signal?: AbortSignal,
): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }> {
  const { domain, path, tag, digest } = parseTagged(name);
  const client = new RegistryClient({
    http: parts.http,
    clock: parts.clock,
    domain,
    repository: path,
    actions: 'pull',
    insecure: parts.insecureRegistries,
    ...(credentials ? { credentials } : {}),
    ...(signal ? { signal } : {}),
  });
  const top = await client.manifest(digest ?? tag!);
  const { manifest, index } = parseManifest(top.bytes, top.mediaType === '' ? undefined : top.mediaType);
  const descriptor = { mediaType: (manifest ?? index).mediaType, digest: top.digest, size: top.bytes.length };
  if (index) return { descriptor, platforms: index.manifests.flatMap((entry) => (entry.platform ? [entry.platform] : [])) };
  const { body } = await client.blob(manifest.config, 0);
  const config = await collect(body, CONFIG_BYTES);
  if (digestOf(config) !== manifest.config.digest) {
    throw new LongshoreError(
      'invalid',
      `the registry ${domain} sent a configuration of ${client.name} that is not ${manifest.config.digest}`,
      { object: name },
    );
  }
  const { os, architecture, variant } = parseImageDocument(config);
  return { descriptor, platforms: [{ os, architecture, ...(variant === undefined ? {} : { variant }) }] };
}

async function collect(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new LongshoreError('too-large', `the image's configuration has more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
