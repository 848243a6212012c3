import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';

/** Where a resource is stored, and in which version where that matters. */
export interface StorageIdentity {
  /** `group/resource`, with `core` for the core group. */
  readonly id: string;
  /** Every object is stored in this version; undefined: in that of the request, since the versions differ in name only. */
  readonly apiVersion: string | undefined;
}

type Convert = (object: KubeObject) => KubeObject;

interface Shared {
  readonly identity: StorageIdentity;
  /** From the stored version to another, and back. */
  readonly from: Readonly<Record<string, Convert>>;
  readonly to: Readonly<Record<string, Convert>>;
}

const SHARED = new Map<string, Shared>();

/** Registers versions of a kind whose fields differ: see conversions/. */
export function shareStorage(resources: readonly string[], identity: StorageIdentity, from: Shared['from'], to: Shared['to']): void {
  for (const resource of resources) SHARED.set(resource, { identity, from, to });
}

export function storageOf(info: Pick<ResourceInfo, 'group' | 'resource'>): StorageIdentity {
  const id = `${info.group === '' ? 'core' : info.group}/${info.resource}`;
  return SHARED.get(id)?.identity ?? { id, apiVersion: undefined };
}

/** The object in another version of its kind. */
export function convert(object: KubeObject, apiVersion: string): KubeObject {
  if (object.apiVersion === apiVersion) return object;
  for (const { identity, from, to } of SHARED.values()) {
    if (identity.apiVersion === object.apiVersion && Object.hasOwn(from, apiVersion) && from[apiVersion] !== undefined && sameKind(identity, object)) return { ...from[apiVersion](object), apiVersion };
    if (identity.apiVersion === apiVersion && object.apiVersion !== undefined && Object.hasOwn(to, object.apiVersion) && sameKind(identity, object)) return { ...to[object.apiVersion]!(object), apiVersion };
  }
  return { ...object, apiVersion };
}

function sameKind(identity: StorageIdentity, object: KubeObject): boolean {
  return identity.id.endsWith(`/${(object.kind ?? '').toLowerCase()}s`);
}
