import type { Container, ContainerStatus, Pod } from '../../../../types/kubernetes/generated/core-v1.ts';
import { AGE, column, NAME, since, wide, type Column } from '../column.ts';

interface Summary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

/** The words of READY, STATUS and RESTARTS: a pod's story in three cells, told as kubectl's users know it. */
export function summarize(pod: Pod, now: number): Summary {
  const { spec, status } = pod;
  const phase = status?.phase ?? '';
  let reason = status?.reason || phase;
  if (status?.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated')) {
    reason = 'SchedulingGated';
  }
  const inits = new Map((spec?.initContainers ?? []).map((container) => [container.name, container]));
  let total = spec?.containers?.length ?? 0;
  for (const container of inits.values()) if (isSidecar(container)) total++;

  let ready = 0;
  const all = new Tally();
  const sidecars = new Tally();
  let initializing = false;
  const statuses = status?.initContainerStatuses ?? [];
  for (let at = 0; at < statuses.length; at++) {
    const one = statuses[at]!;
    const sidecar = isSidecar(inits.get(one.name));
    all.add(one);
    if (sidecar) sidecars.add(one);
    if (one.state?.terminated?.exitCode === 0) continue;
    if (sidecar && one.started === true) {
      if (one.ready) ready++;
      continue;
    }
    reason = `Init:${initReason(one, at, inits.size)}`;
    initializing = true;
    break;
  }

  let tally = all;
  const initialized = status?.conditions?.some((condition) => condition.type === 'Initialized' && condition.status === 'True') ?? false;
  if (!initializing || initialized) {
    tally = sidecars;
    let running = false;
    let failure = '';
    for (const one of (status?.containerStatuses ?? []).toReversed()) {
      tally.add(one);
      const { waiting, terminated } = one.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated !== undefined) {
        reason = endReason(terminated);
        if (terminated.exitCode !== 0) failure = reason;
      } else if (one.ready && one.state?.running !== undefined) {
        running = true;
        ready++;
      }
    }
    if (reason === 'Completed') {
      const podReady = status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
      if (running && podReady) reason = 'Running';
      else if (failure !== '') reason = failure;
      else if (running) reason = 'NotReady';
    }
  }
  if (pod.metadata?.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') reason = 'Unknown';
    else if (phase !== 'Succeeded' && phase !== 'Failed') reason = 'Terminating';
  }
  return { ready: `${ready}/${total}`, status: reason, restarts: tally.text(now) };
}

/** Restarts, and when the last of them was. */
class Tally {
  #count = 0;
  #last = '';

  add(status: ContainerStatus): void {
    this.#count += status.restartCount ?? 0;
    const finished = status.lastState?.terminated?.finishedAt ?? '';
    if (finished > this.#last) this.#last = finished;
  }

  text(now: number): string {
    return this.#count !== 0 && this.#last !== '' ? `${this.#count} (${since(this.#last, now)} ago)` : String(this.#count);
  }
}

function endReason(terminated: { readonly reason?: string; readonly signal?: number; readonly exitCode: number }): string {
  return terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`);
}

function initReason(status: ContainerStatus, at: number, total: number): string {
  const { waiting, terminated } = status.state ?? {};
  if (terminated !== undefined) return endReason(terminated);
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return waiting.reason;
  return `${at}/${total}`;
}

/** A row asks for three cells of one summary: it is made once. */
const summaries = new WeakMap<Pod, { now: number; summary: Summary }>();

function summaryOf(pod: Pod, now: number): Summary {
  const kept = summaries.get(pod);
  if (kept?.now === now) return kept.summary;
  const summary = summarize(pod, now);
  summaries.set(pod, { now, summary });
  return summary;
}

function gates(pod: Pod): string {
  const wanted = pod.spec?.readinessGates ?? [];
  if (wanted.length === 0) return '<none>';
  const met = wanted.filter((gate) => pod.status?.conditions?.some((condition) => condition.type === gate.conditionType && condition.status === 'True'));
  return `${met.length}/${wanted.length}`;
}

export const POD: readonly Column[] = [
  NAME,
  column<Pod>('Ready', (pod, now) => summaryOf(pod, now).ready, { description: 'Containers that are ready, of all.' }),
  column<Pod>('Status', (pod, now) => summaryOf(pod, now).status, { description: 'What the pod is doing, or what keeps it from it.' }),
  column<Pod>('Restarts', (pod, now) => summaryOf(pod, now).restarts, { description: 'How often its containers were started again, and when last.' }),
  AGE,
  wide<Pod>('IP', (pod) => pod.status?.podIPs?.[0]?.ip || '<none>'),
  wide<Pod>('Node', (pod) => pod.spec?.nodeName || '<none>'),
  wide<Pod>('Nominated Node', (pod) => pod.status?.nominatedNodeName || '<none>'),
  wide<Pod>('Readiness Gates', gates),
];
