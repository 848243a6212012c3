import type { SchedulingContext } from './filter.ts';
import type { NodeInfo, PodInfo } from './model.ts';

/**
 * Prefers one fitting node over another. A raw score is any number; with
 * `normalize` it is mapped over all fitting nodes to 0 … 100 (`reverse`: less is better), without it has to lie there already.
 */
export interface Score {
  readonly name: string;
  readonly weight: number;
  readonly normalize?: 'forward' | 'reverse';
  /** Undefined: nothing to say about this pod. Pure. */
  prepare(pod: PodInfo, context: SchedulingContext): ((node: NodeInfo) => number) | undefined;
}

export const MAX_SCORE = 100;
