import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Credentials } from '../images.ts';
import { readBody, readError } from './http.ts';
import type { HttpClient } from './http.ts';

export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN_BYTES = 1 << 20;
/** The least that a token is trusted to live, when its server doesn't say (distribution's token specification). */
const TOKEN_SECONDS = 60;

/** The challenges of a Www-Authenticate header (RFC 9110, section 11.6.1) that we can answer. */
export function parseChallenges(header: string | undefined): Challenge[] {
  if (header === undefined || header.length > 16_384) return [];
  const out: Challenge[] = [];
  const token = /\s*(?:,\s*)*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  let current: { scheme: string; parameters: Record<string, string> } | undefined;
  for (let match = token.exec(header); match; match = token.exec(header)) {
    const [, name, quoted, plain] = match;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) {
      current = { scheme: name!.toLowerCase(), parameters: Object.create(null) as Record<string, string> };
      if (current.scheme === 'basic' || current.scheme === 'bearer') out.push(current as Challenge);
    } else if (current) current.parameters[name!.toLowerCase()] = value;
    if (token.lastIndex >= header.length) break;
  }
  return out;
}

/**
 * May credentials for `registry` be given to the token server `realm`? Only to the registry itself, or
 * to a neighbour in its own domain (auth.docker.io for registry-1.docker.io); never from an encrypted registry to a plain server.
 */
export function mayTrustRealm(registry: URL, realm: URL): boolean {
  if (realm.protocol !== 'https:' && registry.protocol === 'https:') return false;
  if (realm.host === registry.host) return true;
  if (isAddress(realm.hostname) || isAddress(registry.hostname)) return false;
  const domain = domainOf(registry.hostname);
  return domain !== undefined && domainOf(realm.hostname) === domain;
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^[0-9.]+$/.test(hostname) || hostname === 'localhost';
}

/** The part of a host name that one owner has: the last two labels, three below a country's `co.`, `com.` and the like. */
function domainOf(hostname: string): string | undefined {
  const labels = hostname.split('.');
  if (labels.length < 2) return undefined;
  const [second, first] = [labels.at(-2)!, labels.at(-1)!];
  const wide = first.length === 2 && /^(ac|co|com|edu|gov|net|or|org)$/.test(second);
  return labels.length < (wide ? 3 : 2) ? undefined : labels.slice(wide ? -3 : -2).join('.');
}

/** Answers a registry's challenges, and keeps the tokens that it gets for one registry and one user. */
export class Authenticator {
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #registry: URL;
  readonly #credentials: Credentials;
  readonly #offline: boolean;
  #identityToken: string | undefined;
  readonly #tokens = new Map<string, { readonly token: string; readonly untilMs: number }>();

  /** @param offline of a login: asks token servers for a token to keep instead of the password as well */
  constructor(http: HttpClient, clock: Clock, registry: URL, credentials: Credentials = {}, offline = false) {
    this.#http = http;
    this.#clock = clock;
    this.#registry = registry;
    this.#credentials = credentials;
    this.#offline = offline;
  }

  /** What a token server gave to be kept instead of the password. */
  get identityToken(): string | undefined {
    return this.#identityToken;
  }

