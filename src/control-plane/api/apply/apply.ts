import type { KubeObject, ObjectMeta } from '../../../types/kubernetes/meta.ts';
import { schemaOf } from '../../../types/kubernetes/schema.ts';
import { badRequest } from '../errors.ts';
import { decodeKind } from '../rules/decode/decode.ts';
import { compare, type Comparison, equal } from './compare.ts';
import { type Conflict, conflictError } from './conflicts.ts';
import type { ApplyRequest, ApplyResult } from './contract.ts';
import { differenceAll, type FieldSet, intersectionAll, isEmpty, LEAF, unionAll } from './field-set.ts';
import { LAST_APPLIED, renewLastApplied, stillAsLastApplied } from './last-applied.ts';
import { identityOf, type Manager, type Managers, readManagers, sameManagers, writeManagers } from './managers.ts';
import { merge } from './merge.ts';
import { ownedBy } from './own.ts';
import { prune } from './prune.ts';
import { rootShape, type Shape } from './shape.ts';
import { apiVersionOf, blankOf, takeOver, untracked } from './track.ts';
import { refuseDuplicates } from './typed.ts';

export { trackUpdate } from './track.ts';

/** Server-side apply. See ApplyPatch of contract.ts. */
export function applyPatch(request: ApplyRequest): ApplyResult {
  const { resource, live, now } = request;
  const subresource = request.subresource === '' ? undefined : request.subresource;
  const shape = rootShape(resource, subresource);
  if (request.applied.metadata?.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  refuseDuplicates(shape, resource, request.applied);
  const base = live ?? blankOf(resource);
  const before = managersOf(request, live);
  const merged = merge(shape, base, request.applied) as KubeObject;
  const manager: Manager = {
    name: request.manager, operation: 'Apply', apiVersion: apiVersionOf(resource), subresource, time: now, entry: undefined,
    fields: ownedBy(shape, request.applied) ?? LEAF,
  };
  const identity = identityOf(manager);
  const managers: Managers = new Map(before).set(identity, manager);
  const next = prune(shape, merged, before.get(identity)?.fields ?? LEAF, everything(managers)) as KubeObject;
  const comparison = compare(shape, base, next);
  if (!request.force) refuseConflicts(request, shape, base, managers, comparison, identity);
  takeOver(managers, comparison, identity);
  return finish(request, base, next, before, managers, identity);
}

/** Who manages the live object; what nobody was seen to set belongs to a manager of its own. */
function managersOf(request: ApplyRequest, live: KubeObject | undefined): Managers {
  const managers = readManagers(live?.metadata?.managedFields);
  if (managers !== undefined && managers.size > 0) return managers;
  return live === undefined ? new Map<string, Manager>() : untracked(request.resource, request.subresource, live);
}

function everything(managers: Managers): FieldSet {
  let all: FieldSet = LEAF;
  for (const manager of managers.values()) all = unionAll(all, manager.fields);
  return all;
}

/** @throws StatusError 409 when others own what changed */
function refuseConflicts(request: ApplyRequest, shape: Shape, live: KubeObject, managers: Managers, { changed }: Comparison, except: string): void {
  const conflicts: Conflict[] = [];
  for (const [identity, manager] of managers) {
    if (identity === except) continue;
    const fields = intersectionAll(manager.fields, changed);
    if (!isEmpty(fields)) conflicts.push({ manager, fields });
  }
  if (conflicts.length === 0) return;
  if (request.manager !== 'kubectl') throw conflictError(conflicts);
  const allowed = stillAsLastApplied(shape, apiVersionOf(request.resource), live);
  const left = conflicts.map(({ manager, fields }) => ({ manager, fields: differenceAll(fields, allowed) })).filter(({ fields }) => !isEmpty(fields));
  if (left.length > 0) throw conflictError(left);
}

function finish(request: ApplyRequest, base: KubeObject, next: KubeObject, before: Managers, managers: Managers, identity: string): ApplyResult {
  const { resource, applied, live } = request;
  const metadata = { ...next.metadata } as Record<string, unknown>;
  // Preconditions: what the configuration says of them is for the registry to check.
  for (const key of ['uid', 'resourceVersion'] as const) if ((applied.metadata?.[key] ?? '') !== '') metadata[key] = applied.metadata![key];
  if (request.manager === 'kubectl') {
    const annotations = renewLastApplied(next, applied);
    if (annotations === undefined) delete metadata.annotations;
    else metadata.annotations = annotations;
  }
  delete metadata.managedFields;
  const whole = { ...next, metadata: metadata as ObjectMeta };
  const object = schemaOf(resource.schema) === undefined ? whole : decodeKind(resource, whole, []);
  const fields = equal(withoutLastApplied(object), withoutLastApplied(base)) ? quiet(before, managers, identity) : managers;
  const entries = fields === before && live?.metadata?.managedFields !== undefined ? live.metadata.managedFields : writeManagers(fields);
  const changed = live === undefined || !equal(comparable(object), comparable(live)) || entries !== live.metadata?.managedFields;
  return { object: { ...object, metadata: { ...object.metadata, ...(entries !== undefined && { managedFields: entries }) } }, changed };
}

/** What an apply itself can change: the annotation that follows it is the server's doing. */
function withoutLastApplied(object: KubeObject): unknown {
  const { managedFields: _, annotations = {}, ...metadata } = object.metadata ?? {};
  const { [LAST_APPLIED]: __, ...others } = annotations;
  return { ...object, metadata: { ...metadata, annotations: others } };
}

/** An apply that changes nothing of the object keeps the time of its last change, or has none; one that changes no ownership either is no change at all. */
function quiet(before: Managers, managers: Managers, identity: string): Managers {
  if (sameManagers(before, managers)) return before;
  const manager = managers.get(identity);
  return manager === undefined ? managers : new Map(managers).set(identity, { ...manager, time: before.get(identity)?.time });
}

function comparable(object: KubeObject): unknown {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}
