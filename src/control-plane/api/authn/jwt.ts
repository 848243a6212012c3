import { createHash, sign, verify, type KeyObject } from 'node:crypto';
import { unauthorized } from '../errors.ts';

/** A key of ours, with the name that a token's header carries (RFC 7515, `kid`). */
export interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export type Claims = Readonly<Record<string, unknown>>;

const LONGEST_TOKEN = 16_384;

/** Names a key as upstream does: the URL-safe base64 of the SHA-256 of its DER. */
export function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64url');
}

/** Signs claims as a JWT with ES256 (RFC 7519, RFC 7518, section 3.4). */
export function signJwt(claims: Claims, key: SigningKey): string {
  const head = encode({ alg: 'ES256', kid: key.id });
  const body = `${head}.${encode(claims)}`;
  return `${body}.${sign('sha256', Buffer.from(body), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/**
 * Checks the signature and returns the claims, nothing else of which is
 * checked. The algorithm is that of the key which `kid` names, whatever the
 * header says: neither `none` nor an HMAC with the public key gets through.
 * @throws StatusError 401
 */
export function verifyJwt(token: string, keys: readonly SigningKey[]): Claims {
  if (token.length > LONGEST_TOKEN) throw unauthorized();
  const [head, body, signature, ...rest] = token.split('.');
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) throw unauthorized();
  const header = decode(head);
  const candidates = typeof header.kid === 'string' ? keys.filter((key) => key.id === header.kid) : keys;
  const bytes = Buffer.from(signature, 'base64url');
  for (const key of candidates) {
    const rsa = key.publicKey.asymmetricKeyType === 'rsa';
    if (header.alg !== (rsa ? 'RS256' : 'ES256')) continue;
    const good = rsa
      ? verify('sha256', Buffer.from(`${head}.${body}`), key.publicKey, bytes)
      : verify('sha256', Buffer.from(`${head}.${body}`), { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, bytes);
    if (good) return decode(body);
  }
  throw unauthorized();
}

/** Whether a bearer token has the form of a JWT with this issuer; the signature is not looked at. */
export function claimsIssuer(token: string): string | undefined {
  if (token.length > LONGEST_TOKEN) return undefined;
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const issuer = decode(parts[1]!).iss;
    return typeof issuer === 'string' ? issuer : undefined;
  } catch {
    return undefined; // Not a JWT: some other kind of token, which others may know.
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Claims {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Claims;
  } catch {
    // Falls through to the refusal below, which says no more than that: a token is never told what was wrong with it.
  }
  throw unauthorized();
}

/** The public half as a JSON Web Key (RFC 7517), for /openid/v1/jwks. */
export function jwkOf(key: SigningKey): Record<string, unknown> {
  const jwk = key.publicKey.export({ format: 'jwk' });
  return { use: 'sig', ...jwk, kid: key.id, alg: key.publicKey.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256' };
}
