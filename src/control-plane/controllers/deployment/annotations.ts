import type { Deployment, ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import { maxSurge, replicasOf } from './fenceposts.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that are not handed on to its ReplicaSets. */
const KEPT_BACK = new Set(['kubectl.kubernetes.io/last-applied-configuration', REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, 'deprecated.deployment.rollback.to']);

/** The history of revisions of a ReplicaSet may be so long, in characters. */
const HISTORY_CHARACTERS = 2000;

type Annotations = Readonly<Record<string, string>>;

/** The revision that a ReplicaSet or Deployment bears; 0 without one, or with one that is no number. */
export function revisionOf(object: { readonly metadata?: { readonly annotations?: Annotations } }): number {
  return wholeNumber(object.metadata?.annotations?.[REVISION]) ?? 0;
}

/** How many replicas the Deployment wanted when it sized this ReplicaSet last. */
export function desiredReplicasOf(replicaSet: ReplicaSet): number | undefined {
  return wholeNumber(replicaSet.metadata?.annotations?.[DESIRED_REPLICAS]);
}

/** How many pods the Deployment might have had then, its surge included. */
export function maxReplicasOf(replicaSet: ReplicaSet): number | undefined {
  return wholeNumber(replicaSet.metadata?.annotations?.[MAX_REPLICAS]);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** What a ReplicaSet of `deployment` records about its size. */
export function replicasAnnotations(deployment: Deployment): Annotations {
  const desired = replicasOf(deployment);
  return { [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(desired + maxSurge(deployment)) };
}

/**
 * The annotations that the newest ReplicaSet should have: those of the
 * Deployment, and a revision that is no smaller than `revision`. One that is
 * used again (a rollback) notes the revisions that it had before.
 */
export function newReplicaSetAnnotations(deployment: Deployment, replicaSet: ReplicaSet, revision: number): Annotations {
  const annotations: Record<string, string> = { ...replicaSet.metadata?.annotations };
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {})) if (!KEPT_BACK.has(key)) annotations[key] = value;
  const before = annotations[REVISION];
  if ((wholeNumber(before) ?? 0) >= revision) return annotations;
  annotations[REVISION] = String(revision);
  if (before !== undefined) {
    const history = [...(annotations[REVISION_HISTORY] ?? '').split(',').filter(Boolean), before];
    while (history.join(',').length > HISTORY_CHARACTERS) history.shift();
    annotations[REVISION_HISTORY] = history.join(',');
  }
  return annotations;
}
