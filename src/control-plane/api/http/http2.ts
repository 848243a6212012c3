import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import type { Readable } from 'node:stream';
import { badRequest } from '../errors.ts';
import type { BodyStream, ConnectionFacts, Exchange, HeaderList } from './exchange.ts';
import { BODY_MS, bodyTimeout, LINGER_BYTES, LINGER_MS, STALL_MS, tooLarge } from './http1.ts';
import { endInSlices, SLICE } from './slices.ts';

/** An exchange over one stream of an HTTP/2 connection. */
export class Http2Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly connection: ConnectionFacts;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #raw: readonly string[];
  readonly #bodyless: boolean;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[], bodyless: boolean, connection: ConnectionFacts) {
    this.method = headers[':method'] as string;
    this.target = headers[':path'] as string;
    this.connection = connection;
    this.#stream = stream;
    this.#headers = headers;
    this.#raw = raw;
    this.#bodyless = bodyless;
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  hasHeaderOf(prefix: string): boolean {
    for (let at = 0; at < this.#raw.length; at += 2) if (this.#raw[at]!.startsWith(prefix)) return true;
    return false;
  }

  headers(name: string): readonly string[] {
    return this.allHeaders().filter(([key]) => key === name).map(([, value]) => value);
  }

  allHeaders(): readonly (readonly [string, string])[] {
    const out: (readonly [string, string])[] = [];
    for (let at = 0; at < this.#raw.length; at += 2) if (!this.#raw[at]!.startsWith(':')) out.push([this.#raw[at]!, this.#raw[at + 1]!]);
    return out;
  }

  body(limit: number): Promise<Buffer> {
    if (this.#bodyless) return Promise.resolve(Buffer.alloc(0));
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) {
          stream.removeAllListeners('data');
          stream.pause();
          reject(tooLarge(limit));
        } else chunks.push(chunk);
      });
      let whole = false;
      const cancel = this.connection.after(BODY_MS, () => reject(bodyTimeout()));
      stream.on('end', () => {
        whole = true;
        cancel();
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
      });
      stream.on('close', () => {
        cancel();
        if (!whole) reject(badRequest('the client closed the stream before the body was complete'));
      });
    });
  }

  bodyStream(): Readable {
    return this.#stream;
  }

  respond(status: number, headers: HeaderList, body: Buffer | string): void {
    if (this.answered) return;
    const stream = this.#stream;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    if (length === 0 || this.method === 'HEAD') stream.respond(fields(status, headers, length), { endStream: true });
    else {
      stream.respond(fields(status, headers, length));
      if (length < SLICE || typeof body === 'string') stream.end(body);
      else {
        stream.setTimeout(STALL_MS, () => stream.close(constants.NGHTTP2_CANCEL));
        endInSlices(stream, body);
      }
    }
    this.#dropRest();
  }

  stream(status: number, headers: HeaderList): BodyStream {
    const stream = this.#stream;
    if (!this.answered) stream.respond(fields(status, headers, undefined));
    return {
      get pending() {
        return stream.writableLength;
      },
      write: (chunk) => {
        if (!stream.destroyed && !stream.writableEnded) stream.write(chunk);
      },
      onDrain: (fn) => void stream.once('drain', fn),
      end: () => {
        if (!stream.writableEnded) stream.end();
      },
      abort: () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    };
  }

  get answered(): boolean {
    return this.#stream.headersSent || this.#stream.destroyed || this.#stream.closed;
  }

  get closed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  onClose(fn: () => void): void {
    if (this.closed) fn();
    else this.#stream.once('close', fn);
  }

  takeSocket(): undefined {
    return undefined;
  }

  /** A body that nobody reads must not hold the flow-control window of the whole connection, nor come for ever. */
  #dropRest(): void {
    const stream = this.#stream;
    if (this.#bodyless || stream.readableEnded) return;
    let left = LINGER_BYTES;
    const cut = (): void => {
      if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
    };
    const cancel = this.connection.after(LINGER_MS, cut);
    stream.once('end', cancel).once('close', cancel);
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) cut();
    });
    stream.resume();
  }
}

/** As name, value, name, value…: Node sends such a list as it is, without making an object of it first. */
function fields(status: number, headers: HeaderList, length: number | undefined): string[] {
  const out = [':status', String(status)];
  for (let at = 0; at < headers.length; at += 2) out.push(lower(headers[at]!), headers[at + 1]!);
  if (length !== undefined) out.push('content-length', String(length));
  return out;
}

const LOWERED = new Map<string, string>();

/** The same few names come again and again. */
function lower(name: string): string {
  let found = LOWERED.get(name);
  if (found === undefined) {
    found = name.toLowerCase();
    if (LOWERED.size < 256) LOWERED.set(name, found);
  }
  return found;
}
