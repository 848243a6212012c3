import { isReason, StatusError, type Status, type StatusCause, type StatusDetails } from '../../types/kubernetes/status.ts';
import { LongshoreError, type ErrorCode } from '../../lib/errors.ts';

/** How errors name a kind of object: `pods`, or `deployments.apps` outside of the core group. */
export function qualified(resource: { readonly group: string; readonly resource: string }): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
}

/** The Status of a failure, as meta.k8s.io/v1 spells it. */
export function failure(code: number, reason: string, message: string, details?: StatusDetails): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, ...(details && { details }), code };
}

type Named = { readonly group: string; readonly resource: string };

function detailsOf(resource: Named, name?: string): StatusDetails {
  return { ...(name && { name }), ...(resource.group && { group: resource.group }), kind: resource.resource };
}

export function badRequest(message: string): StatusError {
  return new StatusError(failure(400, 'BadRequest', message));
}

/** 500 for what the API server finds wrong without calling it anything: no reason, no details. */
export function unexpected(message: string): StatusError {
  return new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 });
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return new StatusError(failure(401, 'Unauthorized', message));
}

export function notFound(resource: Named, name: string): StatusError {
  return new StatusError(failure(404, 'NotFound', `${qualified(resource)} "${name}" not found`, detailsOf(resource, name)));
}

/** A path that leads nowhere; upstream answers it with this message for resources that it doesn't know. */
export function noSuchResource(): StatusError {
  return new StatusError(failure(404, 'NotFound', 'the server could not find the requested resource', {}));
}

/** Admission or authorisation says no to a named object: `pods "x" is forbidden: …`. */
export function forbidden(resource: Named, name: string, why: string): StatusError {
  const object = name === '' ? `${qualified(resource)} is` : `${qualified(resource)} "${name}" is`;
  return new StatusError(failure(403, 'Forbidden', `${object} forbidden: ${why}`, detailsOf(resource, name)));
}

export function conflict(resource: Named, name: string, why: string): StatusError {
  return new StatusError(failure(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`, detailsOf(resource, name)));
}

export function methodNotSupported(resource: Named, verb: string): StatusError {
  return new StatusError(failure(405, 'MethodNotAllowed', `${verb} is not supported on resources of kind "${qualified(resource)}"`, detailsOf(resource)));
}

/** 422: the object breaks rules of its kind. */
export function invalid(kind: { readonly group: string; readonly kind: string }, name: string, causes: readonly StatusCause[]): StatusError {
  const told = causes.map((cause) => `${cause.field ?? ''}: ${cause.message ?? ''}`);
  const list = told.length === 1 ? told[0]! : `[${told.join(', ')}]`;
  const qualifiedKind = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return new StatusError(
    failure(422, 'Invalid', `${qualifiedKind} "${name}" is invalid: ${list}`, {
      ...(name && { name }),
      ...(kind.group && { group: kind.group }),
      ...(kind.kind && { kind: kind.kind }),
      causes,
    }),
  );
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError(failure(429, 'TooManyRequests', message, { retryAfterSeconds }));
}

export function unavailable(message: string): StatusError {
  return new StatusError(failure(503, 'ServiceUnavailable', message));
}

/** HTTP status and reason for each code of ours. */
const HTTP_OF_CODE: Record<ErrorCode, readonly [number, string]> = {
  invalid: [400, 'BadRequest'],
  'not-found': [404, 'NotFound'],
  'already-exists': [409, 'AlreadyExists'],
  conflict: [409, 'Conflict'],
  unauthorized: [401, 'Unauthorized'],
  forbidden: [403, 'Forbidden'],
  gone: [410, 'Expired'],
  'too-large': [413, 'RequestEntityTooLarge'],
  'unsupported-media-type': [415, 'UnsupportedMediaType'],
  'not-acceptable': [406, 'NotAcceptable'],
  'method-not-allowed': [405, 'MethodNotAllowed'],
  'precondition-failed': [412, 'PreconditionFailed'],
  'too-many-requests': [429, 'TooManyRequests'],
  canceled: [499, 'ClientClosedRequest'],
  'not-implemented': [501, 'NotImplemented'],
  timeout: [504, 'Timeout'],
  unavailable: [503, 'ServiceUnavailable'],
  exhausted: [507, 'InsufficientStorage'],
  internal: [500, 'InternalError'],
};

/** The one place where a thrown value becomes an answer of the API. What we did not throw on purpose tells the client nothing of our inside. */
export function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  if (error instanceof LongshoreError) {
    const [code, reason] = HTTP_OF_CODE[error.code];
    return failure(code, reason, error.remedy === undefined ? error.message : `${error.message}: ${error.remedy}`);
  }
  return failure(500, 'InternalError', 'Internal error occurred: the server met an unexpected condition, see its log');
}

/** True when the object, or the thing that it is about, is not there. */
export function isNotFound(error: unknown): boolean {
  return isReason(error, 'NotFound');
}
