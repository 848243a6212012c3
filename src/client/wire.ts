import type { Readable } from 'node:stream';

/** One HTTP request, as both protocol versions send it. */
export interface WireRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal?: AbortSignal;
}

export interface WireResponse {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Warning headers of the server (RFC 7234, 299). */
  readonly warning: string | undefined;
  readonly body: Readable;
}

/** A way to send requests to one server. Rejects with the system's error when no answer came. */
export interface Wire {
  request(request: WireRequest): Promise<WireResponse>;
  close(): void;
}
