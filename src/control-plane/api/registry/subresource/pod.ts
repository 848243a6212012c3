import type { KubeObject } from '../../../../types/kubernetes/meta.ts';

export interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastProbeTime?: string | null;
  readonly lastTransitionTime?: string | null;
}

export interface PodStatusLike {
  readonly phase?: string;
  readonly nominatedNodeName?: string;
  readonly conditions?: readonly PodCondition[];
}

export interface PodLike extends KubeObject {
  readonly spec?: { readonly nodeName?: string; readonly schedulingGates?: readonly unknown[] };
  readonly status?: PodStatusLike;
}

/** A status with that condition; the time of its last change moves only when its status does. */
export function withCondition<T extends PodStatusLike>(status: T, condition: PodCondition, now: string): T {
  const conditions = status.conditions ?? [];
  const before = conditions.find((other) => other.type === condition.type);
  const next = { ...condition, lastProbeTime: null, lastTransitionTime: before?.status === condition.status ? before.lastTransitionTime ?? now : now };
  return { ...status, conditions: before === undefined ? [...conditions, next] : conditions.map((other) => (other === before ? next : other)) };
}

export function isReady(pod: PodLike): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}
