import * as http from 'node:http';
import * as https from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Wire, WireRequest, WireResponse } from './wire.ts';

export type TlsOptions = SecureContextOptions & { readonly rejectUnauthorized?: boolean; readonly servername?: string };

/** HTTP/1.1 with kept connections: each watch takes one. */
export class Http1Wire implements Wire {
  readonly #origin: URL;
  readonly #agent: http.Agent;
  readonly #send: typeof http.request;

  constructor(origin: URL, tls: TlsOptions) {
    const secure = origin.protocol === 'https:';
    this.#origin = origin;
    this.#agent = secure ? new https.Agent({ ...tls, keepAlive: true, maxFreeSockets: 16 }) : new http.Agent({ keepAlive: true, maxFreeSockets: 16 });
    this.#send = secure ? https.request : http.request;
  }

  request({ method, path, headers, body, signal }: WireRequest): Promise<WireResponse> {
    return new Promise((resolve, reject) => {
      const request = this.#send(new URL(path, this.#origin), {
        method, agent: this.#agent, headers: { ...headers, ...(body && { 'content-length': String(body.length) }) }, ...(signal && { signal }),
      }, (response) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], warning: response.headers['warning'], body: response });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
