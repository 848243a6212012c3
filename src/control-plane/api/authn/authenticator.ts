import type { UserInfo } from '../contract.ts';
import { unauthorized } from '../errors.ts';
import { certificateSubject } from '../pki/certificate.ts';
import type { BootstrapTokens } from './bootstrap-tokens.ts';
import { claimsIssuer } from './jwt.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';
import { ANONYMOUS, authenticated } from './users.ts';

/** What a request shows of who sends it. The TLS layer has verified the certificate already. */
export interface Shown {
  readonly clientCertificate: Buffer | undefined;
  readonly badCertificate: boolean;
  /** The Authorization header. */
  readonly authorization: string | undefined;
  /**
   * Kept for the connection: its last header and the token in it. A token that comes again is the same string, whose
   * hash is known; who it speaks for is asked anew each time.
   */
  readonly bearer?: { header: string; token: string };
}

/** Finds out who sends a request. X-Remote-User and its like are no credentials here. */
export class Authenticator {
  readonly #staticTokens: ReadonlyMap<string, UserInfo>;
  readonly #serviceAccounts: ServiceAccountTokens;
  readonly #bootstrap: BootstrapTokens;
  readonly #anonymous: boolean;
  /** One user for one connection's certificate: later steps recognise the object. */
  readonly #ofCertificate = new WeakMap<Buffer, UserInfo>();

  constructor(parts: {
    readonly staticTokens: ReadonlyMap<string, UserInfo>;
    readonly serviceAccounts: ServiceAccountTokens;
    readonly bootstrap: BootstrapTokens;
    readonly anonymous: boolean;
  }) {
    this.#staticTokens = new Map([...parts.staticTokens].map(([token, user]) => [token, authenticated(user)]));
    this.#serviceAccounts = parts.serviceAccounts;
    this.#bootstrap = parts.bootstrap;
    this.#anonymous = parts.anonymous;
  }

  /** A certificate wins over a token. @throws StatusError 401 for credentials that do not hold */
  authenticate(shown: Shown): UserInfo {
    if (shown.badCertificate) throw unauthorized();
    if (shown.clientCertificate !== undefined) return this.#byCertificate(shown.clientCertificate);
    const token = tokenOf(shown.authorization, shown.bearer);
    if (token !== '') return this.byToken(token).user;
    // No credentials of a kind that is known here: nobody in particular.
    if (!this.#anonymous) throw unauthorized();
    return ANONYMOUS;
  }

  /**
   * @param audiences for a service account's token; left out, those of this API server
   * @throws StatusError 401
   */
  byToken(token: string, audiences?: readonly string[]): { readonly user: UserInfo; readonly audiences: readonly string[] } {
    if (token === '') throw unauthorized();
    const known = this.#staticTokens.get(token);
    const own = this.#serviceAccounts.audiences;
    const shared = audiences === undefined ? own : audiences.filter((audience) => own.includes(audience));
    if (known !== undefined && shared.length > 0) return { user: known, audiences: shared };
    if (this.#serviceAccounts.knows(token) || claimsIssuer(token) === this.#serviceAccounts.issuer) {
      return this.#serviceAccounts.verify(token, audiences ?? own);
    }
    const joining = this.#bootstrap.authenticate(token);
    if (joining === undefined || shared.length === 0) throw unauthorized();
    return { user: joining, audiences: shared };
  }

  #byCertificate(der: Buffer): UserInfo {
    const known = this.#ofCertificate.get(der);
    if (known !== undefined) return known;
    const subject = certificateSubject(der);
    if (subject.commonName === '') throw unauthorized();
    const user = authenticated({ name: subject.commonName, groups: subject.organizations });
    this.#ofCertificate.set(der, user);
    return user;
  }
}

/** The token of a header of type Bearer; '' without one. */
function tokenOf(header: string | undefined, kept: Shown['bearer']): string {
  if (header === undefined) return '';
  if (kept !== undefined && kept.header === header) return kept.token;
  const space = header.indexOf(' ');
  const token = space > 0 && header.slice(0, space).toLowerCase() === 'bearer' ? header.slice(space + 1).trim() : '';
  if (kept !== undefined) {
    kept.header = header;
    kept.token = token;
  }
  return token;
}
