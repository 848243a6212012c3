/**
 * The closed set of ways in which Longshore fails. Every API maps this set to
 * its own status codes once; nothing else decides on a status code.
 */
const USER_ERRORS = [
  'invalid', // the request is malformed or breaks a rule
  'not-found',
  'already-exists',
  'conflict', // somebody else changed it, or its state does not allow this now
  'unauthorized', // who are you?
  'forbidden', // you may not
  'gone', // a revision or a continue token that is too old
  'too-large',
  'unsupported-media-type',
  'not-acceptable',
  'method-not-allowed',
  'precondition-failed',
  'too-many-requests',
  'canceled', // the caller went away
] as const;

const OUR_ERRORS = [
  'not-implemented', // part of the API that is not built; the README lists it
  'timeout',
  'unavailable', // not now: starting, stopping, or something beneath us is away
  'exhausted', // disk, memory, addresses or ports have run out
  'internal',
] as const;

export type ErrorCode = (typeof USER_ERRORS)[number] | (typeof OUR_ERRORS)[number];

export interface ErrorDetails {
  /** The object concerned, as the user would name it: `container web`, `pod/app-1`, `image busybox:latest`. */
  readonly object?: string;
  /** What the user can do next, one imperative sentence. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** An error that a user may meet: the message says what happened, to what and why; `remedy` says what to do next. */
export class LongshoreError extends Error {
  readonly code: ErrorCode;
  readonly object: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'LongshoreError';
    this.code = code;
    this.object = details.object;
    this.remedy = details.remedy;
  }
}

/** The code of any thrown value; `internal` for what we did not throw on purpose. */
export function errorCode(error: unknown): ErrorCode {
  return error instanceof LongshoreError ? error.code : 'internal';
}

/** True when `error` is a LongshoreError with that code. */
export function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof LongshoreError && error.code === code;
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True for a Node system error with that code, as in `ENOENT`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
