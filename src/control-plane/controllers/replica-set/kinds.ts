import { labelMatcher, type LabelMatcher, type Labels, type LabelSelectorLike } from '../../../client/label-selector.ts';
import { replicaSets, replicationControllers } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import type { ReplicaSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PodTemplateSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';

/** What ReplicaSets and ReplicationControllers have in common. */
export interface ReplicaOwner extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly template?: PodTemplateSpec;
    /** A LabelSelector, or a map of labels. */
    readonly selector?: unknown;
  };
  readonly status?: ReplicaSetStatus;
}

/** A kind of owner of replicas, for the one controller that serves both. */
export interface ReplicaKind {
  readonly resource: ResourceRef;
  /** Selects the owner's pods. */
  readonly matcher: (owner: ReplicaOwner) => LabelMatcher;
}

export const replicaSetKind: ReplicaKind = {
  resource: replicaSets,
  matcher: (owner) => labelMatcher(owner.spec?.selector as LabelSelectorLike | undefined),
};

export const replicationControllerKind: ReplicaKind = {
  resource: replicationControllers,
  matcher: (owner) => {
    const matchLabels = owner.spec?.selector as Labels | undefined;
    return matchLabels === undefined ? () => false : labelMatcher({ matchLabels });
  },
};
