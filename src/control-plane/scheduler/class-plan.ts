import type { SchedulingContext } from './filter.ts';
import type { NodeInfo, PodInfo } from './model.ts';
import { ask, plan, prepareChecks, type Plan } from './plan.ts';
import { imageLocality, nodeAffinityPreference, taintPreference } from './scores/preferences.ts';
import { balancedAllocation, leastAllocated } from './scores/resources.ts';

const UNFIT = -Infinity;

interface ClassState {
  nodes: readonly NodeInfo[];
  /** Score of each node at the generation it was looked at; UNFIT when a filter refused it. */
  scores: Float64Array;
  generations: Float64Array;
  checks: ReturnType<typeof prepareChecks>;
  rate: (node: NodeInfo) => number;
}

/**
 * Plans many identical pods: what was found for one pod of a class still holds
 * for the next on every node that has not changed since, so that each further
 * pod costs one pass over numbers. Scores are not normalised over the fitting
 * nodes here, so a score of a node depends on that node alone; owner spreading counts
 * as a tenth of the range for each pod. Gives a place that all filters allow, or leaves the answer to `plan`.
 */
export class ClassPlanner {
  readonly #classes = new Map<string, ClassState>();
  readonly #context: SchedulingContext;
  #offset = 0;

  constructor(context: SchedulingContext) {
    this.#context = context;
  }

  plan(pod: PodInfo): Plan {
    const { snapshot } = this.#context;
    if (pod.equivalence === undefined || snapshot.podsWithTerms > 0 || snapshot.nodes.length < 2) {
      return plan(pod, this.#context, this.#offset++);
    }
    const state = this.#state(pod, pod.equivalence);
    const { nodes, scores, generations } = state;
    let winner = -1;
    for (let at = 0; at < nodes.length; at++) {
      const node = nodes[at]!;
      if (generations[at] !== node.generation) {
        generations[at] = node.generation;
        scores[at] = ask(state.checks, node) ? UNFIT : state.rate(node);
      }
      if (scores[at]! > (winner < 0 ? UNFIT : scores[winner]!)) winner = at;
    }
    return winner < 0 ? plan(pod, this.#context) : { node: nodes[winner]!.name };
  }

  #state(pod: PodInfo, id: string): ClassState {
    const { nodes } = this.#context.snapshot;
    let state = this.#classes.get(id);
    if (state?.nodes === nodes) return state;
    if (this.#classes.size >= 256) this.#classes.clear();
    const rates = [leastAllocated, balancedAllocation, imageLocality].map((score) => score.prepare(pod, this.#context));
    const taints = taintPreference.prepare(pod, this.#context)!;
    const preferred = nodeAffinityPreference.prepare(pod, this.#context);
    const { owner } = pod;
    state = {
      nodes,
      scores: new Float64Array(nodes.length),
      generations: new Float64Array(nodes.length).fill(-1),
      checks: prepareChecks(pod, this.#context),
      rate(node) {
        let total = 0;
        for (const rate of rates) if (rate) total += rate(node);
        total -= 300 * taints(node);
        if (preferred) total += 2 * preferred(node);
        if (owner !== undefined) total -= 20 * (node.owners.get(owner) ?? 0);
        return total;
      },
    };
    this.#classes.set(id, state);
    return state;
  }
}
