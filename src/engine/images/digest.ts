import { createHash } from 'node:crypto';
import { LongshoreError } from '../../lib/errors.ts';

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** True for `sha256:` and 64 hexadecimal digits in lower case: the one algorithm that is kept here. */
export function isDigest(text: string): boolean {
  return SHA256.test(text);
}

/** @throws `invalid` */
export function checkDigest(digest: string): string {
  if (!isDigest(digest)) {
    throw new LongshoreError('invalid', `invalid digest ${JSON.stringify(digest)}: want sha256 and 64 hexadecimal digits`);
  }
  return digest;
}

/** The hexadecimal part. @throws `invalid` */
export function hexOf(digest: string): string {
  return checkDigest(digest).slice(7);
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The first 12 hexadecimal digits, as progress and `docker images` show them. */
export function shortId(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/**
 * The chain ids of a stack of layers, base first (OCI image-spec, config.md,
 * "Layer ChainID"): the first is the diff id, each next is the digest of its parent's chain id, a
 * space, and its diff id.
 */
export function chainIds(diffIds: readonly string[]): string[] {
  const out: string[] = [];
  for (const diffId of diffIds) out.push(chainOf(out.at(-1), diffId));
  return out;
}

export function chainOf(parent: string | undefined, diffId: string): string {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}
