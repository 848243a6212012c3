import type { DaemonSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Node, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { scaledIntOrPercent } from '../../../types/kubernetes/intstr.ts';
import { isAvailable, isReady } from '../shared/pods.ts';
import { isUpdated, suits } from './placement.ts';

/** What is to be done: nodes on which a pod is to be made, and pods to delete. */
export interface DaemonPlan {
  readonly create: string[];
  readonly delete: Pod[];
}

export interface DaemonView {
  readonly set: DaemonSet;
  readonly hash: string;
  readonly nodes: readonly Node[];
  /** Its pods by the node that they are on or made for. */
  readonly pods: ReadonlyMap<string, readonly Pod[]>;
  readonly nowMs: number;
  /** Whether a failed pod on that node may be replaced now: one that fails again and again waits. */
  readonly mayReplace: (pod: Pod, node: string) => boolean;
  /** Told of finished pods that are deleted. */
  readonly finished: (pod: Pod, node: string) => void;
}

const isLeaving = (pod: Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;
const older = (a: Pod, b: Pod): number =>
  Number(Boolean(b.spec?.nodeName)) - Number(Boolean(a.spec?.nodeName)) ||
  (`${a.metadata!.creationTimestamp} ${a.metadata!.name}` < `${b.metadata!.creationTimestamp} ${b.metadata!.name}` ? -1 : 1);

function available(view: DaemonView, pod: Pod): boolean {
  return isAvailable(pod, view.set.spec!.minReadySeconds ?? 0, view.nowMs);
}

/** One pod on each node that suits, none elsewhere; finished ones are replaced. */
export function planPlacement(view: DaemonView): DaemonPlan {
  const plan: DaemonPlan = { create: [], delete: [] };
  const known = new Set<string>();
  const surges = limits(view).surge > 0;
  for (const node of view.nodes) {
    const name = node.metadata!.name!;
    known.add(name);
    const pods = view.pods.get(name) ?? [];
    const { start, stay } = suits(view.set, node);
    if (!stay) plan.delete.push(...pods.filter((pod) => !isLeaving(pod)));
    else if (pods.length === 0) {
      if (start) plan.create.push(name);
    } else planNode(view, name, pods, start, surges, plan);
  }
  // Made for a node that is gone, and never placed: nobody else will delete it.
  for (const [name, pods] of view.pods) {
    if (!known.has(name)) {
      plan.delete.push(...pods.filter((pod) => !isLeaving(pod) && !pod.spec?.nodeName));
    }
  }
  return plan;
}

function planNode(view: DaemonView, name: string, pods: readonly Pod[], start: boolean, surges: boolean, plan: DaemonPlan): void {
  const running: Pod[] = [];
  for (const pod of pods) {
    if (isLeaving(pod)) continue;
    const phase = pod.status?.phase;
    if (phase !== 'Failed' && phase !== 'Succeeded') running.push(pod);
    else if (phase === 'Succeeded' || view.mayReplace(pod, name)) {
      view.finished(pod, name);
      plan.delete.push(pod);
    }
  }
  running.sort(older);
  if (!surges) {
    plan.delete.push(...running.slice(1));
    return;
  }
  if (running.length === 0 && start) plan.create.push(name);
  const [updated, ...extraUpdated] = running.filter((pod) => isUpdated(pod, view.hash));
  const [old, ...extraOld] = running.filter((pod) => !isUpdated(pod, view.hash));
  plan.delete.push(...extraUpdated, ...extraOld);
  // Two may be there only while the new one gets ready and the old one serves.
  if (updated !== undefined && old !== undefined && (!isReady(old) || available(view, updated))) plan.delete.push(old);
}

/** How many pods may be unavailable, or there beyond one a node, while an update rolls. */
function limits(view: DaemonView): { readonly surge: number; readonly unavailable: number; readonly desired: number } {
  const desired = view.nodes.filter((node) => suits(view.set, node).start).length;
  const { type, rollingUpdate } = view.set.spec!.updateStrategy ?? {};
  if (type === 'OnDelete') return { surge: 0, unavailable: 0, desired };
  const surge = scaledIntOrPercent(rollingUpdate?.maxSurge ?? 0, desired, 'up');
  const unavailable = scaledIntOrPercent(rollingUpdate?.maxUnavailable ?? (surge > 0 ? 0 : 1), desired, 'up');
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable, desired };
}

/** The next step of a rolling update. */
export function planUpdate(view: DaemonView): DaemonPlan {
  const { surge, unavailable, desired } = limits(view);
  return surge > 0 ? planSurge(view, surge, desired) : planReplacement(view, unavailable);
}

/** The one old and the one new pod of a node; undefined when there are more, which the placement prunes first. */
function pair(view: DaemonView, pods: readonly Pod[]): { readonly old: Pod | undefined; readonly updated: Pod | undefined } | undefined {
  const present = pods.filter((pod) => !isLeaving(pod));
  const updated = present.filter((pod) => isUpdated(pod, view.hash));
  const old = present.filter((pod) => !isUpdated(pod, view.hash));
  return updated.length > 1 || old.length > 1 ? undefined : { old: old[0], updated: updated[0] };
}

/** Deletes old pods; the placement makes new ones. Those that do not serve go at once, others while enough are left. */
function planReplacement(view: DaemonView, maxUnavailable: number): DaemonPlan {
  let unavailable = 0;
  const replace: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of view.pods.values()) {
    const found = pair(view, pods);
    if (found === undefined || (found.old === undefined) === (found.updated === undefined)) unavailable++;
    else if (found.updated !== undefined) unavailable += available(view, found.updated) ? 0 : 1;
    else if (available(view, found.old!)) candidates.push(found.old!);
    else {
      replace.push(found.old!);
      unavailable++;
    }
  }
  return { create: [], delete: [...replace, ...candidates.slice(0, Math.max(maxUnavailable - unavailable, 0))] };
}

/** Makes new pods beside old ones, and deletes an old one when its successor serves. */
function planSurge(view: DaemonView, maxSurge: number, desired: number): DaemonPlan {
  const nodes = new Map(view.nodes.map((node) => [node.metadata!.name!, node]));
  const plan: DaemonPlan = { create: [], delete: [] };
  const candidates: string[] = [];
  const unwanted: Pod[] = [];
  let surging = 0;
  let serving = 0;
  for (const [name, pods] of view.pods) {
    const found = pair(view, pods);
    if (found === undefined) {
      surging++;
      continue;
    }
    const { old, updated } = found;
    const first = old ?? updated;
    if (first !== undefined && available(view, first)) serving++;
    if (old === undefined) continue;
    if (updated !== undefined) {
      if (available(view, updated)) plan.delete.push(old);
      else surging++;
      continue;
    }
    const node = nodes.get(name);
    const start = node !== undefined && suits(view.set, node).start;
    if (!available(view, old)) {
      if (start) plan.create.push(name);
      else plan.delete.push(old);
    } else if (start) candidates.push(name);
    else unwanted.push(old);
  }
  plan.create.push(...candidates.slice(0, Math.max(maxSurge - surging, 0)));
  plan.delete.push(...unwanted.slice(0, Math.max(serving - desired, 0)));
  return plan;
}
