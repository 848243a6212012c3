import type { Refusal, SchedulingContext } from './filter.ts';
import type { NodeInfo, PodInfo } from './model.ts';
import { ask, prepareChecks } from './plan.ts';
import { Snapshot } from './snapshot.ts';

/** Who has to go, and from where, so that a pod of higher priority fits. */
export interface Preemption {
  readonly node: string;
  readonly victims: readonly PodInfo[];
}

/**
 * Looks for the node where the least is lost: the lowest highest priority
 * among the victims, then the lowest sum, then the fewest. Victims are the
 * fewest that make the pod fit: all of lower priority go, then come back one by one, highest priority first, while the pod still fits.
 * Pure: works on copies of the nodes concerned.
 */
export function preempt(pod: PodInfo, context: SchedulingContext, refusals: ReadonlyMap<string, Refusal>): Preemption | undefined {
  if (pod.pod.spec?.preemptionPolicy === 'Never') return undefined;
  let found: Preemption | undefined;
  let cost: readonly number[] | undefined;
  for (const node of context.snapshot.nodes) {
    if (!refusals.get(node.name)?.preemptable) continue;
    const victims = victimsOn(pod, node, context);
    if (!victims) continue;
    const itsCost = [Math.max(...victims.map(({ priority }) => priority)), victims.reduce((sum, { priority }) => sum + priority, 0), victims.length];
    if (!cost || compare(itsCost, cost) < 0) {
      found = { node: node.name, victims };
      cost = itsCost;
    }
  }
  return found;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return 0;
}

function victimsOn(pod: PodInfo, node: NodeInfo, context: SchedulingContext): PodInfo[] | undefined {
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority).sort((a, b) => b.priority - a.priority);
  if (lower.length === 0) return undefined;
  const what = new Snapshot();
  for (const other of context.snapshot.nodes) {
    what.setNode(other.node);
    for (const placed of other.pods.values()) what.place(placed, other.name);
  }
  const trial = { ...context, snapshot: what };
  const fits = (): boolean => !ask(prepareChecks(pod, trial), what.node(node.name)!);
  for (const victim of lower) what.unplace(victim.key);
  if (!fits()) return undefined;
  const victims: PodInfo[] = [];
  for (const candidate of lower) {
    what.place(candidate, node.name);
    if (fits()) continue;
    what.unplace(candidate.key);
    victims.push(candidate);
  }
  return victims.length > 0 ? victims : undefined;
}
