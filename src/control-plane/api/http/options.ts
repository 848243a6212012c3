import type { DeleteParameters, ListParameters, WatchParameters, WriteParameters } from '../contract.ts';
import { badRequest, invalid } from '../errors.ts';
import type { Query } from './target.ts';

/** The writable form of what is read here, without undefined values. */
type Build<T> = { -readonly [K in keyof T]: T[K] };

function integer(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (!Number.isSafeInteger(value)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}

/** As the API reads booleans in a query: present and neither `false` nor `0` is true. */
export function flag(query: Query, name: string): boolean | undefined {
  const text = query.get(name);
  return text === undefined ? undefined : text !== 'false' && text !== '0';
}

/** metav1.ListOptions from a query. @throws StatusError 400 */
export function listParameters(query: Query): ListParameters {
  const out: Build<ListParameters> = {};
  if (query.empty) return out;
  copy(query, out, 'labelSelector', 'fieldSelector', 'continue', 'resourceVersion', 'resourceVersionMatch');
  const limit = integer(query, 'limit');
  if (limit !== undefined && limit > 0) out.limit = limit;
  if (flag(query, 'sendInitialEvents') !== undefined) {
    throw optionsInvalid('ListOptions', 'sendInitialEvents', 'FieldValueForbidden', 'Forbidden: sendInitialEvents is forbidden for list');
  }
  return out;
}

export interface WatchOptions extends WatchParameters {
  readonly timeoutSeconds?: number;
}

/** metav1.ListOptions of a watch. @throws StatusError 400 */
export function watchParameters(query: Query): WatchOptions {
  const out: Build<WatchOptions> = {};
  copy(query, out, 'labelSelector', 'fieldSelector', 'resourceVersion');
  const bookmarks = flag(query, 'allowWatchBookmarks');
  if (bookmarks !== undefined) out.allowWatchBookmarks = bookmarks;
  const initial = flag(query, 'sendInitialEvents');
  // A watch without a version is one that sends what is there first, whose match is set for it.
  if (query.get('continue') && (query.get('resourceVersionMatch') || Number(query.get('resourceVersion') ?? 0) === 0)) {
    throw optionsInvalid(
      'ListOptions',
      'resourceVersionMatch',
      'FieldValueForbidden',
      'Forbidden: resourceVersionMatch is forbidden when continue is provided',
    );
  }
  const match = query.get('resourceVersionMatch');
  if (initial !== undefined) {
    if (match !== 'NotOlderThan') {
      throw optionsInvalid(
        'ListOptions',
        'resourceVersionMatch',
        'FieldValueForbidden',
        'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    }
    out.sendInitialEvents = initial;
  } else if (match !== undefined && match !== '') {
    const causes = [
      {
        reason: 'FieldValueForbidden',
        field: 'resourceVersionMatch',
        message: 'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      },
    ];
    if (match !== 'NotOlderThan') {
      causes.push({
        reason: 'FieldValueNotSupported',
        field: 'resourceVersionMatch',
        message: `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`,
      });
    }
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', causes);
  }
  const timeout = integer(query, 'timeoutSeconds');
  if (timeout !== undefined && timeout > 0) out.timeoutSeconds = timeout;
  return out;
}

function copy<T extends object>(query: Query, out: T, ...names: readonly (keyof T & string)[]): void {
  for (const name of names) {
    const value = query.get(name);
    if (value !== undefined && value !== '') (out as Record<string, string>)[name] = value;
  }
}

const VALIDATIONS = new Set(['Ignore', 'Warn', 'Strict']);
const MAX_MANAGER = 128;

/** metav1.CreateOptions, UpdateOptions and PatchOptions from a query. @throws StatusError 400 or 422 */
export function writeParameters(
  query: Query,
  userAgent: string | undefined,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  apply: boolean,
): WriteParameters {
  const out: Build<WriteParameters> = {};
  if (!query.empty) {
    if (dryRun(query.all('dryRun'), kind)) out.dryRun = true;
    const validation = query.get('fieldValidation');
    if (validation !== undefined && validation !== '') {
      if (!VALIDATIONS.has(validation)) {
        throw optionsInvalid(
          kind,
          'fieldValidation',
          'FieldValueNotSupported',
          `Unsupported value: ${JSON.stringify(validation)}: supported values: "", "Ignore", "Strict", "Warn"`,
        );
      }
      out.fieldValidation = validation as NonNullable<WriteParameters['fieldValidation']>;
    }
    const force = flag(query, 'force');
    if (force !== undefined) {
      if (!apply) throw optionsInvalid(kind, 'force', 'FieldValueForbidden', 'Forbidden: may not be specified for non-apply patch');
      out.force = force;
    }
    const manager = query.get('fieldManager');
    if (manager !== undefined && manager !== '') {
      if (manager.length > MAX_MANAGER) {
        throw optionsInvalid(kind, 'fieldManager', 'FieldValueTooLong', `Too long: may not be more than ${MAX_MANAGER} bytes`);
      }
      if (!/^[\x20-\x7e\u00a0-\uffff]*$/.test(manager)) {
        throw optionsInvalid(
          kind,
          'fieldManager',
          'FieldValueInvalid',
          `Invalid value: ${JSON.stringify(manager)}: should only contain printable characters`,
        );
      }
      out.fieldManager = manager;
    }
  }
  if (out.fieldManager === undefined) {
    if (apply) throw optionsInvalid(kind, 'fieldManager', 'FieldValueRequired', 'Required value: is required for apply patch');
    out.fieldManager = managerOf(userAgent);
  }
  return out;
}

/** The field manager of a client that names none: the first part of its User-Agent. */
export function managerOf(userAgent: string | undefined): string {
  const name = (userAgent ?? '').split('/', 1)[0]!.slice(0, MAX_MANAGER);
  return name === '' ? 'unknown' : name;
}

function dryRun(values: readonly string[], kind: string): boolean {
  if (values.length === 0 || (values.length === 1 && values[0] === '')) return false;
  if (values.some((value) => value !== 'All')) {
    throw optionsInvalid(kind, 'dryRun', 'FieldValueNotSupported', `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`);
  }
  return true;
}

const PROPAGATIONS = new Set(['Orphan', 'Background', 'Foreground']);

export interface DeleteRequest extends DeleteParameters {
  /** The deprecated orphanDependents=false asks for 202 when the object lives on. */
  readonly acceptedWhenLeft?: boolean;
}

/** metav1.DeleteOptions from a query or, where one was sent, a body (which wins). @throws StatusError 400 or 422 */
export function deleteParameters(query: Query, body: unknown): DeleteRequest {
  const out: Build<DeleteRequest> = {};
  if (body !== undefined) readDeleteBody(body, out);
  else if (!query.empty) {
    const grace = integer(query, 'gracePeriodSeconds');
    if (grace !== undefined) out.gracePeriodSeconds = grace;
    const policy = query.get('propagationPolicy');
    if (policy !== undefined && policy !== '') out.propagationPolicy = propagation(policy);
    const orphan = flag(query, 'orphanDependents');
    if (orphan !== undefined) setOrphan(out, orphan);
    if (dryRun(query.all('dryRun'), 'DeleteOptions')) out.dryRun = true;
  }
  if (out.gracePeriodSeconds !== undefined && out.gracePeriodSeconds < 0) out.gracePeriodSeconds = 1;
  return out;
}

function readDeleteBody(body: unknown, out: Build<DeleteRequest>): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badRequest('the body must be a DeleteOptions object');
  const { kind, gracePeriodSeconds, propagationPolicy, preconditions, dryRun: dry, orphanDependents } = body as Record<string, unknown>;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(`decoded object cannot be converted to DeleteOptions: kind ${JSON.stringify(kind)}`);
  }
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds !== null) {
    if (!Number.isSafeInteger(gracePeriodSeconds)) {
      throw badRequest('json: cannot unmarshal DeleteOptions.gracePeriodSeconds: it must be a whole number');
    }
    out.gracePeriodSeconds = gracePeriodSeconds as number;
  }
  if (propagationPolicy !== undefined && propagationPolicy !== null) out.propagationPolicy = propagation(propagationPolicy);
  if (typeof orphanDependents === 'boolean') setOrphan(out, orphanDependents);
  if (dry !== undefined && dry !== null) {
    if (!Array.isArray(dry)) throw badRequest('json: cannot unmarshal DeleteOptions.dryRun: it must be a list');
    if (dryRun(dry.map(String), 'DeleteOptions')) out.dryRun = true;
  }
  if (typeof preconditions === 'object' && preconditions !== null) {
    const { uid, resourceVersion } = preconditions as Record<string, unknown>;
    out.preconditions = { ...(typeof uid === 'string' && { uid }), ...(typeof resourceVersion === 'string' && { resourceVersion }) };
  }
}

function setOrphan(out: Build<DeleteRequest>, orphan: boolean): void {
  if (out.propagationPolicy !== undefined) {
    throw optionsInvalid(
      'DeleteOptions',
      'propagationPolicy',
      'FieldValueInvalid',
      `Invalid value: ${JSON.stringify(out.propagationPolicy)}: orphanDependents and deletionPropagation cannot be both set`,
    );
  }
  out.propagationPolicy = orphan ? 'Orphan' : 'Background';
  if (!orphan) out.acceptedWhenLeft = true;
}

function propagation(value: unknown): NonNullable<DeleteParameters['propagationPolicy']> {
  if (typeof value !== 'string' || !PROPAGATIONS.has(value)) {
    throw optionsInvalid(
      'DeleteOptions',
      'propagationPolicy',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(value)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
    );
  }
  return value as NonNullable<DeleteParameters['propagationPolicy']>;
}

function optionsInvalid(kind: string, field: string, reason: string, message: string): Error {
  return invalid({ group: 'meta.k8s.io', kind }, '', [{ reason, message, field }]);
}
