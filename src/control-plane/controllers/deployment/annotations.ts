import type { Deployment, ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import { maxSurge, replicasOf } from './fenceposts.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that are not handed on to its ReplicaSets. */
const KEPT_BACK = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

const MAX_INT64 = 2n ** 63n - 1n;

/** The history of revisions of a ReplicaSet may be so long, in characters. */
const HISTORY_CHARACTERS = 2000;

type Annotations = Readonly<Record<string, string>>;

/** The revision that a ReplicaSet or Deployment bears: an int64; 0 without one, or with one that is no such number. */
export function revisionOf(object: { readonly metadata?: { readonly annotations?: Annotations } }): bigint {
  return revision(object.metadata?.annotations?.[REVISION]);
}

function revision(text: string | undefined): bigint {
  if (text === undefined || !/^\d{1,19}$/.test(text)) return 0n;
  const number = BigInt(text);
  return number <= MAX_INT64 ? number : 0n;
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
 * Deployment, and a revision that is no smaller than `atLeast`. One that is
 * used again (a rollback) notes the revisions that it had before.
 */
export function newReplicaSetAnnotations(deployment: Deployment, replicaSet: ReplicaSet, atLeast: bigint): Annotations {
  const annotations: Record<string, string> = { ...replicaSet.metadata?.annotations };
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {})) if (!KEPT_BACK.has(key)) annotations[key] = value;
  const before = annotations[REVISION];
  if (revision(before) >= atLeast) return annotations;
  annotations[REVISION] = String(atLeast);
  if (before !== undefined) {
    const history = [...(annotations[REVISION_HISTORY] ?? '').split(',').filter(Boolean), before];
    while (history.join(',').length > HISTORY_CHARACTERS) history.shift();
    annotations[REVISION_HISTORY] = history.join(',');
  }
  return annotations;
}
