import { LongshoreError } from '../../lib/errors.ts';

/** A parsed name of an image, normalised as Docker does: domain and, for Docker Hub, `library/` filled in. */
export interface Reference {
  /** Host with optional port, as in `docker.io` or `localhost:5000`. */
  readonly domain: string;
  /** Repository within the domain, as in `library/busybox`. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

export const DEFAULT_DOMAIN = 'docker.io';

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
export const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const IDENTIFIER = /^[a-f0-9]{64}$/;
const LONGEST_NAME = 255;

/**
 * Parses what a user wrote (grammar: distribution/reference). No tag is added.
 * @throws `invalid` with Docker's words
 */
export function parseReference(text: string): Reference {
  if (IDENTIFIER.test(text)) {
    throw new LongshoreError('invalid', `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  if (text === '' || text.length > 4096) throw malformed();
  let rest = text;
  let digest: string | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    digest = rest.slice(at + 1);
    rest = rest.slice(0, at);
    if (!DIGEST.test(digest)) throw malformed();
    const [algorithm, hex] = digest.split(':') as [string, string];
    const length = { sha256: 64, sha384: 96, sha512: 128 }[algorithm];
    if (length === undefined) throw new LongshoreError('invalid', 'unsupported digest algorithm');
    if (hex.length !== length || hex !== hex.toLowerCase()) throw new LongshoreError('invalid', 'invalid checksum digest length');
  }
  const { domain, remainder } = splitDomain(rest);
  let path = remainder;
  let tag: string | undefined;
  const colon = remainder.lastIndexOf(':');
  if (colon >= 0) {
    path = remainder.slice(0, colon);
    tag = remainder.slice(colon + 1);
    if (!TAG.test(tag)) throw malformed();
  }
  if (path.toLowerCase() !== path) {
    throw new LongshoreError('invalid', `invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (!DOMAIN.test(domain) || !path.split('/').every((part) => COMPONENT.test(part))) throw malformed();
  if (domain.length + 1 + path.length > LONGEST_NAME) {
    throw new LongshoreError('invalid', `repository name must not be more than ${LONGEST_NAME} characters`);
  }
  return { domain, path, tag, digest };
}

/** As parseReference, with `latest` where there is neither tag nor digest. */
export function parseTagged(text: string): Reference {
  const parsed = parseReference(text);
  return parsed.tag === undefined && parsed.digest === undefined ? { ...parsed, tag: 'latest' } : parsed;
}

/** `docker.io/library/busybox`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The full form, as images are kept under: `docker.io/library/busybox:latest`, `…@sha256:…`. With both, the digest decides and the tag is dropped. */
export function fullName(reference: Reference): string {
  const name = repositoryOf(reference);
  if (reference.digest !== undefined) return `${name}@${reference.digest}`;
  return `${name}:${reference.tag ?? 'latest'}`;
}

/** Short, as Docker shows it: `busybox:latest`, `user/app:1`, `localhost:5000/app:1`. Takes a full name. */
export function familiar(full: string): string {
  if (!full.startsWith(`${DEFAULT_DOMAIN}/`)) return full;
  const rest = full.slice(DEFAULT_DOMAIN.length + 1);
  return rest.startsWith('library/') && !rest.slice(8).includes('/') ? rest.slice(8) : rest;
}

/** True for a registry that may be spoken to without TLS: this machine's own. */
export function isLoopbackDomain(domain: string): boolean {
  const host = domain.replace(/:[0-9]+$/, '');
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** The part before the first slash is a host when it looks like one: a dot, a colon, `localhost`, or capitals, which no repository has. */
function splitDomain(name: string): { domain: string; remainder: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  let domain = DEFAULT_DOMAIN;
  let remainder = name;
  if (slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first)) {
    domain = first;
    remainder = name.slice(slash + 1);
  }
  if (domain === 'index.docker.io') domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !remainder.includes('/')) remainder = `library/${remainder}`;
  return { domain, remainder };
}

function malformed(): LongshoreError {
  return new LongshoreError('invalid', 'invalid reference format');
}
