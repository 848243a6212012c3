import { uuid, type Random } from '../../../lib/random.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import type { UserInfo } from '../contract.ts';
import { unauthorized } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import { signJwt, verifyJwt, type Claims, type SigningKey } from './jwt.ts';
import { serviceAccountUser } from './users.ts';

/** Clocks may differ so much (seconds). */
const LEEWAY_S = 60;
const KEPT = 4096;

/** What a token is bound to besides its account: it dies with it. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node';
  readonly name: string;
  readonly uid: string;
}

export interface TokenSpec {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly bound?: BoundObject;
  /** The node that the bound pod runs on. */
  readonly node?: { readonly name: string; readonly uid: string };
}

interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid: string };
}

interface Known {
  readonly claims: Claims;
  readonly own: PrivateClaims;
  user: UserInfo | undefined;
  /** The audiences that it has in common with this API server. */
  shared: readonly string[] | undefined;
}

/** Issues and verifies service-account tokens: JWTs that name the account, their audience, and what they are bound to. */
export class ServiceAccountTokens {
  readonly issuer: string;
  /** The audiences of this API server: a token for none of them is refused here. */
  readonly audiences: readonly string[];
  readonly keys: readonly SigningKey[];
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Tokens whose signature was found good: verifying one costs a tenth of a millisecond. */
  readonly #known = new Map<string, Known>();

  constructor(parts: {
    readonly issuer: string;
    readonly audiences: readonly string[];
    readonly keys: readonly SigningKey[];
    readonly lookup: Lookup;
    readonly clock: Clock;
    readonly random: Random;
  }) {
    this.issuer = parts.issuer;
    this.audiences = parts.audiences;
    this.keys = parts.keys;
    this.#lookup = parts.lookup;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** @returns the token and when it ends, in milliseconds since the epoch */
  issue(spec: TokenSpec): { readonly token: string; readonly expires: number } {
    const now = Math.floor(this.#clock.now() / 1000);
    const own: PrivateClaims = {
      namespace: spec.namespace,
      ...(spec.node && { node: spec.node }),
      ...(spec.bound && { [spec.bound.kind.toLowerCase()]: { name: spec.bound.name, uid: spec.bound.uid } }),
      serviceaccount: { name: spec.name, uid: spec.uid },
    };
    const expires = now + spec.expirationSeconds;
    const token = signJwt({
      aud: spec.audiences, exp: expires, iat: now, iss: this.issuer, jti: uuid(this.#random), 'kubernetes.io': own, nbf: now,
      sub: `system:serviceaccount:${spec.namespace}:${spec.name}`,
    }, this.keys[0]!);
    return { token, expires: expires * 1000 };
  }

  /**
   * Who a token speaks for, if all of it still holds: signature, issuer, time,
   * audience, and that account and bound object live on with the same uid.
   * @param audiences one of them must be among the token's
   * @returns the user, and the audiences that both sides named
   * @throws StatusError 401
   */
  verify(token: string, audiences: readonly string[] = this.audiences): { readonly user: UserInfo; readonly audiences: readonly string[] } {
    const known = this.#check(token);
    const { claims, own } = known;
    const now = this.#clock.now() / 1000;
    if (typeof claims.exp !== 'number' || claims.exp < now) throw unauthorized();
    if (typeof claims.nbf === 'number' && claims.nbf > now + LEEWAY_S) throw unauthorized();
    if (typeof claims.iat === 'number' && claims.iat > now + LEEWAY_S) throw unauthorized();
    const shared = audiences === this.audiences ? (known.shared ??= sharedOf(claims, audiences)) : sharedOf(claims, audiences);
    if (shared.length === 0) throw unauthorized();
    this.#mustLive('serviceaccounts', own.namespace, own.serviceaccount);
    if (own.pod !== undefined) this.#mustLive('pods', own.namespace, own.pod);
    if (own.secret !== undefined) this.#mustLive('secrets', own.namespace, own.secret);
    if (own.node !== undefined && own.pod === undefined) this.#mustLive('nodes', undefined, own.node);
    return { user: (known.user ??= userOf(claims, own)), audiences: shared };
  }

  /** Whether this token's signature was found good before: it is surely one of ours. */
  knows(token: string): boolean {
    return this.#known.has(token);
  }

  /** The audiences that a token of ours names, whatever else may be wrong with it; undefined when its signature is not ours. */
  audiencesOf(token: string): readonly string[] | undefined {
    try {
      const { aud } = this.#check(token).claims;
      return (Array.isArray(aud) ? aud : [aud]).map(String);
    } catch (error) {
      if (isReason(error, 'Unauthorized')) return undefined;
      throw error;
    }
  }

  #check(token: string): Known {
    const known = this.#known.get(token);
    if (known !== undefined) return known;
    const claims = verifyJwt(token, this.keys);
    if (claims.iss !== this.issuer) throw unauthorized();
    const own = claims['kubernetes.io'] as PrivateClaims | undefined;
    if (typeof own?.namespace !== 'string' || typeof own.serviceaccount?.name !== 'string' || typeof own.serviceaccount.uid !== 'string') {
      throw unauthorized();
    }
    if (claims.sub !== `system:serviceaccount:${own.namespace}:${own.serviceaccount.name}`) throw unauthorized();
    const made: Known = { claims, own, user: undefined, shared: undefined };
    if (this.#known.size >= KEPT) this.#known.clear();
    this.#known.set(token, made);
    return made;
  }

  #mustLive(resource: string, namespace: string | undefined, reference: { readonly name: string; readonly uid: string }): void {
    const object = this.#lookup.get<KubeObject>('', resource, namespace, reference.name);
    if (object === undefined || object.metadata?.uid !== reference.uid) throw unauthorized();
    const deleted = object.metadata.deletionTimestamp;
    // A pod that is asked to end may still use its token while it does; LEEWAY_S past its end it may not.
    if (deleted !== undefined && Date.parse(deleted) + LEEWAY_S * 1000 < this.#clock.now()) throw unauthorized();
  }
}

function sharedOf(claims: Claims, audiences: readonly string[]): readonly string[] {
  const named = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  return audiences.filter((audience) => named.includes(audience));
}

function userOf(claims: Claims, own: PrivateClaims): UserInfo {
  const extra: Record<string, readonly string[]> = {};
  if (typeof claims.jti === 'string') extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`];
  if (own.node !== undefined) {
    extra['authentication.kubernetes.io/node-name'] = [own.node.name];
    extra['authentication.kubernetes.io/node-uid'] = [own.node.uid];
  }
  if (own.pod !== undefined) {
    extra['authentication.kubernetes.io/pod-name'] = [own.pod.name];
    extra['authentication.kubernetes.io/pod-uid'] = [own.pod.uid];
  }
  return serviceAccountUser(own.namespace, own.serviceaccount.name, own.serviceaccount.uid, extra);
}
