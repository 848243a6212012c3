import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { autoscalerFromV2, autoscalerToV2 } from './conversions/autoscaler.ts';
import { eventFromCore, eventToCore } from './conversions/event.ts';

/** Where a resource is stored, and in which version where that matters. */
export interface StorageIdentity {
  /** `group/resource`, with `core` for the core group. */
  readonly id: string;
  /** Every object is stored in this version; undefined: in that of the request, since the versions differ in name only. */
  readonly apiVersion: string | undefined;
}

type Convert = (object: KubeObject) => KubeObject;

/** Versions of a kind whose fields differ, and the way between them; one of the two is stored. */
interface Pair {
  readonly kind: string;
  readonly stored: string;
  readonly other: string;
  readonly fromStored: Convert;
  readonly toStored: Convert;
}

const PAIRS: readonly Pair[] = [
  { kind: 'Event', stored: 'v1', other: 'events.k8s.io/v1', fromStored: eventFromCore, toStored: eventToCore },
  { kind: 'HorizontalPodAutoscaler', stored: 'autoscaling/v2', other: 'autoscaling/v1', fromStored: autoscalerFromV2, toStored: autoscalerToV2 },
];

const SHARED: Readonly<Record<string, StorageIdentity>> = {
  'core/events': { id: 'core/events', apiVersion: 'v1' },
  'events.k8s.io/events': { id: 'core/events', apiVersion: 'v1' },
  'autoscaling/horizontalpodautoscalers': { id: 'autoscaling/horizontalpodautoscalers', apiVersion: 'autoscaling/v2' },
};

export function storageOf(info: Pick<ResourceInfo, 'group' | 'resource'>): StorageIdentity {
  const id = `${info.group === '' ? 'core' : info.group}/${info.resource}`;
  return Object.hasOwn(SHARED, id) ? SHARED[id]! : { id, apiVersion: undefined };
}

/** The object in another version of its kind; shares what does not change. */
export function convert(object: KubeObject, apiVersion: string): KubeObject {
  if (object.apiVersion === apiVersion) return object;
  const pair = PAIRS.find(
    ({ kind, stored, other }) =>
      kind === object.kind &&
      ((object.apiVersion === stored && apiVersion === other) || (object.apiVersion === other && apiVersion === stored)),
  );
  const fields = pair === undefined ? object : apiVersion === pair.other ? pair.fromStored(object) : pair.toStored(object);
  const { kind, apiVersion: _, metadata, ...rest } = fields as KubeObject & Record<string, unknown>;
  return { ...(kind !== undefined && { kind }), apiVersion, ...(metadata !== undefined && { metadata }), ...rest };
}
