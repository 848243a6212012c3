import type { KnownDifference } from './known-difference.ts';
import { DOCKER_DIFFERENCES } from './known-differences-docker.ts';
import { KUBE_DIFFERENCES } from './known-differences-kube.ts';

/**
 * Where our answers are not yet, or on purpose not, what the recorded peers
 * said. A test fails for a difference that is not listed, and for an entry
 * that is no difference any more: the list only shrinks.
 */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [...KUBE_DIFFERENCES, ...DOCKER_DIFFERENCES];
