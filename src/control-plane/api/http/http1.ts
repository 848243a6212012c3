import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { badRequest, failure } from '../errors.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import type { BodyStream, ConnectionFacts, Exchange, HeaderList } from './exchange.ts';
import { chunkOf, LAST_CHUNK } from './chunk.ts';
import { endInSlices, SLICE } from './slices.ts';

export function tooLarge(limit: number): StatusError {
  return new StatusError(failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`));
}

/** A body that has not come in this time is not waited for. */
export const BODY_MS = 60_000;

export function bodyTimeout(): StatusError {
  return new StatusError(failure(408, 'Timeout', 'the body of the request did not come in time'));
}

/** A client that takes nothing of a large answer for so long is cut off. */
export const STALL_MS = 60_000;
/** What is left of a body that nobody wants is read up to here, and so long; then the connection ends. */
export const LINGER_BYTES = 3 * 1024 * 1024;
export const LINGER_MS = 5000;

/** An exchange over HTTP/1.1, on Node's strict parser. */
export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly connection: ConnectionFacts;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined;
  #taken = false;

  constructor(request: IncomingMessage, response: ServerResponse, connection: ConnectionFacts, upgrade?: { readonly socket: Duplex; readonly head: Buffer }) {
    this.method = request.method!;
    this.target = request.url!;
    this.connection = connection;
    this.#request = request;
    this.#response = response;
    this.#upgrade = upgrade;
  }

  header(name: string): string | undefined {
    const raw = this.#request.rawHeaders;
    for (let at = 0; at < raw.length; at += 2) {
      const key = raw[at]!;
      if (key.length === name.length && key.toLowerCase() === name) return raw[at + 1];
    }
    return undefined;
  }

  hasHeaderOf(prefix: string): boolean {
    const raw = this.#request.rawHeaders;
    for (let at = 0; at < raw.length; at += 2) {
      const key = raw[at]!;
      if (key.length >= prefix.length && key.slice(0, prefix.length).toLowerCase() === prefix) return true;
    }
    return false;
  }

  headers(name: string): readonly string[] {
    return this.allHeaders().filter(([key]) => key === name).map(([, value]) => value);
  }

  allHeaders(): readonly (readonly [string, string])[] {
    const raw = this.#request.rawHeaders;
    const out: (readonly [string, string])[] = [];
    for (let at = 0; at < raw.length; at += 2) out.push([raw[at]!.toLowerCase(), raw[at + 1]!]);
    return out;
  }

  body(limit: number): Promise<Buffer> {
    if (this.#upgrade !== undefined) return Promise.reject(badRequest('a request for an upgrade has no body'));
    const request = this.#request;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) {
          // What is still under way is not read: the answer goes out and the connection ends.
          request.removeAllListeners('data');
          request.pause();
          this.#response.shouldKeepAlive = false;
          reject(tooLarge(limit));
        } else chunks.push(chunk);
      });
      let whole = false;
      const cancel = this.connection.after(BODY_MS, () => reject(bodyTimeout()));
      request.on('end', () => {
        whole = true;
        cancel();
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
      });
      request.on('error', reject);
      request.on('close', () => {
        cancel();
        if (!whole) reject(badRequest('the client closed the connection before the body was complete'));
      });
    });
  }

  bodyStream(): Readable {
    return this.#request;
  }

  respond(status: number, headers: HeaderList, body: Buffer | string): void {
    if (this.answered) return;
    if (!this.#request.complete && this.#upgrade === undefined && this.#hasBody()) this.#dropRest();
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    this.#response.writeHead(status, [...headers, 'Content-Length', String(length)] as string[]);
    if (this.method === 'HEAD') this.#response.end();
    else if (length < SLICE || typeof body === 'string') this.#response.end(body);
    else {
      const response = this.#response;
      response.setTimeout(STALL_MS, () => response.destroy());
      endInSlices(response, body);
    }
  }

  /** By its headers: while a request without a body is answered at once, it counts as incomplete as well. */
  #hasBody(): boolean {
    const length = this.header('content-length');
    return length === undefined ? this.header('transfer-encoding') !== undefined : length !== '0';
  }

  /** Reads on for a while, so that the client finds its answer before the connection ends; most have sent all already. */
  #dropRest(): void {
    const request = this.#request;
    let left = LINGER_BYTES;
    const cut = (): void => void request.socket.destroy();
    const cancel = this.connection.after(LINGER_MS, cut);
    request.once('end', cancel).once('close', cancel);
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) cut();
    });
    request.resume();
  }

  stream(status: number, headers: HeaderList): BodyStream {
    const response = this.#response;
    if (!this.answered) {
      response.writeHead(status, headers as string[]);
      response.flushHeaders();
    }
    // Node makes four writes of a chunk. Ours is one, and shared: half of what an event costs for each of its watchers.
    const chunked = response.chunkedEncoding;
    response.chunkedEncoding = false;
    return {
      get pending() {
        return response.writableLength;
      },
      write: (data) => {
        if (!response.destroyed && !response.writableEnded) {
          response.write(chunked ? chunkOf(typeof data === 'string' ? Buffer.from(data) : data) : data);
        }
      },
      onDrain: (fn) => void response.once('drain', fn),
      end: () => {
        if (!response.writableEnded) response.end(chunked ? LAST_CHUNK : undefined);
      },
      abort: () => {
        response.destroy();
      },
    };
  }

  get answered(): boolean {
    return this.#taken || this.#response.headersSent || this.#response.destroyed;
  }

  get closed(): boolean {
    return this.#response.destroyed || this.#response.writableFinished;
  }

  onClose(fn: () => void): void {
    if (this.closed) fn();
    else this.#response.once('close', fn);
  }

  takeSocket(): { readonly socket: Duplex; readonly head: Buffer } | undefined {
    if (this.#upgrade === undefined || this.answered) return undefined;
    this.#taken = true;
    this.#response.detachSocket(this.#upgrade.socket as Parameters<ServerResponse['detachSocket']>[0]);
    return this.#upgrade;
  }
}
