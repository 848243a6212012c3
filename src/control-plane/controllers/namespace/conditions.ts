import { rfc3339 } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { NamespaceCondition } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ResourceRef } from '../../../types/kubernetes/meta.ts';
import { conditionOf } from '../shared/conditions.ts';

/** What one round of emptying a namespace left. */
export interface Remains {
  readonly counts: ReadonlyMap<ResourceRef, number>;
  readonly finalizers: ReadonlyMap<string, number>;
  readonly errors: readonly unknown[];
}

const FINE: readonly (readonly [type: string, reason: string, message: string])[] = [
  ['NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'],
  ['NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'],
  ['NamespaceDeletionContentFailure', 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  ['NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
];

/** The conditions that say how far a namespace's deletion has come. */
export function deletionConditions(before: readonly NamespaceCondition[] | undefined, remains: Remains, nowMs: number): readonly NamespaceCondition[] {
  const problems = new Map<string, readonly [reason: string, message: string]>();
  const { counts, finalizers, errors } = remains;
  if (errors.length > 0) {
    problems.set('NamespaceDeletionContentFailure', [
      'ContentDeletionFailed',
      `Failed to delete all resource types, ${errors.length} remaining: ${errors.map(messageOf).toSorted().join(', ')}`,
    ]);
  }
  if (counts.size > 0) {
    problems.set('NamespaceContentRemaining', [
      'SomeResourcesRemain',
      `Some resources are remaining: ${[...counts]
        .map(([{ resource, group }, count]) => `${resource}.${group} has ${count} resource instances`)
        .toSorted()
        .join(', ')}`,
    ]);
  }
  if (finalizers.size > 0) {
    problems.set('NamespaceFinalizersRemaining', [
      'SomeFinalizersRemain',
      `Some content in the namespace has finalizers remaining: ${[...finalizers]
        .map(([name, count]) => `${name} in ${count} resource instances`)
        .toSorted()
        .join(', ')}`,
    ]);
  }
  const others = (before ?? []).filter(({ type }) => !FINE.some(([known]) => known === type));
  return [...others, ...FINE.map(([type, fineReason, fineMessage]): NamespaceCondition => {
    const problem = problems.get(type);
    const [reason, message] = problem ?? [fineReason, fineMessage];
    const status = problem ? 'True' : 'False';
    const present = conditionOf(before, type);
    const lastTransitionTime = present?.status === status && present.lastTransitionTime ? present.lastTransitionTime : rfc3339(nowMs);
    return { type, status, lastTransitionTime, reason, message };
  })];
}
