import type { Node, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import { hostPortsOf, portsClash } from '../../types/kubernetes/host-ports.ts';
import { matchesNodeSelector } from '../../types/kubernetes/node-selector.ts';
import { listToResources, podRequests } from '../../types/kubernetes/pod-requests.ts';
import { quantityToNumber } from '../../types/kubernetes/quantity.ts';

/** Why a pod fails on this node, as in its status. */
export interface PodFailure {
  readonly reason: string;
  readonly message: string;
  /** The node ended it for the node's sake: a condition tells those who would count it against the pod. */
  readonly disrupted?: boolean;
}

/** True for a pod that has ended for good, whatever its containers look like. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/**
 * The node's own look at a pod that was bound to it, by whomever: a scheduler may have seen an older state, and a pod may
 * name its node itself. A pure function; `others` are the pods that the node has taken and that have not ended.
 * @returns why the pod can't run here, with the reasons and messages that a kubelet gives
 */
export function refusal(pod: Pod, others: readonly Pod[], node: Node): PodFailure | undefined {
  return refusalByResources(pod, others, node) ?? refusalBySelector(pod, node) ?? refusalByPorts(pod, others) ?? refusalBySysctls(pod);
}

function refusalByResources(pod: Pod, others: readonly Pod[], node: Node): PodFailure | undefined {
  const list = node.status?.allocatable;
  if (!list) return undefined;
  const lacking = (reason: string, resource: string, requested: number, used: number, capacity: number): PodFailure | undefined =>
    requested > 0 && used + requested > capacity
      ? { reason, message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}` }
      : undefined;
  const wanted = podRequests(pod);
  const can = listToResources(list);
  const taken = others.map(podRequests);
  const sum = (of: (requests: (typeof taken)[number]) => number): number => taken.reduce((total, one) => total + of(one), 0);
  const found = (list.pods === undefined ? undefined : lacking('OutOfpods', 'pods', 1, others.length, quantityToNumber(list.pods)))
    ?? lacking('OutOfcpu', 'cpu', wanted.milliCpu, sum((one) => one.milliCpu), can.milliCpu)
    ?? lacking('OutOfmemory', 'memory', wanted.memory, sum((one) => one.memory), can.memory)
    ?? lacking('OutOfephemeral-storage', 'ephemeral-storage', wanted.ephemeralStorage, sum((one) => one.ephemeralStorage), can.ephemeralStorage);
  if (found) return found;
  for (const [name, amount] of wanted.scalar ?? []) {
    const why = lacking(`OutOf${name}`, name, amount, sum((one) => one.scalar?.get(name) ?? 0), can.scalar?.get(name) ?? 0);
    if (why) return why;
  }
  return undefined;
}

function refusalBySelector(pod: Pod, node: Node): PodFailure | undefined {
  const labels = node.metadata?.labels ?? {};
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const holds = Object.entries(pod.spec?.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
    && (required === undefined || matchesNodeSelector(required, { name: node.metadata?.name ?? '', labels }));
  return holds ? undefined : { reason: 'NodeAffinity', message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" };
}

function refusalByPorts(pod: Pod, others: readonly Pod[]): PodFailure | undefined {
  const wanted = hostPortsOf(pod);
  if (
    wanted.length === 0 ||
    !others.some((other) => hostPortsOf(other).some((theirs) => wanted.some((ours) => portsClash(ours, theirs))))
  ) {
    return undefined;
  }
  return { reason: 'NodePorts', message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" };
}

/** Kernel parameters of a namespace that can't harm other pods. */
const SAFE_SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  ...[
    'ip_local_port_range',
    'tcp_syncookies',
    'ping_group_range',
    'ip_unprivileged_port_start',
    'ip_local_reserved_ports',
    'tcp_keepalive_time',
    'tcp_fin_timeout',
    'tcp_keepalive_intvl',
    'tcp_keepalive_probes',
    'tcp_rmem',
    'tcp_wmem',
  ].map((name) => `net.ipv4.${name}`),
]);

function refusalBySysctls({ spec }: Pod): PodFailure | undefined {
  for (const sysctl of spec?.securityContext?.sysctls ?? []) {
    const name = sysctl.name.replaceAll('/', '.');
    const why = !SAFE_SYSCTLS.has(name)
      ? 'not allowlisted'
      : name.startsWith('net.') && spec?.hostNetwork
        ? 'not allowed with host net enabled'
        : name.startsWith('kernel.') && spec?.hostIPC
          ? 'not allowed with host ipc enabled'
          : undefined;
    if (why !== undefined) return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${sysctl.name}" ${why}` };
  }
  return undefined;
}

/** When the pod's `activeDeadlineSeconds` are over, in milliseconds since the epoch; Infinity without a deadline, or before the node has begun with it. */
export function deadlineMs(pod: Pod, startTime: string | undefined): number {
  const seconds = pod.spec?.activeDeadlineSeconds;
  return seconds === undefined || startTime === undefined ? Infinity : Date.parse(startTime) + seconds * 1000;
}

export const OVERDUE: PodFailure = { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' };
