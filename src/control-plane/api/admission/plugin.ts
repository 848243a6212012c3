import type { Container, EphemeralContainer, Pod, PodSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import type { StatusError } from '../../../types/kubernetes/status.ts';
import type { AdmissionAttributes } from '../contract.ts';
import { forbidden } from '../errors.ts';

/** What a plug-in is asked first. */
export type Handled = Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>;

/** Whether a request is about a kind itself, by one of these operations, and not about a subresource. */
export function concerns(at: Handled, group: string, resource: string, ...operations: readonly AdmissionAttributes['operation'][]): boolean {
  return at.subresource === undefined && at.resource.resource === resource && at.resource.group === group && operations.includes(at.operation);
}

/** 403 that names the object of the request. */
export function refuse(at: Pick<AdmissionAttributes, 'resource' | 'name' | 'object'>, why: string): StatusError {
  return forbidden(at.resource, at.name ?? at.object?.metadata?.name ?? '', why);
}

/** A pod under construction: a private copy, whose spec may be written to. */
export type DraftPod = Omit<Pod, 'spec'> & { spec: { -readonly [K in keyof PodSpec]: PodSpec[K] } };

/** The pod of a request, with a spec and a list of containers even where a body left them out: validation refuses those later. */
export function draftPod(at: Pick<AdmissionAttributes, 'object'>): DraftPod {
  const pod = at.object as DraftPod;
  pod.spec = { ...pod.spec, containers: pod.spec?.containers ?? [] };
  return pod;
}

/** All containers, in the order in which the API server visits them. */
export function containersOf(spec: Partial<PodSpec>): readonly (Container | EphemeralContainer)[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}
