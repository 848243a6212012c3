import type { NodeInfo, PodInfo } from './model.ts';
import type { Snapshot } from './snapshot.ts';
import type { VolumeView } from './volumes.ts';

/** A filter's no to one node. */
export interface Refusal {
  /** Why, as upstream words it: these become the message of the PodScheduled condition. */
  readonly reasons: readonly string[];
  /** What exactly stands in the way on this node, for `longshore why`; the reasons where it is left out. */
  readonly detail?: string;
  /** False: no eviction of other pods could make this node fit. */
  readonly preemptable: boolean;
}

/** What filters and scores may look at besides pod and node. All of it stays unchanged during one plan. */
export interface SchedulingContext {
  readonly snapshot: Snapshot;
  readonly volumes: VolumeView;
  /** Labels of namespaces, for terms that select namespaces. */
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined;
}

/** Answers for one pod, node by node. */
export type NodeCheck = (node: NodeInfo) => Refusal | undefined;

/**
 * A filter can check *and explain*. `prepare` runs once a pod and does what
 * does not depend on the node; it returns undefined when the filter has
 * nothing to say about this pod. Pure: the same pod and context give the same answer.
 */
export interface Filter {
  readonly name: string;
  prepare(pod: PodInfo, context: SchedulingContext): NodeCheck | undefined;
}

/** A refusal with one reason. */
export function refuse(reason: string, preemptable = false): Refusal {
  return { reasons: [reason], preemptable };
}
