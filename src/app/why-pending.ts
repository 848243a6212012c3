import { namespaces, nodes, persistentVolumeClaims, pods } from '../client/resources.ts';
import type { Transport } from '../client/transport.ts';
import type { Refusal, SchedulingContext } from '../control-plane/scheduler/filter.ts';
import { podInfo, type NodeInfo, type PodInfo } from '../control-plane/scheduler/model.ts';
import { prepareChecks } from '../control-plane/scheduler/plan.ts';
import { Snapshot } from '../control-plane/scheduler/snapshot.ts';
import type { Namespace, Node, PersistentVolumeClaim, Pod } from '../types/kubernetes/generated/core-v1.ts';
import { isCode } from '../lib/errors.ts';
import type { Explanation } from './explanation.ts';

/** How many nodes with the same reasons are named. */
const NAMED_NODES = 5;

/** Why a pod has no node yet: asks every filter of the scheduler about every node, not the first that refuses alone. */
export async function whyPending(transport: Pick<Transport, 'get' | 'list'>, pod: Pod, object: string, warnings: readonly string[]): Promise<Explanation> {
  const gates = pod.spec?.schedulingGates ?? [];
  if (gates.length > 0) {
    return {
      summary: `${object} is pending: scheduling gates hold it (${gates.map(({ name }) => name).join(', ')}).`,
      details: [],
      remedy: 'Whoever set the gates must remove them from spec.schedulingGates.',
    };
  }
  if ((pod.spec?.schedulerName ?? 'default-scheduler') !== 'default-scheduler') {
    return {
      summary: `${object} is pending: it waits for the scheduler "${pod.spec?.schedulerName}".`,
      details: [],
      remedy: 'Start that scheduler, or take spec.schedulerName out.',
    };
  }
  const [allNodes, allPods, allNamespaces, missing] = await Promise.all([
    transport.list<Node>(nodes, undefined),
    transport.list<Pod>(pods, undefined),
    transport.list<Namespace>(namespaces, undefined),
    missingClaims(transport, pod),
  ]);
  if (missing.length > 0) {
    return {
      summary: `${object} is pending: the PersistentVolumeClaim${missing.length > 1 ? 's' : ''} ${missing.join(', ')} that it mounts ${missing.length > 1 ? 'do' : 'does'} not exist.`,
      details: warnings,
      remedy: `Create it in the namespace ${pod.metadata?.namespace}, or correct spec.volumes.`,
    };
  }
  if (allNodes.items.length === 0) {
    return {
      summary: `${object} is pending: there is no node.`,
      details: [],
      remedy: 'Start a node: longshore up, or longshore agent on another machine.',
    };
  }
  const snapshot = new Snapshot();
  for (const node of allNodes.items) snapshot.setNode(node);
  for (const other of allPods.items) {
    if (other.spec?.nodeName && other.status?.phase !== 'Succeeded' && other.status?.phase !== 'Failed') {
      snapshot.place(podInfo(other), other.spec.nodeName);
    }
  }
  const labels = new Map(allNamespaces.items.map(({ metadata }) => [metadata?.name, metadata?.labels]));
  // Whether claims are bound is told by the scheduler's own message; nodes are asked anew.
  const context: SchedulingContext = {
    snapshot,
    volumes: { claim: () => ({ state: 'bound', affinity: undefined }) },
    namespaceLabels: (name) => labels.get(name),
  };
  const info = podInfo(pod);
  const checks = prepareChecks(info, context);
  const filters = new Set<string>();
  const alike = new Map<string, string[]>();
  for (const node of snapshot.nodes) {
    const refusals = checks.flatMap(({ filter, check }) => {
      const refusal = check(node);
      return refusal ? [{ filter, refusal }] : [];
    });
    if (refusals.length === 0) {
      const message = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message;
      return {
        summary: `${object} is pending, and would fit on ${node.name} now${message ? `: ${message}` : '; it is about to be placed'}.`,
        details: warnings,
        remedy: undefined,
      };
    }
    for (const { filter } of refusals) filters.add(filter);
    const why = refusals.map(({ filter, refusal }) => detailOf(filter, refusal, info, node)).join('; ');
    alike.set(why, [...(alike.get(why) ?? []), node.name]);
  }
  const details = [...alike].map(
    ([why, names]) =>
      `${names.length === 1 ? 'node' : 'nodes'} ${names.slice(0, NAMED_NODES).join(', ')}${names.length > NAMED_NODES ? ` and ${names.length - NAMED_NODES} more` : ''}: ${why}`,
  );
  const count = snapshot.nodes.length;
  return {
    summary: `${object} is pending: ${count === 1 ? 'the only node does not take it' : `none of ${count} nodes takes it`}.`,
    details,
    remedy: remedyFor(filters),
  };
}

async function missingClaims(transport: Pick<Transport, 'get' | 'list'>, pod: Pod): Promise<string[]> {
  const names = (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
  const found = await Promise.all(names.map(async (name) => {
    try {
      await transport.get<PersistentVolumeClaim>(persistentVolumeClaims, pod.metadata?.namespace, name);
      return [];
    } catch (error) {
      if (isCode(error, 'not-found')) return [name];
      throw error;
    }
  }));
  return found.flat();
}

/** What exactly stands in the way on this node. */
function detailOf(filter: string, refusal: Refusal, pod: PodInfo, node: NodeInfo): string {
  if (filter === 'NodeUnschedulable') return 'it is cordoned (spec.unschedulable)';
  if (filter === 'NodeAffinity') {
    const unmet = Object.entries(pod.nodeSelector ?? {}).filter(([key, value]) => node.labels[key] !== value);
    if (unmet.length > 0) {
      return unmet
        .map(
          ([key, value]) =>
            `nodeSelector ${key}=${value} does not match: ${key in node.labels ? `its label is ${key}=${node.labels[key]}` : `it has no label ${key}`}`,
        )
        .join('; ');
    }
    return 'no term of the required node affinity matches its labels';
  }
  if (filter === 'NodePorts') {
    return `a hostPort of the pod is taken there (${pod.hostPorts.map(({ port, protocol }) => `${port}/${protocol}`).join(', ')})`;
  }
  return refusal.detail ?? refusal.reasons.join('; ');
}

const REMEDIES: Readonly<Record<string, string>> = {
  NodeResourcesFit: 'Ask for less (resources.requests), remove other pods, or add a node.',
  NodeAffinity: 'Label a node as the pod wants it (kubectl label node …), or change its nodeSelector or affinity.',
  NodeUnschedulable: 'Let the node take pods again: kubectl uncordon …',
  TaintToleration: 'Remove the taint (kubectl taint node … KEY-), or add a toleration to the pod.',
  NodePorts: 'Choose another hostPort, or use a Service.',
};

function remedyFor(filters: ReadonlySet<string>): string {
  const known = Object.entries(REMEDIES).filter(([filter]) => filters.has(filter)).map(([, remedy]) => remedy);
  return known.length > 0 ? known.join(' ') : 'Change what the pod asks for, or add a node.';
}
