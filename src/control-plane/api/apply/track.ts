import type { KubeObject, ManagedFieldsEntry } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { schemaOf } from '../../../types/kubernetes/schema.ts';
import { decodeKind } from '../rules/decode/decode.ts';
import { compare, type Comparison } from './compare.ts';
import type { TrackRequest } from './contract.ts';
import { differenceAll, type FieldSet, intersectionAll, isEmpty, LEAF, unionAll } from './field-set.ts';
import { recall, remember } from './footprint.ts';
import { capUpdaters, entryOf, identityOf, type Manager, type Managers, readManagers, sameManagers, writeManagers } from './managers.ts';
import { rootShape } from './shape.ts';

const blanks = new Map<string, KubeObject>();

/** An object of the kind with nothing in it but what is always there: what a new object is compared with. */
export function blankOf(resource: ResourceInfo): KubeObject {
  const known = blanks.get(resource.schema);
  if (known !== undefined) return known;
  const blank = schemaOf(resource.schema) === undefined ? { metadata: {} } : decodeKind(resource, {}, []);
  blanks.set(resource.schema, blank);
  return blank;
}

export function apiVersionOf(resource: ResourceInfo): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Keeps managedFields current over a write that is no server-side apply: what it changed is now the writer's. */
export function trackUpdate(request: TrackRequest): readonly ManagedFieldsEntry[] | undefined {
  const { resource, subresource, live, updated } = request;
  const sent = updated.metadata?.managedFields;
  const before = live?.metadata?.managedFields;
  // `[]` or `[{}]` asks for an end of all tracking, and gets it where the object exists already.
  const reset = (subresource ?? '') === '' && sent !== undefined && (sent.length === 0 || (sent.length === 1 && Object.keys(sent[0]!).length === 0));
  if (reset && live !== undefined) return undefined;
  const tracked = readManagers(reset ? undefined : before) ?? new Map<string, Manager>();
  const given = reset || (subresource ?? '') !== '' || sent === undefined || sent === before ? undefined : readManagers(sent);
  // Clients send back what they read; only one that changed it has a say.
  const own = given !== undefined && given.size > 0 && !sameManagers(given, tracked) ? given : undefined;
  const managers = own ?? tracked;
  // Objects from before there was tracking stay without it until somebody applies.
  if (managers.size === 0 && live !== undefined) return undefined;
  const shape = rootShape(resource, subresource);
  const fresh = live === undefined && managers.size === 0;
  const recalled = fresh ? recall(shape, blankOf(resource), updated) : undefined;
  if (recalled !== undefined) return [entryOf({ ...writer(request), fields: recalled })];
  const comparison = compare(shape, live ?? blankOf(resource), updated);
  if (isEmpty(comparison.changed) && isEmpty(comparison.removed)) return own === undefined ? before : writeManagers(managers);
  takeOver(managers, comparison, undefined);
  const fields = fresh ? share(comparison.changed) : comparison.changed;
  if (fresh && isEmpty(comparison.removed)) remember(shape, blankOf(resource), updated, fields);
  add(managers, { ...writer(request), fields });
  capUpdaters(managers);
  return writeManagers(managers);
}

/** Who makes a request, as a manager of nothing yet. */
function writer({ resource, subresource, manager, now }: TrackRequest): Manager {
  return {
    name: manager === '' ? 'unknown' : manager,
    operation: 'Update',
    apiVersion: apiVersionOf(resource),
    subresource: subresource === '' ? undefined : subresource,
    time: now,
    fields: LEAF,
    entry: undefined,
  };
}

/** Objects made of one template have the same fields: their sets are kept once, as long as they are among the last so many. */
const SHARED_LIMIT = 512;
const shared = new Map<string, FieldSet>();

function share(fields: FieldSet): FieldSet {
  const text = JSON.stringify(fields);
  const known = shared.get(text);
  if (known !== undefined) return known;
  if (shared.size >= SHARED_LIMIT) shared.clear();
  shared.set(text, fields);
  return fields;
}

/** Adds fields to a manager. */
function add(managers: Managers, given: Manager): void {
  if (isEmpty(given.fields)) return;
  const manager = { ...given, fields: share(given.fields) };
  const identity = identityOf(manager);
  const previous = managers.get(identity);
  managers.set(identity, previous === undefined ? manager : { ...manager, fields: unionAll(previous.fields, manager.fields) });
}

/** Takes what changed, and what is gone, from all managers but one; those that own nothing any more go. */
export function takeOver(managers: Managers, { changed, removed }: Comparison, except: string | undefined): void {
  for (const [identity, manager] of managers) {
    if (identity !== except) {
      const lost = intersectionAll(manager.fields, changed);
      const fields = differenceAll(differenceAll(manager.fields, lost), removed);
      if (fields !== manager.fields) managers.set(identity, { ...manager, fields });
    }
    if (isEmpty(managers.get(identity)!.fields)) managers.delete(identity);
  }
}

/** Fields of a live object that nobody tracked so far, as one manager, so that an apply does not fall upon them unseen. */
export function untracked(resource: ResourceInfo, subresource: string | undefined, live: KubeObject): Managers {
  const managers: Managers = new Map();
  const { changed } = compare(rootShape(resource, subresource), blankOf(resource), live);
  add(managers, {
    name: 'before-first-apply',
    operation: 'Update',
    apiVersion: apiVersionOf(resource),
    subresource: subresource === '' ? undefined : subresource,
    time: undefined,
    fields: changed,
    entry: undefined,
  });
  return managers;
}
