import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, ClientRequestArgs, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { OnReadOpts } from 'node:net';
import { readFile } from 'node:fs/promises';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import { isLoopbackDomain } from '../reference.ts';

/** Hands over a body, piece by piece; a piece may change when its promise is resolved, which rejects when the connection is gone. */
export type BodyWriter = (write: (piece: Uint8Array) => Promise<void>) => Promise<void>;

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | Readable | BodyWriter;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end, or destroyed. */
  readonly body: IncomingMessage;
  /** Where the answer came from, redirects followed. */
  readonly url: URL;
}

export interface HttpClientOptions {
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked up here. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
  /** Files with certificates to trust beside Node's own. Default: where Debian, Fedora and Alpine have the system's. */
  readonly caFiles?: readonly string[];
  /** Without an answer, or without a byte of a body, for so long, a request fails. */
  readonly idleMs?: number;
}

const SYSTEM_CA = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];
const IDLE_MS = 60_000;
/** Of a connection at a time. Larger pieces come from fresh pages of the system each, which cost more than they save. */
const READ_BYTES = 64 * 1024;
const ERROR_BYTES = 64 * 1024;

/** Requests over kept connections. Follows no redirects. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  #http: HttpAgent | undefined;
  #https: Promise<HttpsAgent> | undefined;
  #insecure: HttpsAgent | undefined;

  constructor(options: HttpClientOptions = {}) {
    this.#options = options;
  }

  /** @throws the connection's error, with Node's code; the signal's reason */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const secure = request.url.protocol === 'https:';
    const agent = secure ? await this.#secureAgent(request.url.host) : this.#plainAgent();
    request.signal?.throwIfAborted();
    return await new Promise<HttpResponse>((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(request.url, {
        method: request.method,
        agent,
        headers: { 'User-Agent': 'longshore', ...request.headers },
        ...(request.signal ? { signal: request.signal } : {}),
      });
      const idleMs = this.#options.idleMs ?? IDLE_MS;
      outgoing.setTimeout(idleMs, () => outgoing.destroy(Object.assign(new Error(`no answer within ${idleMs / 1000} s`), { code: 'ETIMEDOUT' })));
      outgoing.on('response', (body) => resolve({ status: body.statusCode ?? 0, headers: body.headers, body, url: request.url }));
      outgoing.on('error', (error) => reject(request.signal?.aborted ? (request.signal.reason as Error) : error));
      if (request.body === undefined) outgoing.end();
      else if (request.body instanceof Uint8Array) outgoing.end(request.body);
      else if (typeof request.body === 'function') writeBody(request.body, outgoing).catch(reject);
      else {
        // An answer may come before the body is through (a refusal): then the answer counts.
        pipeline(request.body, outgoing).catch((error: unknown) => reject(error));
      }
    });
  }

  close(): void {
    this.#http?.destroy();
    this.#insecure?.destroy();
    void this.#https?.then((agent) => agent.destroy());
  }

  #plainAgent(): HttpAgent {
    return (this.#http ??= new PlainAgent({ keepAlive: true, maxFreeSockets: 8, ...this.#proxy() }));
  }

  async #secureAgent(host: string): Promise<HttpsAgent> {
    // Nobody but root can listen in on this machine's own loopback.
    if (isLoopbackDomain(host)) return (this.#insecure ??= new HttpsAgent({ keepAlive: true, rejectUnauthorized: false }));
    return await (this.#https ??= this.#systemTrust().then(
      (secureContext) =>
        new HttpsAgent({ keepAlive: true, maxFreeSockets: 8, ...(secureContext ? { secureContext } : {}), ...this.#proxy() }),
    ));
  }

  #proxy(): { proxyEnv?: NodeJS.ProcessEnv } {
    return this.#options.proxyEnv ? { proxyEnv: { ...this.#options.proxyEnv } } : {};
  }

  /** What the machine trusts, a company's own authority included. */
  async #systemTrust(): Promise<SecureContext | undefined> {
    for (const path of this.#options.caFiles ?? SYSTEM_CA) {
      try {
        return createSecureContext({ ca: [...rootCertificates, await readFile(path, 'utf8')] });
      } catch {
        // Another distribution's path, or none: Node's own certificates do then.
      }
    }
    return undefined;
  }
}

/**
 * Connections that read into one piece of memory each. What is read becomes pieces of a body by a copy in any case;
 * Node's own memory for each read would be nothing but garbage, as large as the body once more.
 */
class PlainAgent extends HttpAgent {
  override createConnection(options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): Duplex | null | undefined {
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes, memory) => {
        socket?.emit('data', memory.subarray(0, bytes));
        return true;
      },
    };
    const connection: ClientRequestArgs & { onread: OnReadOpts } = { ...options, onread };
    const socket = super.createConnection(connection, callback);
    return socket;
  }
}

/** An answer may come before the body is through, as in a refusal: then the answer counts, and the rest fails unheard. */
async function writeBody(body: BodyWriter, outgoing: ClientRequest): Promise<void> {
  const gone = Promise.withResolvers<never>();
  // Whoever writes hears of it.
  gone.promise.catch(() => {});
  outgoing.once('close', () => gone.reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })));
  try {
    await body((piece) =>
      Promise.race([
        new Promise<void>((resolve, reject) => void outgoing.write(piece, (error) => (error ? reject(error) : resolve()))),
        gone.promise,
      ]),
    );
  } catch (error) {
    outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
  outgoing.end();
}

/** The whole body, at most `maxBytes`. @throws `too-large` */
export async function readBody(response: HttpResponse, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response.body as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > maxBytes) {
      throw new LongshoreError('too-large', `${response.url.host} sent more than ${maxBytes} bytes`, { object: response.url.host });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export interface RegistryErrorBody {
  readonly code: string;
  readonly message: string;
}

/** The first error of a registry's answer (distribution-spec, "Error Codes"); undefined when it has none of that form. */
export async function readError(response: HttpResponse): Promise<RegistryErrorBody | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readBody(response, ERROR_BYTES);
  } catch {
    // The status says enough.
    response.body.destroy();
    return undefined;
  }
  try {
    const parsed = JSON.parse(bytes.toString('utf8')) as { errors?: { code?: unknown; message?: unknown }[] };
    const first = parsed.errors?.[0];
    if (typeof first?.code === 'string') return { code: first.code, message: typeof first.message === 'string' ? first.message : '' };
  } catch {
    // Not every proxy answers in JSON.
  }
  return undefined;
}

/** A failed connection, in words. @returns `unavailable`; what is ours already is passed through */
export function unreachable(error: unknown, host: string): unknown {
  if (error instanceof LongshoreError) return error;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (error instanceof Error && error.name === 'AbortError') {
    return new LongshoreError('canceled', 'the operation was cancelled', { cause: error });
  }
  const why =
    {
      ENOTFOUND: 'its name is not known (no such host)',
      EAI_AGAIN: 'its name could not be looked up',
      ECONNREFUSED: 'connection refused',
      ETIMEDOUT: messageOf(error),
      ENETUNREACH: 'the network is unreachable',
      EHOSTUNREACH: 'no route to the host',
      ECONNRESET: 'it closed the connection',
    }[code ?? ''] ?? messageOf(error);
  return new LongshoreError('unavailable', `can't reach the registry ${host}: ${why}`, {
    object: `registry ${host}`,
    remedy: isLoopbackDomain(host)
      ? 'Check that the registry runs and listens there.'
      : "Check this machine's network, name service and HTTPS_PROXY; without a network, bring the image with docker load.",
    cause: error,
  });
}