  /** The Authorization header that is known to work for a scope, or to begin with. */
  known(scope: string): string | undefined {
    if (this.#credentials.registryToken) return `Bearer ${this.#credentials.registryToken}`;
    const token = this.#tokens.get(scope);
    if (token && token.untilMs > this.#clock.now()) return `Bearer ${token.token}`;
    return this.#tokens.has('basic') ? this.#basic() : undefined;
  }

  /**
   * Answers a 401. @returns the Authorization header to try again with; undefined when there is nothing (more) to offer
   * @throws `unauthorized` when the token server refuses
   */
  async answer(header: string | undefined, scope: string, signal?: AbortSignal): Promise<string | undefined> {
    for (const challenge of parseChallenges(header)) {
      if (challenge.scheme === 'bearer' && challenge.parameters['realm']) return `Bearer ${await this.#token(challenge, scope, signal)}`;
      if (challenge.scheme === 'basic' && this.#credentials.username !== undefined) {
        this.#tokens.set('basic', { token: '', untilMs: Infinity });
        return this.#basic();
      }
    }
    return undefined;
  }

  #basic(): string | undefined {
    const { username, password } = this.#credentials;
    return username === undefined ? undefined : `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
  }

  async #token(challenge: Challenge, wanted: string, signal: AbortSignal | undefined): Promise<string> {
    const realm = parseRealm(challenge.parameters['realm']!);
    if (!realm || (realm.protocol !== 'https:' && this.#registry.protocol === 'https:')) {
      throw new LongshoreError(
        'unauthorized',
        `the registry ${this.#registry.host} names a token server that can't be trusted: ${JSON.stringify(challenge.parameters['realm'])}`,
        { object: `registry ${this.#registry.host}` },
      );
    }
    const trusted = mayTrustRealm(this.#registry, realm);
    if (this.#offline && !trusted && this.#hasCredentials()) {
      throw new LongshoreError(
        'unauthorized',
        `the registry ${this.#registry.host} wants the password sent to ${realm.host}, which does not belong to it`,
        { object: `registry ${this.#registry.host}` },
      );
    }
    const { service } = challenge.parameters;
    const scopes = new Set([...(challenge.parameters['scope']?.split(' ') ?? []), ...wanted.split(' ')].filter((scope) => scope !== ''));
    const response =
      this.#credentials.identityToken && trusted
        ? await this.#refresh(realm, service, scopes, signal)
        : await this.#fetch(realm, service, scopes, trusted, signal);
    if (response.status !== 200) {
      const error = await readError(response);
      const withheld =
        !trusted && this.#hasCredentials() ? ` (credentials were not sent: ${realm.host} does not belong to ${this.#registry.host})` : '';
      throw new LongshoreError(
        'unauthorized',
        `the token server ${realm.host} of the registry ${this.#registry.host} refused: ${error?.message || `status ${response.status}`}${withheld}`,
        { object: `registry ${this.#registry.host}`, remedy: `Log in with docker login ${this.#registry.host}.` },
      );
    }
    const body = parse(await readBody(response, TOKEN_BYTES));
    const token = body['token'] ?? body['access_token'];
    if (typeof token !== 'string' || token === '' || /[^\x21-\x7e]/.test(token)) {
      throw new LongshoreError('unauthorized', `the token server ${realm.host} gave no token`, {
        object: `registry ${this.#registry.host}`,
      });
    }
    if (this.#offline && typeof body['refresh_token'] === 'string' && body['refresh_token'] !== '') {
      this.#identityToken = body['refresh_token'];
    }
    const seconds = typeof body['expires_in'] === 'number' ? Math.max(body['expires_in'], TOKEN_SECONDS) : TOKEN_SECONDS;
    this.#tokens.set(wanted, { token, untilMs: this.#clock.now() + (seconds - 10) * 1000 });
    return token;
  }

  #hasCredentials(): boolean {
    return this.#credentials.username !== undefined || this.#credentials.identityToken !== undefined;
  }

  async #fetch(realm: URL, service: string | undefined, scopes: ReadonlySet<string>, trusted: boolean, signal: AbortSignal | undefined) {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (this.#offline) {
      url.searchParams.set('offline_token', 'true');
      url.searchParams.set('client_id', 'longshore');
    }
    const basic = trusted ? this.#basic() : undefined;
    if (basic !== undefined && this.#credentials.username !== undefined) url.searchParams.set('account', this.#credentials.username);
    return await this.#http.send({ method: 'GET', url, headers: basic === undefined ? {} : { Authorization: basic }, ...(signal ? { signal } : {}) });
  }

  async #refresh(realm: URL, service: string | undefined, scopes: ReadonlySet<string>, signal: AbortSignal | undefined) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: this.#credentials.identityToken!,
      client_id: 'longshore',
      scope: [...scopes].join(' '),
      ...(service === undefined ? {} : { service }),
    });
    return await this.#http.send({
      method: 'POST',
      url: realm,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(form.toString()),
      ...(signal ? { signal } : {}),
    });
  }
}

function parseRealm(text: string): URL | undefined {
  const url = URL.parse(text);
  return url && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' ? url : undefined;
}

function parse(bytes: Buffer): Record<string, unknown> {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // No token then.
    return {};
  }
}
