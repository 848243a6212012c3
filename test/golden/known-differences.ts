import { DOCKER_DIFFERENCES } from './known-differences-docker.ts';
import { KUBE_DIFFERENCES } from './known-differences-kube.ts';

/** Differences of one cause. */
export interface KnownDifference {
  readonly why: string;
  /** `SCENARIO | STEP | PATH`; the step `*` is any, and a path stands for all that lies below it. */
  readonly at: readonly string[];
}

/**
 * Where our answers are not yet, or on purpose not, what the recorded peers
 * said. A test fails for a difference that is not listed, and for an entry
 * that is no difference any more: the list only shrinks.
 */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [...KUBE_DIFFERENCES, ...DOCKER_DIFFERENCES];
