import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { jsonEqual } from './equal.ts';
import type { Draft, Strategy } from './strategy.ts';

/** What an update through `status` may change besides the status: everything in the core group, labels never elsewhere. */
const KEEPS_METADATA_OF_STATUS = new Set(['']);

/**
 * The behaviour that follows from a resource's row alone: a kind with a status
 * subresource takes no status from its main endpoint and nothing else from
 * the status endpoint.
 */
export function generalStrategy(info: ResourceInfo): Strategy {
  const hasStatus = info.subresources.some((subresource) => subresource.name === 'status');
  return {
    createOnUpdate: false,
    unconditionalUpdate: true,
    generation: hasStatus && info.group !== '',
    garbageCollected: true,
    prepareForCreate(object: Draft): void {
      if (hasStatus) delete object.status;
    },
    prepareForUpdate(object: Draft, old: KubeObject, subresource: string | undefined): void {
      if (subresource === 'status') keepAllBut(object, old, 'status', KEEPS_METADATA_OF_STATUS.has(info.group));
      else if (hasStatus) keep(object, old, 'status');
    },
    changed(object: Draft, old: KubeObject): boolean {
      const { metadata: _m, status: _s, ...now } = object;
      const { metadata: _om, status: _os, ...before } = old as KubeObject & { status?: unknown };
      return !jsonEqual(now, before);
    },
  };
}

/** Sets a member back to what it was. */
export function keep(object: Draft, old: KubeObject, member: string): void {
  const before = (old as Record<string, unknown>)[member];
  if (before === undefined) delete object[member];
  else object[member] = before;
}

/** Sets everything back but one member, and (unless `metadata` is kept) the metadata that users set. */
export function keepAllBut(object: Draft, old: KubeObject, member: string, metadata: boolean): void {
  for (const key of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (key !== member && key !== 'metadata' && key !== 'kind' && key !== 'apiVersion') keep(object, old, key);
  }
  if (metadata) return;
  for (const key of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    const before = old.metadata?.[key];
    if (before === undefined) delete object.metadata[key];
    else object.metadata[key] = before;
  }
}
