import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';

/** Where requests go. */
export type Endpoint = TlsEndpoint | UnixEndpoint;

export interface TlsEndpoint extends Disposable {
  readonly kind: 'tls';
  readonly host: string;
  readonly port: number;
  readonly agent: Agent;
}

export interface UnixEndpoint {
  readonly kind: 'unix';
  readonly socketPath: string;
}

export interface RawRequest {
  readonly method: string;
  /** Path and query, sent byte for byte. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Ends the reading of an endless answer. Asked after every chunk. */
  readonly enough?: (received: Buffer) => boolean;
  readonly timeoutMs: number;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headersDistinct'];
  readonly body: Buffer;
}

/** A keep-alive connection to a server whose certificate one authority has signed. */
export function tlsEndpoint(host: string, port: number, authority: string): TlsEndpoint {
  const agent = new Agent({ keepAlive: true, ca: authority, servername: 'localhost' });
  return { kind: 'tls', host, port, agent, [Symbol.dispose]: () => agent.destroy() };
}

/**
 * Sends one request, and reads the answer to its end, or until `enough` says so.
 * @throws Error when the connection fails, or nothing more comes for `timeoutMs`
 */
export async function exchange(endpoint: Endpoint, request: RawRequest): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const options = {
    method: request.method, path: request.target,
    headers: { ...request.headers, ...(request.body === undefined ? {} : { 'Content-Length': String(request.body.length) }) },
  };
  const sent = endpoint.kind === 'tls'
    ? httpsRequest({ ...options, host: endpoint.host, port: endpoint.port, agent: endpoint.agent })
    : httpRequest({ ...options, socketPath: endpoint.socketPath, agent: false });
  sent.setTimeout(request.timeoutMs, () => sent.destroy(new Error(`${request.method} ${request.target}: nothing came for ${request.timeoutMs} ms`)));
  sent.on('error', reject);
  sent.on('response', (response: IncomingMessage) => {
    const chunks: Buffer[] = [];
    const done = (): void => resolve({ status: response.statusCode ?? 0, headers: response.headersDistinct, body: Buffer.concat(chunks) });
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (request.enough?.(Buffer.concat(chunks)) !== true) return;
      response.removeListener('end', done);
      response.on('error', () => { /* the connection is cut by us, on purpose */ });
      sent.destroy();
      done();
    });
    response.on('end', done);
    response.on('error', reject);
  });
  sent.end(request.body);
  return await promise;
}
