import type { DaemonSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Affinity, Node, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec, Toleration } from '../../../types/kubernetes/generated/core-v1.ts';
import { DISK_PRESSURE, MEMORY_PRESSURE, NETWORK_UNAVAILABLE, NOT_READY, PID_PRESSURE, tolerates, UNREACHABLE, UNSCHEDULABLE } from '../node/taints.ts';
import { semanticEqual } from '../shared/equal.ts';
import { fitsNode } from '../shared/node-affinity.ts';

export const REVISION_HASH = 'controller-revision-hash';
const GENERATION_LABEL = 'pod-template-generation';
const GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';

const ALWAYS: readonly Toleration[] = [
  { key: NOT_READY, operator: 'Exists', effect: 'NoExecute' }, { key: UNREACHABLE, operator: 'Exists', effect: 'NoExecute' },
  { key: DISK_PRESSURE, operator: 'Exists', effect: 'NoSchedule' }, { key: MEMORY_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
  { key: PID_PRESSURE, operator: 'Exists', effect: 'NoSchedule' }, { key: UNSCHEDULABLE, operator: 'Exists', effect: 'NoSchedule' },
];
const ON_HOST_NETWORK: Toleration = { key: NETWORK_UNAVAILABLE, operator: 'Exists', effect: 'NoSchedule' };

/** The template of the set's pods: it tolerates what befalls a node, and bears the revision's hash. */
export function daemonTemplate(set: DaemonSet, hash: string): PodTemplateSpec {
  const template = set.spec!.template;
  const spec = template.spec!;
  const generation = set.metadata!.annotations?.[GENERATION_ANNOTATION];
  return {
    metadata: {
      ...template.metadata,
      labels: { ...template.metadata?.labels, ...(generation !== undefined && { [GENERATION_LABEL]: generation }), [REVISION_HASH]: hash },
    },
    spec: { ...spec, tolerations: daemonTolerations(spec) },
  };
}

function daemonTolerations(spec: PodSpec): Toleration[] {
  const own = spec.tolerations ?? [];
  const added = spec.hostNetwork ? [...ALWAYS, ON_HOST_NETWORK] : ALWAYS;
  const same = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.effect === b.effect && (a.operator ?? 'Equal') === (b.operator ?? 'Equal') && (a.value ?? '') === (b.value ?? '');
  return [...own.filter((toleration) => !added.some((other) => same(toleration, other))), ...added];
}

/** Binds a pod to one node through its affinity: the scheduler still has the last word. */
export function placedOn(template: PodTemplateSpec, node: string): PodTemplateSpec {
  const spec = template.spec!;
  const term: NodeSelectorTerm = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] };
  const affinity: Affinity = {
    ...spec.affinity,
    nodeAffinity: { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
  };
  return { ...template, spec: { ...spec, affinity } };
}

/** The node that a pod is on, or was made for. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  for (const term of pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []) {
    for (const field of term.matchFields ?? []) {
      if (field.key === 'metadata.name' && field.operator === 'In' && field.values?.length === 1) {
        return field.values[0];
      }
    }
  }
  return undefined;
}

/** Whether a pod of the set should be made on the node, and whether one that is there may stay. */
export function suits(set: DaemonSet, node: Node): { readonly start: boolean; readonly stay: boolean } {
  const spec = set.spec!.template.spec!;
  if ((spec.nodeName && spec.nodeName !== node.metadata!.name) || !fitsNode(spec, node)) return { start: false, stay: false };
  const tolerations = daemonTolerations(spec);
  const untolerated = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
  return { start: untolerated.length === 0, stay: untolerated.every((taint) => taint.effect !== 'NoExecute') };
}

/** True when a change of the node may change which sets it suits. */
export function placementChanged(old: Node, node: Node): boolean {
  return (
    !semanticEqual(old.metadata?.labels, node.metadata?.labels) ||
    !semanticEqual(old.spec?.taints, node.spec?.taints) ||
    old.metadata?.name !== node.metadata?.name
  );
}

/** True when the pod was made from the revision with this hash. */
export function isUpdated(pod: Pod, hash: string): boolean {
  return pod.metadata?.labels?.[REVISION_HASH] === hash;
}
