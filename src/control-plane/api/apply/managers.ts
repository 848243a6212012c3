import type { ManagedFieldsEntry } from '../../../types/kubernetes/meta.ts';
import { type FieldSet, isEmpty, sameSet, unionAll } from './field-set.ts';

/** One manager of fields: whoever writes under a name, by one kind of operation, through one endpoint. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  readonly time: string | undefined;
  readonly fields: FieldSet;
  /** The entry that it was read from, so that what does not change is not written anew. */
  readonly entry: ManagedFieldsEntry | undefined;
}

/** By identity. An applier is the same in every version of the API, an updater is another in each. */
export type Managers = Map<string, Manager>;

/** Beyond so many updaters the oldest ones are put together. */
const MAX_UPDATERS = 10;
const OLD_UPDATERS = 'ancient-changes';

type Identity = Pick<Manager, 'name' | 'operation' | 'apiVersion' | 'subresource'>;

export function identityOf(manager: Identity): string {
  const version = manager.operation === 'Apply' ? '' : manager.apiVersion;
  return `${manager.operation}\n${version}\n${manager.subresource ?? ''}\n${manager.name}`;
}

/** Reads a list of entries; undefined when one of them is malformed. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | undefined {
  const managers: Managers = new Map();
  for (const entry of entries ?? []) {
    const { operation, apiVersion } = entry;
    if (
      (operation !== 'Apply' && operation !== 'Update') ||
      apiVersion === undefined ||
      apiVersion === '' ||
      entry.fieldsType !== 'FieldsV1'
    ) {
      return undefined;
    }
    const fields = (entry.fieldsV1 ?? {}) as FieldSet;
    if (!isFieldSet(fields, 0)) return undefined;
    const manager: Manager = { name: entry.manager ?? '', operation, apiVersion, subresource: entry.subresource, time: entry.time, fields, entry };
    managers.set(identityOf(manager), manager);
  }
  return managers;
}

/** What clients send is looked at before it is walked. */
function isFieldSet(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > 200) return false;
  for (const key in value) {
    if (key !== '.' && !/^[fvki]:/.test(key)) return false;
    if (key.startsWith('k:') && !isJsonObject(key.slice(2))) return false;
    if (!isFieldSet((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false; // Not JSON: that is the answer.
  }
}

/** The entries to store, in the API's order; undefined when there are none. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()].filter((manager) => !isEmpty(manager.fields)).map(entryOf);
  if (entries.length === 0) return undefined;
  return entries.sort(
    (a, b) =>
      order(a.operation, b.operation) ||
      order(a.time, b.time) ||
      order(a.manager, b.manager) ||
      order(a.apiVersion, b.apiVersion) ||
      order(a.subresource, b.subresource),
  );
}

function order(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A manager as it is stored. */
export function entryOf(manager: Manager): ManagedFieldsEntry {
  const { entry } = manager;
  if (
    entry !== undefined &&
    entry.fieldsV1 === manager.fields &&
    entry.time === manager.time &&
    entry.apiVersion === manager.apiVersion &&
    (entry.manager ?? '') === manager.name
  ) {
    return entry;
  }
  return {
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time !== undefined && { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: manager.fields,
    ...(manager.subresource !== undefined && manager.subresource !== '' && { subresource: manager.subresource }),
  };
}

/** Puts the oldest updaters together while there are too many, by version of the API. */
export function capUpdaters(managers: Managers): void {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update').sort(([a, m], [b, n]) => order(m.time, n.time) || order(a, b));
  let count = updaters.length;
  const first = new Map<string, string>();
  for (const [identity, manager] of updaters) {
    if (count <= MAX_UPDATERS) return;
    const { apiVersion } = manager;
    const earlier = first.get(apiVersion);
    if (earlier === undefined) {
      first.set(apiVersion, identity);
      continue;
    }
    const bucket: Identity = { name: OLD_UPDATERS, operation: 'Update', apiVersion, subresource: undefined };
    const bucketId = identityOf(bucket);
    const sum = managers.get(bucketId) ?? managers.get(earlier)!;
    if (!managers.has(bucketId)) managers.delete(earlier);
    managers.delete(identity);
    managers.set(bucketId, { ...bucket, time: manager.time, fields: unionAll(sum.fields, manager.fields), entry: undefined });
    count--;
  }
}

/** True when both hold the same managers with the same fields, whatever their times. */
export function sameManagers(a: Managers, b: Managers): boolean {
  if (a.size !== b.size) return false;
  for (const [identity, manager] of a) {
    const other = b.get(identity);
    if (other === undefined || other.apiVersion !== manager.apiVersion || !sameSet(manager.fields, other.fields)) return false;
  }
  return true;
}
