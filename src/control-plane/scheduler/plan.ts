import { FILTERS } from './filters/index.ts';
import type { NodeCheck, Refusal, SchedulingContext } from './filter.ts';
import type { NodeInfo, PodInfo } from './model.ts';
import { MAX_SCORE } from './score.ts';
import { SCORES } from './scores/index.ts';

/** Where a pod goes, or why nowhere. */
export type Plan =
  | { readonly node: string }
  | { readonly node: undefined; readonly refusals: ReadonlyMap<string, Refusal & { readonly filter: string }> };

/**
 * The schedule of one pod: a pure function of context and pod. Every filter
 * says why it said no; among the nodes that all allow, the highest weighted
 * score wins, and the first of equals in the snapshot's order rotated by `offset`.
 */
export function plan(pod: PodInfo, context: SchedulingContext, offset = 0): Plan {
  const checks = prepareChecks(pod, context);
  const refusals = new Map<string, Refusal & { readonly filter: string }>();
  const fitting: NodeInfo[] = [];
  const { nodes } = context.snapshot;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[(i + offset) % nodes.length]!;
    const refusal = ask(checks, node);
    if (refusal) refusals.set(node.name, refusal);
    else fitting.push(node);
  }
  if (fitting.length === 0) return { node: undefined, refusals };
  return { node: best(pod, fitting, context).name };
}

type NamedCheck = { readonly filter: string; readonly check: NodeCheck };

/** The filters that have something to say about this pod. */
export function prepareChecks(pod: PodInfo, context: SchedulingContext): readonly NamedCheck[] {
  return FILTERS.flatMap((filter) => {
    const check = filter.prepare(pod, context);
    return check ? [{ filter: filter.name, check }] : [];
  });
}

/** The first refusal of a node; undefined when all filters allow it. */
export function ask(checks: readonly NamedCheck[], node: NodeInfo): (Refusal & { readonly filter: string }) | undefined {
  for (const { filter, check } of checks) {
    const refusal = check(node);
    if (refusal) return { ...refusal, filter };
  }
  return undefined;
}

function best(pod: PodInfo, fitting: readonly NodeInfo[], context: SchedulingContext): NodeInfo {
  if (fitting.length === 1) return fitting[0]!;
  const totals = new Float64Array(fitting.length);
  for (const score of SCORES) {
    const rate = score.prepare(pod, context);
    if (!rate) continue;
    const raw = fitting.map(rate);
    if (!score.normalize) {
      raw.forEach((value, at) => (totals[at]! += score.weight * value));
      continue;
    }
    const low = Math.min(...raw);
    const high = Math.max(...raw);
    if (high === low) continue;
    raw.forEach((value, at) => {
      const share = (value - low) / (high - low);
      totals[at]! += score.weight * MAX_SCORE * (score.normalize === 'reverse' ? 1 - share : share);
    });
  }
  let winner = 0;
  for (let at = 1; at < totals.length; at++) if (totals[at]! > totals[winner]!) winner = at;
  return fitting[winner]!;
}
