import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { parseLabelSelector as parse, requirementsMatcher, type LabelMatcher, type LabelRequirement } from '../../../types/kubernetes/selectors.ts';
import { badRequest } from '../errors.ts';
import { BoundedCache } from './bounded-cache.ts';

/** A parsed label selector, with what an index can answer of it. */
export class LabelSelector {
  readonly #matcher: LabelMatcher;
  /** The key and the values that it may have. */
  readonly indexable: { readonly key: string; readonly values: readonly string[] } | undefined;

  constructor(requirements: readonly LabelRequirement[]) {
    this.#matcher = requirementsMatcher(requirements);
    const sets = requirements.filter((requirement) => requirement.operator === 'in');
    const narrowest = sets.find((requirement) => requirement.values.length === 1) ?? sets[0];
    this.indexable = narrowest && { key: narrowest.key, values: [...new Set(narrowest.values)] };
  }

  matches(object: KubeObject): boolean {
    return this.#matcher(object.metadata?.labels);
  }
}

const parsed = new BoundedCache<string, LabelSelector>(1024);
/** Longer texts are parsed anew each time: kept, they would let a stranger fill memory. */
const LONGEST_KEPT = 512;
/** What a list or a watch asks of every object; far more than anybody means. */
const MAX_REQUIREMENTS = 256;

/**
 * Parses a label selector, as in `app=web,tier in (a, b),!canary`.
 * @returns undefined when it selects everything
 * @throws LongshoreError `invalid`, StatusError 400 for one that is far too long
 */
export function parseLabelSelector(text: string | undefined): LabelSelector | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  return text.length > LONGEST_KEPT ? read(text) : parsed.get(text, () => read(text));
}

function read(text: string): LabelSelector {
  const requirements = parse(text);
  if (requirements.length > MAX_REQUIREMENTS) {
    throw badRequest(
      `unable to parse requirement: a selector has at most ${MAX_REQUIREMENTS} requirements, this one has ${requirements.length}`,
    );
  }
  return new LabelSelector(requirements);
}
