import type { RequestContext, Rules, WriteParameters } from '../contract.ts';
import { badRequest } from '../errors.ts';
import type { Kind } from './kinds.ts';
import type { Draft } from './strategy.ts';

/** One write request, as far as it is known before anything is read. */
export interface Scope {
  readonly context: RequestContext;
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly options: WriteParameters;
}

/**
 * Turns a body into a clean private copy with defaults, or refuses it.
 * @param body a decoded JSON value that nobody has looked at
 * @throws StatusError 400
 */
export function decodeBody(rules: Rules, scope: Scope, body: unknown): Draft {
  const { kind } = scope;
  const unknown: string[] = [];
  const object = rules.decode(kind.info, body, unknown) as Draft;
  reportFields(scope, unknown, body);
  object.metadata ??= {};
  object.apiVersion = kind.apiVersion;
  object.kind = kind.kind;
  rules.applyDefaults(kind.info, object);
  return object;
}

/** Unknown and duplicate fields: an error when strict, a warning by default, nothing when ignored. */
export function reportFields(scope: Scope, unknown: readonly string[], body: unknown): void {
  const { strictFaults = [] } = scope.options;
  if (unknown.length === 0 && strictFaults.length === 0) return;
  const mode = scope.options.fieldValidation ?? 'Warn';
  if (mode === 'Ignore') return;
  const said = [...strictFaults, ...unknown.map((path) => `unknown field "${path}"`)];
  if (mode === 'Warn') {
    scope.context.warnings.push(...said);
    return;
  }
  const { kind } = body as { kind?: string };
  throw badRequest(
    `${kind ?? scope.kind.kind} in version "${scope.kind.info.version}" cannot be handled as a ${scope.kind.kind}: strict decoding error: ${said.join(', ')}`,
  );
}

/** The body must be about the object that the path names. @throws StatusError 400 */
export function checkName(scope: Scope, object: Draft, name: string): void {
  const { metadata } = object;
  if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  metadata.name = name;
  settleNamespace(scope, object);
}

/** @throws StatusError 400 when the body names another namespace than the request */
export function settleNamespace(scope: Scope, object: Draft): void {
  const { metadata } = object;
  if (!scope.kind.namespaced) {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== scope.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  metadata.namespace = scope.namespace;
}
