import { statefulSets } from '../../../client/resources.ts';
import type { StatefulSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '../../../types/kubernetes/generated/core-v1.ts';
import { controllerReference } from '../shared/owner.ts';

export const REVISION = 'controller-revision-hash';
const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

/** The number at the end of the pod's name, when the rest is the set's; undefined for pods that are none of its. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata!.name}-`;
  const name = pod.metadata!.name!;
  const rest = name.slice(prefix.length);
  return name.startsWith(prefix) && /^(0|[1-9]\d{0,9})$/.test(rest) ? Number(rest) : undefined;
}

export function replicasOf(set: StatefulSet): number {
  return set.spec!.replicas ?? 1;
}

/** The first ordinal. */
export function startOf(set: StatefulSet): number {
  return set.spec!.ordinals?.start ?? 0;
}

export function isInRange(set: StatefulSet, ordinal: number): boolean {
  return ordinal >= startOf(set) && ordinal < startOf(set) + replicasOf(set);
}

/** Name of the ControllerRevision that a pod was made from. */
export function revisionNameOf(pod: Pod): string | undefined {
  return pod.metadata?.labels?.[REVISION];
}

/** The claims of one pod, by the name of their template. */
export function claimsOf(set: StatefulSet, ordinal: number): ReadonlyMap<string, PersistentVolumeClaim> {
  const claims = new Map<string, PersistentVolumeClaim>();
  for (const template of set.spec!.volumeClaimTemplates ?? []) {
    const name = template.metadata!.name!;
    const labels = { ...template.metadata!.labels, ...set.spec!.selector?.matchLabels };
    claims.set(name, {
      ...template,
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { ...template.metadata, name: `${name}-${set.metadata!.name}-${ordinal}`, namespace: set.metadata!.namespace!, labels },
    });
  }
  return claims;
}

function volumesOf(set: StatefulSet, ordinal: number, volumes: readonly Volume[] | undefined): Volume[] {
  const claims = claimsOf(set, ordinal);
  const claimed = [...claims].map(([name, claim]): Volume => ({ name, persistentVolumeClaim: { claimName: claim.metadata!.name! } }));
  return [...claimed, ...(volumes ?? []).filter(({ name }) => !claims.has(name))];
}

/** The set's pod of that number, from a template and the revision which records it. */
export function podOf(set: StatefulSet, ordinal: number, template: PodTemplateSpec, revision: string): Pod {
  const name = `${set.metadata!.name}-${ordinal}`;
  const spec = template.spec!;
  const volumes = volumesOf(set, ordinal, spec.volumes);
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      name, generateName: `${set.metadata!.name}-`, namespace: set.metadata!.namespace!,
      labels: { ...template.metadata?.labels, [REVISION]: revision, ...identityLabels(name, ordinal) },
      ...(template.metadata?.annotations && { annotations: template.metadata.annotations }),
      ...(template.metadata?.finalizers && { finalizers: template.metadata.finalizers }),
      ownerReferences: [controllerReference(statefulSets, set)],
    },
    spec: { ...spec, hostname: name, ...(set.spec!.serviceName && { subdomain: set.spec!.serviceName }), ...(volumes.length > 0 && { volumes }) },
  };
}

function identityLabels(name: string, ordinal: number): Record<string, string> {
  return { [POD_NAME]: name, [POD_INDEX]: String(ordinal) };
}

/** The pod with its identity restored; undefined when nothing is amiss. */
export function withIdentity(pod: Pod, ordinal: number): Pod | undefined {
  const wanted = identityLabels(pod.metadata!.name!, ordinal);
  const labels = pod.metadata!.labels ?? {};
  if (Object.entries(wanted).every(([key, value]) => labels[key] === value)) return undefined;
  return { ...pod, metadata: { ...pod.metadata, labels: { ...labels, ...wanted } } };
}
