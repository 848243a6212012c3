import type { Refusal } from './filter.ts';

/**
 * The message of a pod that fits nowhere, as upstream words it:
 * `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …`
 */
export function explain(refusals: ReadonlyMap<string, Refusal>, preemption: string | undefined): string {
  if (refusals.size === 0) return 'no nodes available to schedule pods';
  return `0/${refusals.size} nodes are available: ${tally([...refusals.values()].flatMap(({ reasons }) => reasons))}.${preemption ? ` ${preemption}` : ''}`;
}

/** What preemption would say when it could not help. */
export function explainPreemption(refusals: ReadonlyMap<string, Refusal>): string {
  const verdicts = [...refusals.values()].map(({ preemptable }) =>
    preemptable ? 'No preemption victims found for incoming pod' : 'Preemption is not helpful for scheduling',
  );
  return `preemption: 0/${refusals.size} nodes are available: ${tally(verdicts)}.`;
}

function tally(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).sort().join(', ');
}
