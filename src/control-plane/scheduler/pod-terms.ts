import { labelMatcher } from '../../client/label-selector.ts';
import type { PodAffinityTerm } from '../../types/kubernetes/generated/core-v1.ts';
import type { LabelSelector } from '../../types/kubernetes/generated/meta-v1.ts';
import type { SchedulingContext } from './filter.ts';
import type { PodInfo } from './model.ts';

export type PodMatcher = (pod: PodInfo) => boolean;

/** A selector over pods, with the keys of `matchLabelKeys` and `mismatchLabelKeys` taken from the pod that is being placed. */
export function selectorMatcher(
  selector: LabelSelector | undefined,
  own: Readonly<Record<string, string>>,
  matchKeys: readonly string[] = [],
  mismatchKeys: readonly string[] = [],
): (labels: Readonly<Record<string, string>>) => boolean {
  if (!selector) return () => false;
  const base = labelMatcher(selector);
  const keys = matchKeys.filter((key) => own[key] !== undefined);
  const not = mismatchKeys.filter((key) => own[key] !== undefined);
  return (labels) => base(labels) && keys.every((key) => labels[key] === own[key]) && not.every((key) => labels[key] !== own[key]);
}

/** Which pods a term of (anti-)affinity speaks of; `owner` is the pod that carries the term. */
export function termMatcher(term: PodAffinityTerm, owner: PodInfo, context: SchedulingContext): PodMatcher {
  const matches = selectorMatcher(term.labelSelector, owner.labels, term.matchLabelKeys, term.mismatchLabelKeys);
  const names = term.namespaces ?? [];
  const selected = term.namespaceSelector && labelMatcher(term.namespaceSelector);
  const inNamespace = (namespace: string): boolean => {
    if (names.length === 0 && !selected) return namespace === owner.namespace;
    return names.includes(namespace) || (selected !== undefined && selected(context.namespaceLabels(namespace) ?? {}));
  };
  return (pod) => inNamespace(pod.namespace) && matches(pod.labels);
}
