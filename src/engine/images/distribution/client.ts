import { STATUS_CODES } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import { digestOf } from '../digest.ts';
import type { Credentials, Descriptor } from '../images.ts';
import { ACCEPT_MANIFESTS } from '../media-types.ts';
import { DEFAULT_DOMAIN, familiar, isLoopbackDomain } from '../reference.ts';
import { Authenticator } from './auth.ts';
import { readBody, readError, unreachable } from './http.ts';
import type { BodyWriter, HttpClient, HttpResponse } from './http.ts';

export interface RegistryClientOptions {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly domain: string;
  /** Within the domain, as in `library/busybox`. */
  readonly repository: string;
  readonly credentials?: Credentials;
  /** What will be done: what a token is asked for. `none`: a login, which is about no repository. */
  readonly actions: 'pull' | 'pull,push' | 'none';
  /** Other repositories, to mount from. */
  readonly alsoPull?: readonly string[];
  /** Hosts that may be spoken to without TLS, beside this machine's own. */
  readonly insecure?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
}

const MANIFEST_BYTES = 4 << 20;
const REDIRECTS = 5;
const DOCKER_HUB = 'registry-1.docker.io';

/** One repository of a registry, by the OCI distribution API (opencontainers/distribution-spec, version 1.1). */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #scope: string;
  #base: URL;
  #authenticator: Authenticator;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    const host = options.domain === DEFAULT_DOMAIN ? DOCKER_HUB : options.domain;
    this.#base = new URL(`${this.#mayBePlain() ? 'http' : 'https'}://${host}`);
    this.#authenticator = this.#makeAuthenticator();
    this.#scope =
      options.actions === 'none'
        ? ''
        : [
            `repository:${options.repository}:${options.actions}`,
            ...(options.alsoPull ?? []).map((name) => `repository:${name}:pull`),
          ].join(' ');
  }

  /** The name as users know it. */
  get name(): string {
    return familiar(`${this.#options.domain}/${this.#options.repository}`);
  }

  /**
   * Asks whether the registry lets this user in. @returns the token that it gives for the password, if it does
   * @throws `unauthorized`, `unavailable`
   */
  async ping(): Promise<string | undefined> {
    const url = new URL('/v2/', this.#base);
    const response = await this.#redirected(await this.#request('GET', url, {}), {}, REDIRECTS);
    if (response.status === 200) {
      response.body.resume();
      return this.#authenticator.identityToken;
    }
    const body = await readError(response);
    const detail = body?.message ? ` (${body.message})` : '';
    const code = response.status === 401 || response.status === 403 ? 'unauthorized' : 'unavailable';
    const remedy =
      code === 'unauthorized'
        ? 'Check the user name and the password, or the access token.'
        : `Check that ${this.#options.domain} is a registry.`;
    throw new LongshoreError(
      code,
      `login attempt to ${this.#base.origin}/v2/ failed with status: ${response.status} ${STATUS_CODES[response.status] ?? ''}${detail}`,
      { object: `registry ${this.#base.host}`, remedy },
    );
  }

  /** A manifest or index by tag or digest; by digest it is verified. @throws `not-found`, `unauthorized`, `unavailable`, `invalid` */
  async manifest(tagOrDigest: string): Promise<{ readonly bytes: Buffer; readonly mediaType: string; readonly digest: string }> {
    const response = await this.#get(`manifests/${tagOrDigest}`, { Accept: ACCEPT_MANIFESTS.join(', ') });
    if (response.status !== 200) throw await this.#failure(response, tagOrDigest);
    const bytes = await readBody(response, MANIFEST_BYTES);
    const digest = digestOf(bytes);
    if (tagOrDigest.includes(':') && digest !== tagOrDigest) {
      throw new LongshoreError(
        'invalid',
        `the registry ${this.#base.host} sent a manifest with the digest ${digest} instead of ${tagOrDigest}`,
        { object: this.name },
      );
    }
    return { bytes, digest, mediaType: (response.headers['content-type'] ?? '').split(';')[0]!.trim() };
  }

  /** A blob's bytes from `start` on; the caller verifies them. @throws as `manifest` does */
  async blob(descriptor: Descriptor & { readonly urls?: readonly string[] }, start: number): Promise<{ readonly body: Readable; readonly from: number }> {
    const headers = start > 0 ? { Range: `bytes=${start}-` } : {};
    let response = await this.#get(`blobs/${descriptor.digest}`, headers);
    if (response.status === 404 && descriptor.urls) {
      response.body.destroy();
      for (const address of descriptor.urls) {
        const url = URL.parse(address);
        // Somebody else's server: it gets no credentials.
        if (url?.protocol !== 'https:' && url?.protocol !== 'http:') continue;
        response = await this.#follow(url, headers);
        if (response.status < 300) break;
        response.body.destroy();
      }
    }
    if (response.status === 206 && start > 0) return { body: response.body, from: start };
    if (response.status !== 200) throw await this.#failure(response, descriptor.digest);
    return { body: response.body, from: 0 };
  }

  async hasBlob(digest: string): Promise<boolean> {
    const response = await this.#request('HEAD', this.#path(`blobs/${digest}`), {});
    response.body.resume();
    if (response.status === 200) return true;
    if (response.status === 404 || response.status === 307) return response.status === 307;
    throw await this.#failure(response, digest);
  }

  /** Begins an upload; `mounted` when the registry took the blob over from another repository. */
  async startUpload(mount?: { readonly digest: string; readonly from: string }): Promise<{ readonly location?: URL; readonly mounted: boolean }> {
    const query = mount ? `?mount=${encodeURIComponent(mount.digest)}&from=${encodeURIComponent(mount.from)}` : '';
    const response = await this.#request('POST', this.#path(`blobs/uploads/${query}`), { 'Content-Length': 0 });
    if (response.status === 201 && mount) {
      response.body.resume();
      return { mounted: true };
    }
    if (response.status !== 202) throw await this.#failure(response, 'the upload');
    response.body.resume();
    return { location: this.#location(response), mounted: false };
  }

  /** The whole blob in one request. */
  async upload(location: URL, digest: string, size: number, body: Readable | Uint8Array | BodyWriter): Promise<void> {
    const url = withDigest(location, digest);
    const response = await this.#request('PUT', url, { 'Content-Type': 'application/octet-stream', 'Content-Length': size }, body);
    if (response.status !== 201) throw await this.#failure(response, digest);
    response.body.resume();
  }

  /** A blob whose digest is only known at its end: the body in one piece of unknown length, then its digest. */
  async uploadStream(location: URL, body: Readable, digest: () => string): Promise<void> {
    const response = await this.#request('PATCH', location, { 'Content-Type': 'application/octet-stream' }, body);
    if (response.status !== 202 && response.status !== 204) throw await this.#failure(response, 'the upload');
    response.body.resume();
    const next = this.#location(response);
    const closing = await this.#request('PUT', withDigest(next, digest()), { 'Content-Length': 0 });
    if (closing.status !== 201) throw await this.#failure(closing, digest());
    closing.body.resume();
  }

  async putManifest(tagOrDigest: string, mediaType: string, bytes: Buffer): Promise<void> {
    const response = await this.#request('PUT', this.#path(`manifests/${tagOrDigest}`), { 'Content-Type': mediaType, 'Content-Length': bytes.length }, bytes);
    if (response.status !== 201 && response.status !== 202 && response.status !== 200) throw await this.#failure(response, tagOrDigest);
    response.body.resume();
  }

  #mayBePlain(): boolean {
    return isLoopbackDomain(this.#options.domain) || this.#options.insecure?.has(this.#options.domain) === true;
  }

  #makeAuthenticator(): Authenticator {
    return new Authenticator(this.#options.http, this.#options.clock, this.#base, this.#options.credentials, this.#options.actions === 'none');
  }

  #path(rest: string): URL {
    return new URL(`/v2/${this.#options.repository}/${rest}`, this.#base);
  }

  /** A GET whose redirects are followed: registries keep blobs elsewhere. */
  async #get(rest: string, headers: OutgoingHttpHeaders): Promise<HttpResponse> {
    const response = await this.#request('GET', this.#path(rest), headers);
    return await this.#redirected(response, headers, REDIRECTS);
  }

  async #redirected(response: HttpResponse, headers: OutgoingHttpHeaders, left: number): Promise<HttpResponse> {
    if (![301, 302, 303, 307, 308].includes(response.status)) return response;
    response.body.resume();
    const location = response.headers.location;
    const target = location === undefined ? null : URL.parse(location, response.url.href);
    if (!target || left === 0) {
      throw new LongshoreError('unavailable', `the registry ${this.#base.host} redirects in circles or to nowhere`, {
        object: `registry ${this.#base.host}`,
      });
    }
    if (target.protocol !== 'https:' && (target.protocol !== 'http:' || response.url.protocol === 'https:')) {
      throw new LongshoreError(
        'unavailable',
        `the registry ${this.#base.host} redirects to ${target.protocol}//${target.host}, which is not encrypted`,
        { object: `registry ${this.#base.host}` },
      );
    }
    if (isLoopbackDomain(target.host) && !isLoopbackDomain(this.#base.host)) {
      throw new LongshoreError('unavailable', `the registry ${this.#base.host} redirects to this machine itself (${target.host})`, {
        object: `registry ${this.#base.host}`,
      });
    }
    if (target.origin === this.#base.origin) return await this.#redirected(await this.#request('GET', target, headers), headers, left - 1);
    return await this.#redirected(await this.#send({ method: 'GET', url: target, headers }), headers, left - 1);
  }

  async #follow(url: URL, headers: OutgoingHttpHeaders): Promise<HttpResponse> {
    return await this.#redirected(await this.#send({ method: 'GET', url, headers }), headers, REDIRECTS);
  }

  /** To the registry itself, with what it wants as authorization. */
  async #request(method: string, url: URL, headers: OutgoingHttpHeaders, body?: Readable | Uint8Array | BodyWriter): Promise<HttpResponse> {
    const { signal } = this.#options;
    // An upload's location may be on another host, which gets nothing of ours.
    const own = url.origin === this.#base.origin;
    const known = own ? this.#authenticator.known(this.#scope) : undefined;
    const response = await this.#send({
      method,
      url,
      headers: { ...headers, ...(known === undefined ? {} : { Authorization: known }) },
      ...(body === undefined ? {} : { body }),
    });
    // What was streamed is gone; a first, small request has fetched the token by then.
    if (response.status !== 401 || !own || (body !== undefined && !(body instanceof Uint8Array))) return response;
    const answer = await this.#authenticator.answer(response.headers['www-authenticate'], this.#scope, signal).catch((error: unknown) => {
      throw unreachable(error, this.#base.host);
    });
    if (answer === undefined || answer === known) return response;
    response.body.resume();
    return await this.#send({ method, url, headers: { ...headers, Authorization: answer }, ...(body === undefined ? {} : { body }) });
  }

  async #send(request: { method: string; url: URL; headers: OutgoingHttpHeaders; body?: Readable | Uint8Array | BodyWriter }): Promise<HttpResponse> {
    const { http, signal } = this.#options;
    const full = { ...request, ...(signal ? { signal } : {}) };
    try {
      const response = await http.send(full);
      if (response.status === 400 && this.#canSwitch(request)) {
        const { message } = (await readError(response)) ?? { message: '' };
        if (message === '') return await this.#overTls(request);
      }
      return response;
    } catch (error) {
      if (this.#canSwitch(request) && isNotHttp(error)) return await this.#overTls(request);
      throw unreachable(error, request.url.host);
    }
  }

  /** A registry without TLS may turn out to have it after all: known from the first request. */
  #canSwitch(request: { readonly url: URL; readonly body?: unknown }): boolean {
    return request.url.origin === this.#base.origin && this.#base.protocol === 'http:' && request.body === undefined;
  }

  async #overTls(request: { method: string; url: URL; headers: OutgoingHttpHeaders }): Promise<HttpResponse> {
    const { http, signal } = this.#options;
    this.#base = new URL(`https://${this.#base.host}`);
    this.#authenticator = this.#makeAuthenticator();
    const url = new URL(request.url.pathname + request.url.search, this.#base);
    try {
      return await http.send({ ...request, url, ...(signal ? { signal } : {}) });
    } catch (error) {
      throw unreachable(error, url.host);
    }
  }

  #location(response: HttpResponse): URL {
    const location = response.headers.location;
    const url = location === undefined ? null : URL.parse(location, response.url.href);
    if (!url || (url.protocol !== 'https:' && this.#base.protocol === 'https:')) {
      throw new LongshoreError('unavailable', `the registry ${this.#base.host} gave no usable place for the upload`, {
        object: `registry ${this.#base.host}`,
      });
    }
    return url;
  }

  /** What a refusal means, in Docker's words. */
  async #failure(response: HttpResponse, what: string): Promise<LongshoreError> {
    const body = await readError(response);
    const detail = body ? `${body.code.toLowerCase().replaceAll('_', ' ')}${body.message ? `: ${body.message}` : ''}` : `status ${response.status}`;
    const object = `image ${this.name}`;
    const push = this.#options.actions === 'pull,push';
    if (response.status === 401 || response.status === 403 || body?.code === 'DENIED' || body?.code === 'UNAUTHORIZED') {
      if (push) {
        return new LongshoreError('unauthorized', `push access denied for ${this.name}: ${detail}`, {
          object,
          remedy: `Log in with docker login ${this.#options.domain}, as a user who may push there.`,
        });
      }
      return new LongshoreError(
        'unauthorized',
        `pull access denied for ${this.name}, repository does not exist or may require 'docker login': ${detail}`,
        { object, remedy: `Check the name, or log in with docker login ${this.#options.domain}.` },
      );
    }
    if (response.status === 404) {
      if (body?.code === 'NAME_UNKNOWN') {
        return new LongshoreError('not-found', `repository ${this.name} not found: ${detail}`, {
          object,
          remedy: 'Check the name of the image.',
        });
      }
      const name = what.includes(':') ? `${this.name}@${what}` : `${this.name}:${what}`;
      return new LongshoreError(
        'not-found',
        `manifest for ${name} not found: manifest unknown${body?.message ? `: ${body.message}` : ''}`,
        { object: `image ${name}`, remedy: 'Check the name and tag of the image.' },
      );
    }
    if (response.status === 429) {
      return new LongshoreError('too-many-requests', `the registry ${this.#base.host} allows no more requests for now: ${detail}`, {
        object: `registry ${this.#base.host}`,
        remedy: 'Wait, or log in for a higher limit.',
      });
    }
    return new LongshoreError(
      response.status >= 500 ? 'unavailable' : 'invalid',
      `the registry ${this.#base.host} refused ${what} of ${this.name}: ${detail}`,
      { object },
    );
  }
}

function withDigest(location: URL, digest: string): URL {
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  return url;
}

/** What answered does not speak HTTP, or hung up on it: perhaps TLS. */
function isNotHttp(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && (code.startsWith('HPE_') || code === 'ECONNRESET');
}
