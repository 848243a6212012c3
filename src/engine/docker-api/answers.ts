import type { ServerResponse } from 'node:http';
import { LongshoreError, isErrno, messageOf } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';

const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400, 'not-found': 404, 'already-exists': 409, conflict: 409, unauthorized: 401, forbidden: 403, gone: 410, 'too-large': 413,
  'unsupported-media-type': 415, 'not-acceptable': 406, 'method-not-allowed': 405, 'precondition-failed': 412, 'too-many-requests': 429, canceled: 499,
  'not-implemented': 501, timeout: 504, unavailable: 503, exhausted: 507, internal: 500,
};

/** The HTTP status of any thrown value. Docker's API has 500 where nothing else fits. */
export function statusOf(error: unknown): number {
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) return STATUS.exhausted;
  return error instanceof LongshoreError ? STATUS[error.code] : 500;
}

/** The message for users, with what they can do next where the error knows. */
export function textOf(error: unknown): string {
  const message = messageOf(error);
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return `the disk that holds the engine's folder is full: ${message}\nFree some space: docker system prune. Where it is: docker info, Docker Root Dir.`;
  }
  return error instanceof LongshoreError && error.remedy !== undefined ? `${message}\n${error.remedy}` : message;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body) + '\n';
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }).end(text);
}

export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    // A stream that has begun can only be cut.
    response.destroy();
    return;
  }
  sendJson(response, statusOf(error), { message: textOf(error) });
}

/** Resolves when more may be written. */
export function drained(stream: NodeJS.WritableStream & { readonly destroyed?: boolean }): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener('drain', done);
      stream.removeListener('close', done);
      stream.removeListener('error', done);
      resolve();
    };
    stream.once('drain', done);
    stream.once('close', done);
    stream.once('error', done);
  });
}

/** Writes, and resolves at once or when there is room again. */
export function write(stream: NodeJS.WritableStream & { readonly destroyed?: boolean }, data: string | Uint8Array): Promise<void> | undefined {
  if (stream.destroyed === true) return undefined;
  return stream.write(data) ? undefined : drained(stream);
}

/** A line of a JSON stream, as pull, push, build and events send. */
export class JsonLines {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  send(value: unknown): Promise<void> | undefined {
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, { 'Content-Type': 'application/json' });
      this.#response.flushHeaders();
    }
    return write(this.#response, JSON.stringify(value) + '\r\n');
  }

  /** Tells of an error in the stream's own form, since the status was sent long ago; before that, as an ordinary answer. */
  fail(error: unknown): void {
    if (!this.#response.headersSent) {
      sendError(this.#response, error);
      return;
    }
    const message = textOf(error);
    this.#response.end(JSON.stringify({ errorDetail: { message }, error: message }) + '\r\n');
  }

  end(): void {
    if (!this.#response.headersSent) this.#response.writeHead(200, { 'Content-Type': 'application/json' });
    this.#response.end();
  }
}
