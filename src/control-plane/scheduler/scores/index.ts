import type { Score } from '../score.ts';
import { imageLocality, nodeAffinityPreference, ownerSpread, podAffinityPreference, softSpread, taintPreference } from './preferences.ts';
import { balancedAllocation, leastAllocated } from './resources.ts';

export const SCORES: readonly Score[] = [
  leastAllocated,
  balancedAllocation,
  taintPreference,
  nodeAffinityPreference,
  imageLocality,
  ownerSpread,
  softSpread,
  podAffinityPreference,
];
