import type { NodeAffinity, NodeSelectorTerm, PodSpec } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { each, same } from '../common.ts';
import { byKey, type Errors, internalForm, type Path } from '../errors.ts';

const REQUIREMENT = { Key: null, Operator: null, Values: null };
const TERM = { MatchExpressions: REQUIREMENT, MatchFields: REQUIREMENT };

/** Who holds a pod back with scheduling gates may meanwhile say more about where it is to run: fewer nodes, never more. */
export function validateNarrowing(spec: PodSpec, before: PodSpec, errors: Errors, path: Path): void {
  if (!same(spec.nodeSelector ?? {}, before.nodeSelector ?? {})) {
    const kept = Object.entries(before.nodeSelector ?? {}).every(([key, value]) => spec.nodeSelector?.[key] === value);
    if (!kept) {
      errors.invalid(
        path.child('nodeSelector'),
        byKey(spec.nodeSelector),
        'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
      );
    }
  }
  const [now, was] = [spec.affinity?.nodeAffinity, before.affinity?.nodeAffinity];
  if (!same(now, was)) {
    validateTerms(
      now,
      was,
      errors,
      path.child('affinity').child('nodeAffinity').child('requiredDuringSchedulingIgnoredDuringExecution').child('nodeSelectorTerms'),
    );
  }
}

function termsOf(affinity: NodeAffinity | undefined): readonly NodeSelectorTerm[] {
  return each(affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms);
}

function validateTerms(now: NodeAffinity | undefined, before: NodeAffinity | undefined, errors: Errors, path: Path): void {
  const [terms, old] = [termsOf(now), termsOf(before)];
  if (old.length === 0) return;
  if (old.length !== terms.length) {
    return errors.invalid(
      path,
      terms.length === 0 ? null : terms.map((term) => internalForm(term, TERM)),
      'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
    );
  }
  terms.forEach((term, n) => {
    if (!onlyAdds(term, old[n]!)) {
      errors.invalid(path.index(n), internalForm(term, TERM), 'only additions are allowed (no mutations or deletions)');
    }
  });
}

function onlyAdds(term: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const lists = ['matchExpressions', 'matchFields'] as const;
  // A term without requirements matches nothing: one that it gets would widen it.
  if (lists.every((list) => each(old[list]).length === 0)) return lists.every((list) => each(term[list]).length === 0);
  return lists.every((list) => each(old[list]).every((requirement, n) => same(requirement, each(term[list])[n])));
}

/** The spec with the old values of what a gated pod may change. */
export function withoutNarrowing(spec: PodSpec, before: PodSpec): PodSpec {
  const { nodeAffinity: _, ...others } = spec.affinity ?? {};
  const old = before.affinity?.nodeAffinity;
  const affinity = old === undefined ? others : { ...others, nodeAffinity: old };
  const bare = Object.keys(affinity).length === 0 && before.affinity === undefined;
  return { ...spec, nodeSelector: before.nodeSelector, affinity: bare ? undefined : affinity };
}
