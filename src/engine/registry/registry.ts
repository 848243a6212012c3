import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { errorCode, isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { ContentStore } from '../images/images.ts';
import { isLoopbackDomain } from '../images/reference.ts';
import { isRepositoryName } from '../images/registry-backing.ts';
import type { RegistryBacking } from '../images/registry-backing.ts';
import { RegistryError, sendEmpty, sendError } from './answers.ts';
import type { Exchange } from './answers.ts';
import { serveBlob } from './blobs.ts';
import { serveCatalog, serveTags } from './lists.ts';
import { serveManifest, serveReferrers } from './manifests.ts';
import { Uploads } from './uploads.ts';

export interface OpenRegistryOptions {
  /** The image store: `openImages` gives one that fits. */
  readonly images: { readonly content: ContentStore; readonly registry: RegistryBacking };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ListenOptions {
  readonly host?: string;
  readonly port?: number;
  /** What is there can be pulled; nothing can be pushed or deleted. */
  readonly readOnly?: boolean;
}

export interface Registry {
  /** Answers one request: for a server that others share. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /**
   * Listens on loopback unless told otherwise; may be called for several addresses. Answers to the names of loopback and to the address itself
   * alone: a web page whose own name was made to lead here gets nothing. @returns the address. @throws `unavailable` when the port is taken
   */
  listen(options?: ListenOptions): Promise<{ readonly host: string; readonly port: number }>;
  /** Ends the uploads under way and stops listening everywhere. */
  close(): Promise<void>;
}

/** An OCI distribution registry (distribution-spec 1.1) over the content store: what is built or loaded here can be pulled from it at once. */
export function openRegistry(options: OpenRegistryOptions): Registry {
  return new DistributionServer(options);
}

class DistributionServer implements Registry {
  readonly #options: OpenRegistryOptions;
  readonly #uploads: Uploads;
  readonly #servers = new Set<Server>();

  constructor(options: OpenRegistryOptions) {
    this.#options = options;
    this.#uploads = new Uploads(options.images.content, () => options.images.registry.writer(), options.clock, options.random);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
    this.#route(request, response).catch((error: unknown) => this.#fail(request, response, error));
  }

  async listen({ host = '127.0.0.1', port = 0, readOnly = false }: ListenOptions = {}): Promise<{ readonly host: string; readonly port: number }> {
    const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, highWaterMark: 256 * 1024 }, (request, response) => {
      const refusal = refusalOf(request, host, readOnly);
      if (refusal) this.#fail(request, response, refusal);
      else this.handle(request, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        reject(
          isErrno(error, 'EADDRINUSE')
            ? new LongshoreError('unavailable', `the registry's port ${port} is in use`, {
                object: `port ${port}`,
                remedy: 'Choose another port for the registry, or stop what listens there.',
                cause: error,
              })
            : error,
        );
      });
      server.listen({ host, port }, resolve);
    });
    this.#servers.add(server);
    const at = server.address() as AddressInfo;
    return { host: at.address, port: at.port };
  }

  async close(): Promise<void> {
    const servers = [...this.#servers];
    this.#servers.clear();
    for (const server of servers) server.closeAllConnections();
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => {
      server.close(() => resolve());
    })));
    await this.#uploads.close();
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // No browser has business here: a web page must not reach this machine's registry.
    if (request.headers.origin !== undefined) throw new RegistryError('DENIED', 'the registry takes no requests from web pages');
    const url = URL.parse(request.url ?? '/', 'http://registry');
    if (!url) throw new RegistryError('NAME_INVALID', 'malformed address');
    const { content, registry } = this.#options.images;
    const method = request.method ?? 'GET';
    const path = url.pathname;
    const exchange = (repository: string): Exchange => ({
      request,
      response,
      method,
      repository,
      query: url.searchParams,
      host: request.headers.host ?? 'localhost',
    });
    if (path === '/v2/' || path === '/v2') {
      sendEmpty(response, 200, { 'Content-Type': 'application/json' });
      return;
    }
    if (path === '/v2/_catalog' && method === 'GET') {
      serveCatalog(registry, exchange(''));
      return;
    }
    const match = /^\/v2\/(.+)\/(?:(manifests)\/([^/]+)|(blobs)\/uploads\/([^/]*)|(blobs)\/([^/]+)|(tags)\/list|(referrers)\/([^/]+))$/.exec(path);
    if (!match) throw new RegistryError('NAME_UNKNOWN', `there is nothing at ${path}`);
    const repository = match[1]!;
    if (!isRepositoryName(repository)) throw new RegistryError('NAME_INVALID', `invalid repository name: ${repository}`);
    const at = exchange(repository);
    if (match[2]) await serveManifest(content, registry, at, decode(match[3]!));
    else if (match[4]) {
      if (match[5] !== '') await this.#uploads.go(at, match[5]!);
      else if (method === 'POST') await this.#uploads.begin(at);
      else throw new RegistryError('UNSUPPORTED', `${method} is not known for uploads`);
    } else if (match[6]) await serveBlob(content, at, decode(match[7]!));
    else if (method !== 'GET') throw new RegistryError('UNSUPPORTED', `${method} is not known here`);
    else if (match[8]) serveTags(registry, at);
    else serveReferrers(registry, at, decode(match[10]!));
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const known =
      error instanceof RegistryError
        ? error
        : new RegistryError(
            errorCode(error) === 'not-found' ? 'BLOB_UNKNOWN' : 'UNKNOWN',
            error instanceof LongshoreError ? error.message : 'internal error',
          );
    if (!(error instanceof LongshoreError) && known.code === 'UNKNOWN') {
      this.#options.logger.error('the registry failed at a request', {
        method: request.method,
        path: request.url,
        error: messageOf(error),
      });
    }
    // What the client still sends is not read: it would be taken for the next request.
    if (!request.complete) response.setHeader('Connection', 'close');
    sendError(response, known);
    request.resume();
  }
}

function refusalOf(request: IncomingMessage, address: string, readOnly: boolean): RegistryError | undefined {
  const name = request.headers.host ?? 'localhost';
  if (!isLoopbackDomain(name) && name.replace(/:\d+$/, '') !== address) {
    return new RegistryError('DENIED', `the registry does not answer to the name ${name}`);
  }
  if (readOnly && !['GET', 'HEAD'].includes(request.method ?? 'GET')) {
    return new RegistryError('DENIED', `at ${name} the registry can be read, not written: push from the machine that it runs on`);
  }
  return undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RegistryError('NAME_INVALID', 'malformed address');
  }
}
