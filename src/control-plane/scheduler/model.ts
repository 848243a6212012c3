import type { Affinity, Container, Node, Pod, Taint, Toleration, TopologySpreadConstraint } from '../../types/kubernetes/generated/core-v1.ts';
import { hostPortsOf, type HostPort } from '../../types/kubernetes/host-ports.ts';
import { amount, listToResources, podRequests, type Resources } from '../../types/kubernetes/pod-requests.ts';
import { quantityToNumber } from '../../types/kubernetes/quantity.ts';

/** What scheduling reads of a pod, computed once. */
export interface PodInfo {
  readonly pod: Pod;
  /** namespace/name. */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly requests: Resources;
  /** For scoring: a container without a request counts as 100m and 200 MiB, as upstream does. */
  readonly nonZero: { readonly milliCpu: number; readonly memory: number };
  readonly hostPorts: readonly HostPort[];
  readonly priority: number;
  readonly tolerations: readonly Toleration[];
  readonly nodeSelector: Readonly<Record<string, string>> | undefined;
  readonly affinity: Affinity | undefined;
  readonly spread: readonly TopologySpreadConstraint[];
  /** uid of the controller that owns it: pods of one owner are spread over nodes. */
  readonly owner: string | undefined;
  readonly images: readonly string[];
  /**
   * Equal for pods that every filter and score treats alike. Undefined for pods whose place depends on where other pods
   * are (affinity to pods, explicit spreading): those are looked at one by one.
   */
  readonly equivalence: string | undefined;
}

const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;
const NO_LABELS: Readonly<Record<string, string>> = {};

function nonZeroOf(containers: readonly Container[] | undefined): { milliCpu: number; memory: number } {
  let milliCpu = 0;
  let memory = 0;
  for (const container of containers ?? []) {
    const requests = container.resources?.requests;
    milliCpu += requests?.cpu === undefined ? DEFAULT_MILLI_CPU : amount('cpu', requests.cpu);
    memory += requests?.memory === undefined ? DEFAULT_MEMORY : amount('memory', requests.memory);
  }
  return { milliCpu, memory };
}

/** Reads a pod for scheduling. */
export function podInfo(pod: Pod): PodInfo {
  const spec = pod.spec;
  const namespace = pod.metadata?.namespace ?? '';
  const labels = pod.metadata?.labels ?? NO_LABELS;
  const owner = pod.metadata?.ownerReferences?.find((reference) => reference.controller)?.uid;
  const affinity = spec?.affinity;
  const spread = spec?.topologySpreadConstraints ?? [];
  const requests = podRequests(pod);
  const hostPorts = hostPortsOf(pod);
  const images = (spec?.containers ?? []).map((container) => container.image ?? '');
  const dependsOnPods =
    affinity?.podAffinity !== undefined ||
    affinity?.podAntiAffinity !== undefined ||
    spread.length > 0 ||
    (spec?.volumes ?? []).some((volume) => volume.persistentVolumeClaim || volume.ephemeral);
  return {
    pod,
    key: `${namespace}/${pod.metadata?.name ?? ''}`,
    uid: pod.metadata?.uid ?? '',
    namespace,
    labels,
    requests,
    nonZero: nonZeroOf(spec?.containers),
    hostPorts,
    priority: spec?.priority ?? 0,
    tolerations: spec?.tolerations ?? [],
    nodeSelector: spec?.nodeSelector,
    affinity,
    spread,
    owner,
    images,
    equivalence: dependsOnPods
      ? undefined
      : JSON.stringify([
          namespace,
          labels,
          owner,
          requests.milliCpu,
          requests.memory,
          requests.ephemeralStorage,
          requests.scalar && [...requests.scalar],
          hostPorts,
          spec?.tolerations,
          spec?.nodeSelector,
          affinity?.nodeAffinity,
          images,
          spec?.nodeName,
        ]),
  };
}

/** A node and what is placed on it. Changed by the Snapshot alone; `generation` rises with each change. */
export interface NodeInfo {
  readonly name: string;
  node: Node;
  allocatable: Resources & { readonly pods: number };
  taints: readonly Taint[];
  labels: Readonly<Record<string, string>>;
  requested: { milliCpu: number; memory: number; ephemeralStorage: number; scalar: Map<string, number> };
  nonZero: { milliCpu: number; memory: number };
  readonly pods: Map<string, PodInfo>;
  readonly owners: Map<string, number>;
  /** Sizes in bytes of the images on it, by name. */
  images: ReadonlyMap<string, number>;
  generation: number;
}

/** Reads a node; nothing is placed on it yet. */
export function nodeInfo(node: Node): NodeInfo {
  const info: NodeInfo = {
    name: node.metadata?.name ?? '', node, allocatable: { ...listToResources(undefined), pods: 0 }, taints: [], labels: NO_LABELS,
    requested: { milliCpu: 0, memory: 0, ephemeralStorage: 0, scalar: new Map() }, nonZero: { milliCpu: 0, memory: 0 },
    pods: new Map(), owners: new Map(), images: new Map(), generation: 0,
  };
  readNode(info, node);
  return info;
}

/** Takes over a newer version of the node. */
export function readNode(info: NodeInfo, node: Node): void {
  const allocatable = node.status?.allocatable ?? node.status?.capacity;
  info.node = node;
  info.allocatable = { ...listToResources(allocatable), pods: allocatable?.pods === undefined ? 0 : quantityToNumber(allocatable.pods) };
  const taints = node.spec?.taints ?? [];
  info.taints =
    node.spec?.unschedulable && !taints.some((taint) => taint.key === 'node.kubernetes.io/unschedulable')
      ? [...taints, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]
      : taints;
  info.labels = node.metadata?.labels ?? NO_LABELS;
  const images = new Map<string, number>();
  for (const image of node.status?.images ?? []) for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0);
  info.images = images;
}
