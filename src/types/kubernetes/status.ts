import { LongshoreError, type ErrorCode } from '../../lib/errors.ts';

/** meta.k8s.io/v1 Status: the form of every error of the Kubernetes API. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code?: number;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  /** Path of the field, as in `spec.containers[0].image`. */
  readonly field?: string;
}

/** Our code for each HTTP status that an API server answers with; the most exact one first. */
const CODE_OF_HTTP: Record<number, ErrorCode> = {
  400: 'invalid', 401: 'unauthorized', 403: 'forbidden', 404: 'not-found', 405: 'method-not-allowed', 406: 'not-acceptable',
  409: 'conflict', 410: 'gone', 412: 'precondition-failed', 413: 'too-large', 415: 'unsupported-media-type', 422: 'invalid',
  429: 'too-many-requests', 500: 'internal', 501: 'not-implemented', 503: 'unavailable', 504: 'timeout',
};

/** A failure of the Kubernetes API, with the Status that a client would get. */
export class StatusError extends LongshoreError {
  readonly status: Status;

  constructor(status: Status) {
    super(status.reason === 'AlreadyExists' ? 'already-exists' : CODE_OF_HTTP[status.code ?? 500] ?? 'internal', status.message ?? 'unknown error');
    this.name = 'StatusError';
    this.status = status;
  }
}

/** True when `error` is a StatusError with that reason: `NotFound`, `Conflict`, `AlreadyExists`, `Expired`, … */
export function isReason(error: unknown, reason: string): boolean {
  return error instanceof StatusError && error.status.reason === reason;
}
