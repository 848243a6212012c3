import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { badRequest, failure } from '../errors.ts';
import type { ApiRequest } from '../http/request.ts';
import { dialError } from './node-connection.ts';
import { PageRewriter } from './page-rewriter.ts';
import { relayedHeaders } from './relay-headers.ts';

const MAX_PENDING_BYTES = 1 << 20;
const MAX_ERROR_BYTES = 65_536;
/** Response headers that end here. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer', 'proxy-authenticate', 'content-length']);

export interface Forward {
  readonly method: string;
  readonly path: string;
  /** Value of the Host header. */
  readonly host: string;
  /** Failures of a node are told as a Status, and its redirects are errors; those of a proxied application pass as they are. */
  readonly strict: boolean;
  /** The path through which the client sees the root of the other side. Addresses of pages and redirects are led through it. */
  readonly prefix?: string;
}

/** Sends a request on over `target` and streams the answer back, no faster than the client takes it. */
export async function forward(request: ApiRequest, target: Duplex, to: Forward): Promise<void> {
  const { exchange } = request;
  const answer = await ask(request, target, to);
  const status = answer.statusCode ?? 502;
  if (to.strict && (status < 200 || status >= 300)) {
    const text = await textOf(answer);
    target.destroy();
    throw failureOf(status, text);
  }
  const headers = [...request.headers.slice(0, 2), ...relayed(answer, to.prefix)];
  const isPage = /^text\/html\b/i.test(answer.headers['content-type'] ?? '') && answer.headers['content-encoding'] === undefined;
  const page = to.prefix !== undefined && isPage ? new PageRewriter(to.prefix) : undefined;
  const body = exchange.stream(status, headers);
  let ended = false;
  exchange.onClose(() => target.destroy());
  answer.on('data', (chunk: Buffer) => {
    body.write(page ? page.push(chunk) : chunk);
    if (body.pending > MAX_PENDING_BYTES) {
      answer.pause();
      body.onDrain(() => answer.resume());
    }
  });
  await new Promise<void>((resolve) => {
    answer.on('end', () => {
      ended = true;
      const rest = page?.end();
      if (rest?.length) body.write(rest);
      body.end();
      resolve();
    });
    answer.on('close', () => {
      if (!ended) body.abort();
      resolve();
    });
    answer.on('error', () => resolve());
  });
  target.destroy();
}

function ask(request: ApiRequest, target: Duplex, to: Forward): Promise<IncomingMessage> {
  const { exchange } = request;
  return new Promise((resolve, reject) => {
    const headers: string[] = ['host', to.host];
    for (const [name, value] of relayedHeaders(exchange)) headers.push(name, value);
    headers.push('x-forwarded-for', exchange.connection.remoteAddress);
    const length = exchange.header('content-length');
    const hasBody = to.method !== 'GET' && to.method !== 'HEAD' && length !== '0';
    if (hasBody && length !== undefined) headers.push('content-length', length);
    const outgoing = httpRequest({ createConnection: () => target, method: to.method, path: to.path, headers, setHost: false });
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => {
      target.destroy();
      reject(dialError(error));
    });
    exchange.onClose(() => {
      if (!exchange.answered) outgoing.destroy();
    });
    if (hasBody) exchange.bodyStream().pipe(outgoing);
    else outgoing.end();
  });
}

function relayed(answer: IncomingMessage, prefix: string | undefined): string[] {
  const out: string[] = [];
  for (let at = 0; at < answer.rawHeaders.length; at += 2) {
    const name = answer.rawHeaders[at]!;
    const value = answer.rawHeaders[at + 1]!;
    if (HOP.has(name.toLowerCase())) continue;
    const rooted = prefix !== undefined && name.toLowerCase() === 'location' && /^\/(?!\/)/.test(value);
    out.push(name, rooted ? prefix + value : value);
  }
  return out;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer) {
    text += String(chunk);
    if (text.length > MAX_ERROR_BYTES) break;
  }
  return text.slice(0, MAX_ERROR_BYTES).trimEnd();
}

/** What a node says as an answer of ours. */
function failureOf(status: number, text: string): StatusError {
  if (status === 400) return badRequest(text);
  if (status === 404) return new StatusError(failure(404, 'NotFound', text));
  if (status >= 300 && status < 400) {
    return new StatusError(failure(502, 'BadGateway', 'the node answered with a redirect, which is not followed'));
  }
  return new StatusError(failure(500, 'InternalError', `Internal error occurred: ${text}`));
}
