import { events, namespaces, nodes, pods } from '../client/resources.ts';
import { HttpTransport } from '../client/http-transport.ts';
import type { Transport } from '../client/transport.ts';
import { podInfo } from '../control-plane/scheduler/model.ts';
import { plan } from '../control-plane/scheduler/plan.ts';
import { Snapshot } from '../control-plane/scheduler/snapshot.ts';
import type { ContainerStatus, Event, Namespace, Node, Pod } from '../types/kubernetes/generated/core-v1.ts';
import type { ClientConfig } from '../client/kubeconfig.ts';
import { systemClock } from '../lib/clock.ts';
import { request } from 'node:https';

/** What `longshore why` says: a sentence, what it rests on, and what to do next. */
export interface Explanation {
  readonly summary: string;
  readonly details: readonly string[];
  readonly remedy: string | undefined;
}

/** Reads the last lines of a container's log; empty when there are none. */
export type LogTail = (namespace: string, pod: string, container: string, previous: boolean) => Promise<string>;

/** The log of a container by the API server's own log endpoint. */
export function logTail(config: ClientConfig, lines: number): LogTail {
  return (namespace, pod, container, previous) => new Promise((resolve, reject) => {
    const url = `${config.server}/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log?container=${encodeURIComponent(container)}&tailLines=${lines}${previous ? '&previous=true' : ''}`;
    request(url, { ca: config.ca, cert: config.certificate, key: config.key, ...(config.token && { headers: { authorization: `Bearer ${config.token}` } }) }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece)).on('end', () => resolve(response.statusCode === 200 ? text : '')).on('error', reject);
    }).on('error', reject).end();
  });
}

/** Opens a transport as the kubeconfig's user. */
export function connect(config: ClientConfig): Transport & { close?(): void } {
  return new HttpTransport({ config, clock: systemClock });
}

/** Explains a pod's state. @throws StatusError NotFound */
export async function whyPod(transport: Transport, namespace: string, name: string, tail: LogTail): Promise<Explanation> {
  const pod = await transport.get<Pod>(pods, namespace, name);
  const history = await transport.list<Event>(events, namespace, { fieldSelector: `involvedObject.name=${name},involvedObject.uid=${pod.metadata?.uid ?? ''}` });
  const told = [...history.items].sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? 1 : -1));
  const object = `pod ${namespace}/${name}`;
  if (pod.metadata?.deletionTimestamp) {
    const held = pod.metadata.finalizers?.length ? [`It is held by the finalizers ${pod.metadata.finalizers.join(', ')}.`] : [];
    return { summary: `${object} is being deleted since ${pod.metadata.deletionTimestamp}.`, details: [...held, ...warnings(told)], remedy: held.length > 0 ? 'Whoever set the finalizers must remove them.' : undefined };
  }
  if (!pod.spec?.nodeName) return whyPending(transport, pod, object, told);
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const found = await whyContainer(pod, status, object, tail, told);
    if (found) return found;
  }
  if (pod.status?.phase === 'Running' && pod.status.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True') {
    const unready = (pod.status.containerStatuses ?? []).filter(({ ready }) => !ready).map((status) => status.name);
    return { summary: `${object} runs, but is not ready: ${unready.join(', ')} ${unready.length === 1 ? 'does' : 'do'} not pass the readiness probe.`, details: warnings(told), remedy: `See what it answers: kubectl -n ${namespace} logs ${name} ${unready[0] ?? ''}`.trim() };
  }
  if (pod.status?.phase === 'Pending') return { summary: `${object} is on node ${pod.spec.nodeName} and is being started.`, details: warnings(told), remedy: undefined };
  return { summary: `${object} is ${pod.status?.phase ?? 'in no known phase'}${pod.status?.phase === 'Running' ? ' and ready' : ''}.`, details: pod.status?.message ? [pod.status.message] : [], remedy: undefined };
}

