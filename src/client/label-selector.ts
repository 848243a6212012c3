import { LongshoreError } from '../lib/errors.ts';

export type Labels = Readonly<Record<string, string>>;

/** The shape of meta.k8s.io/v1 LabelSelector. */
export interface LabelSelectorLike {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

export type LabelMatcher = (labels: Labels | undefined) => boolean;

const NONE: Labels = {};

/**
 * A matcher for a LabelSelector: null or undefined matches nothing, an empty
 * one everything. Matchers are kept by selector object, since these are shared.
 * @throws LongshoreError `invalid` for an operator that is not In, NotIn, Exists or DoesNotExist
 */
export function labelMatcher(selector: LabelSelectorLike | null | undefined): LabelMatcher {
  if (selector === null || selector === undefined) return () => false;
  let matcher = kept.get(selector);
  if (matcher === undefined) {
    const tests = [
      ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => oneOf(key, [value])),
      ...(selector.matchExpressions ?? []).map((term) => expression(term.key, term.operator, term.values ?? [])),
    ];
    matcher = (labels) => tests.every((test) => test(labels ?? NONE));
    kept.set(selector, matcher);
  }
  return matcher;
}
const kept = new WeakMap<object, LabelMatcher>();

/** True when every pair of `wanted` is among `labels`: the selectors of Services and ReplicationControllers. An empty or absent one matches nothing. */
export function matchesMap(wanted: Labels | undefined, labels: Labels | undefined): boolean {
  if (wanted === undefined) return false;
  let some = false;
  for (const key in wanted) {
    if (labels?.[key] !== wanted[key]) return false;
    some = true;
  }
  return some;
}

/** The text form of a LabelSelector, as in a `labelSelector` parameter. */
export function formatSelector(selector: LabelSelectorLike): string {
  const terms = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    if (operator === 'Exists') terms.push(key);
    else if (operator === 'DoesNotExist') terms.push(`!${key}`);
    else terms.push(`${key} ${operator.toLowerCase()} (${values.toSorted().join(',')})`);
  }
  return terms.join(',');
}

/**
 * A matcher for the text form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
 * @throws LongshoreError `invalid`
 */
export function parseSelector(text: string): LabelMatcher {
  const tests: ((labels: Labels) => boolean)[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const match = /^(?:(!)\s*([^\s=!,()]+)|([^\s=!,()]+)(?:\s*(==|=|!=)\s*([^\s=!,()]*)|\s+(in|notin)\s*\(([^()]*)\))?)\s*(?:,|$)/.exec(
      rest,
    );
    if (match === null) {
      throw new LongshoreError('invalid', `unable to parse the selector ${JSON.stringify(text)} at ${JSON.stringify(rest)}`);
    }
    const [all, not, absent, key, sign, value, word, list] = match;
    if (not !== undefined) tests.push(expression(absent!, 'DoesNotExist', []));
    else if (sign !== undefined) tests.push(expression(key!, sign === '!=' ? 'NotIn' : 'In', [value!]));
    else if (word !== undefined) tests.push(expression(key!, word === 'in' ? 'In' : 'NotIn', list!.split(',').map((item) => item.trim())));
    else tests.push(expression(key!, 'Exists', []));
    rest = rest.slice(all.length).trimStart();
  }
  return (labels) => tests.every((test) => test(labels ?? NONE));
}

function oneOf(key: string, values: readonly string[]): (labels: Labels) => boolean {
  const only = values.length === 1 ? values[0] : undefined;
  return only !== undefined ? (labels) => labels[key] === only : (labels) => labels[key] !== undefined && values.includes(labels[key]);
}

function expression(key: string, operator: string, values: readonly string[]): (labels: Labels) => boolean {
  switch (operator) {
    case 'In': return oneOf(key, values);
    case 'NotIn': return (labels) => labels[key] === undefined || !values.includes(labels[key]);
    case 'Exists': return (labels) => labels[key] !== undefined;
    case 'DoesNotExist': return (labels) => labels[key] === undefined;
    default: throw new LongshoreError('invalid', `${JSON.stringify(operator)} is not a valid label selector operator`);
  }
}
