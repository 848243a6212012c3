import type { EventTarget } from '../../../client/events.ts';
import { apiVersionOf } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';

/** The object as the subject of an event. */
export function eventTarget(resource: ResourceRef, object: KubeObject): EventTarget {
  return { apiVersion: object.apiVersion ?? apiVersionOf(resource), kind: object.kind ?? resource.kind, ...(object.metadata && { metadata: object.metadata }) };
}
