import type { IncomingMessage, ServerResponse } from 'node:http';

/** The distribution specification's error codes, with the status that each has. */
const STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  RANGE_INVALID: 416,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  UNKNOWN: 500,
} as const;

export type RegistryErrorCode = keyof typeof STATUS;

/** An answer that is an error. */
export class RegistryError extends Error {
  readonly code: RegistryErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RegistryErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }

  get status(): number {
    return STATUS[this.code];
  }
}

/** One request, as the handlers see it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly repository: string;
  readonly query: URLSearchParams;
  /** The host that the client named, which is part of images' names. */
  readonly host: string;
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string | number>> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length, ...headers });
  response.end(bytes);
}

export function sendEmpty(response: ServerResponse, status: number, headers: Readonly<Record<string, string | number>> = {}): void {
  response.writeHead(status, { 'Content-Length': 0, ...headers });
  response.end();
}

export function sendError(response: ServerResponse, error: RegistryError): void {
  sendJson(response, error.status, { errors: [{ code: error.code, message: error.message }] }, error.headers);
}