async function whyPending(transport: Transport, pod: Pod, object: string, told: readonly Event[]): Promise<Explanation> {
  const gates = pod.spec?.schedulingGates ?? [];
  if (gates.length > 0) return { summary: `${object} is pending: scheduling gates hold it (${gates.map(({ name }) => name).join(', ')}).`, details: [], remedy: 'Whoever set the gates must remove them from spec.schedulingGates.' };
  if ((pod.spec?.schedulerName ?? 'default-scheduler') !== 'default-scheduler') return { summary: `${object} is pending: it waits for the scheduler "${pod.spec?.schedulerName}".`, details: [], remedy: 'Start that scheduler, or take spec.schedulerName out.' };
  const [allNodes, allPods, allNamespaces] = await Promise.all([transport.list<Node>(nodes, undefined), transport.list<Pod>(pods, undefined), transport.list<Namespace>(namespaces, undefined)]);
  if (allNodes.items.length === 0) return { summary: `${object} is pending: there is no node.`, details: [], remedy: 'Start a node: longshore up, or longshore agent on another machine.' };
  const snapshot = new Snapshot();
  for (const node of allNodes.items) snapshot.setNode(node);
  for (const other of allPods.items) if (other.spec?.nodeName && other.status?.phase !== 'Succeeded' && other.status?.phase !== 'Failed') snapshot.place(podInfo(other), other.spec.nodeName);
  const labels = new Map(allNamespaces.items.map(({ metadata }) => [metadata?.name, metadata?.labels]));
  // Claims are told by the scheduler's own message; nodes are asked anew.
  const result = plan(podInfo(pod), { snapshot, volumes: { claim: () => ({ state: 'bound', affinity: undefined }) }, namespaceLabels: (name) => labels.get(name) });
  const message = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message;
  if (result.node !== undefined) return { summary: `${object} is pending, and would fit on ${result.node} now${message ? `: ${message}` : '; it is about to be placed'}.`, details: warnings(told), remedy: undefined };
  const details = [...result.refusals].map(([node, refusal]) => `node ${node}: ${refusal.detail ?? refusal.reasons.join('; ')}`);
  return { summary: `${object} is pending: none of ${result.refusals.size} node${result.refusals.size === 1 ? '' : 's'} takes it.`, details, remedy: remedyFor([...result.refusals.values()].map(({ filter }) => filter)) };
}

function remedyFor(filters: readonly string[]): string {
  if (filters.includes('NodeResourcesFit')) return 'Ask for less (resources.requests), remove other pods, or add a node.';
  if (filters.includes('NodeAffinity')) return 'Label a node as the pod wants it (kubectl label node …), or change its nodeSelector or affinity.';
  if (filters.includes('NodeUnschedulable')) return 'Let the node take pods again: kubectl uncordon …';
  if (filters.includes('TaintToleration')) return 'Remove the taint (kubectl taint node … KEY-), or add a toleration to the pod.';
  return 'Change what the pod asks for, or add a node.';
}

async function whyContainer(pod: Pod, status: ContainerStatus, object: string, tail: LogTail, told: readonly Event[]): Promise<Explanation | undefined> {
  const namespace = pod.metadata?.namespace ?? '';
  const name = pod.metadata?.name ?? '';
  const waiting = status.state?.waiting;
  const last = status.state?.terminated ?? status.lastState?.terminated;
  const where = `container ${status.name} of ${object}`;
  switch (waiting?.reason) {
    case 'ErrImagePull': case 'ImagePullBackOff': case 'InvalidImageName': case 'ErrImageNeverPull': {
      const failure = told.find(({ reason, message }) => reason === 'Failed' && message?.startsWith('Failed to pull'))?.message;
      const image = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find((container) => container.name === status.name)?.image ?? status.image;
      return { summary: `${where} waits for its image ${image}: ${waiting.reason}.`, details: [failure ?? waiting.message ?? ''].filter(Boolean), remedy: `Check the name, build it (docker build -t ${image} .), or give credentials (imagePullSecrets).` };
    }
    case 'CreateContainerConfigError': case 'CreateContainerError': case 'RunContainerError':
      return { summary: `${where} can't be made: ${waiting.message ?? waiting.reason}.`, details: warnings(told), remedy: 'Correct what the message names; the pod goes on by itself.' };
    default:
  }
  const looping = waiting?.reason === 'CrashLoopBackOff';
  if (!looping && !(status.state?.terminated && status.state.terminated.exitCode !== 0)) return undefined;
  const lines = (await tail(namespace, name, status.name, false)) || (await tail(namespace, name, status.name, true));
  const how = last ? `exit code ${last.exitCode}${last.reason && last.reason !== 'Error' ? ` (${last.reason})` : ''}` : 'an unknown exit code';
  return {
    summary: looping ? `${where} keeps ending with ${how}; it was restarted ${status.restartCount} times and waits before the next try.` : `${where} ended with ${how}.`,
    details: [...(last?.message ? [last.message] : []), ...(lines.trim() === '' ? ['It wrote nothing to its log.'] : ['Its last lines:', ...lines.trimEnd().split('\n').map((line) => `  ${line}`)])],
    remedy: last?.reason === 'OOMKilled' ? 'It used more memory than its limit: raise resources.limits.memory.' : `See all of it: kubectl -n ${namespace} logs ${name} -c ${status.name} --previous`,
  };
}

function warnings(told: readonly Event[]): string[] {
  return told.filter(({ type }) => type === 'Warning').slice(0, 5).map(({ reason, message, count }) => `${reason}: ${message}${(count ?? 1) > 1 ? ` (${count} times)` : ''}`);
}
