import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { schemaOf } from '../../../../types/kubernetes/schema.ts';
import { jsonEqual } from '../equal.ts';
import type { Draft, Strategy } from '../strategy.ts';
import { CREATED_ON_UPDATE, NO_UNCONDITIONAL_UPDATE, WITH_GENERATION } from './facts.ts';
import { zeroOf } from './zero.ts';

/** Sets a member back to what it was. */
export function keep(object: Record<string, unknown>, old: object | undefined, member: string): void {
  const before = (old as Record<string, unknown> | undefined)?.[member];
  if (before === undefined) delete object[member];
  else object[member] = before;
}

/** Sets everything below the top level back but one member (and the metadata). */
export function keepAllBut(object: Draft, old: KubeObject, member: string): void {
  for (const key of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (key !== member && key !== 'metadata' && key !== 'kind' && key !== 'apiVersion') keep(object, old, key);
  }
}

/** Sets the metadata back that users set: what a subresource of a kind with strict ways may not touch. */
export function keepUserMetadata(object: Draft, old: KubeObject): void {
  for (const key of ['labels', 'annotations', 'finalizers', 'ownerReferences']) keep(object.metadata, old.metadata, key);
}

/**
 * The behaviour that follows from a resource's row and the table of facts: a
 * kind with a status subresource takes no status from its main endpoint and
 * nothing but the status from the status endpoint. A kind without a Go type
 * is a custom resource.
 */
export function generalStrategy(info: ResourceInfo): Strategy {
  const id = `${info.group === '' ? 'core' : info.group}/${info.resource}`;
  const schema = schemaOf(info.schema);
  const hasStatus = info.subresources.some((subresource) => subresource.name === 'status');
  const statusType = schema?.fields.get('status')?.type;
  return {
    createOnUpdate: CREATED_ON_UPDATE.has(id),
    unconditionalUpdate: schema !== undefined && !NO_UNCONDITIONAL_UPDATE.has(id),
    generation: schema === undefined || WITH_GENERATION.has(id),
    garbageCollected: true,
    prepareForCreate(object: Draft): void {
      if (!hasStatus) return;
      if (statusType?.kind === 'struct') object.status = zeroOf(statusType.schema);
      else delete object.status;
    },
    prepareForUpdate(object: Draft, old: KubeObject, subresource: string | undefined): void {
      if (!hasStatus) return;
      if (subresource !== 'status') {
        keep(object, old, 'status');
        return;
      }
      keepAllBut(object, old, 'status');
      if (schema === undefined) keepUserMetadata(object, old);
    },
    changed(object: Draft, old: KubeObject): boolean {
      const { metadata: _m, ...now } = object;
      const { metadata: _om, ...before } = old as KubeObject & Record<string, unknown>;
      if (hasStatus || schema !== undefined) {
        delete now.status;
        delete before.status;
      }
      return !jsonEqual(now, before);
    },
  };
}
