import type { NodeSelector } from '../../types/kubernetes/generated/core-v1.ts';

/** What a claim of the pod means for its place. */
export type ClaimView =
  /** Bound; its volume may be reachable from some nodes only. */
  | { readonly state: 'bound'; readonly affinity: NodeSelector | undefined }
  /** The class waits for the pod's node (WaitForFirstConsumer); `selectedNode` when one was chosen before. */
  | { readonly state: 'waits-for-node'; readonly selectedNode: string | undefined }
  /** Not bound, and the binder, not the scheduler, has to act first. */
  | { readonly state: 'unbound' }
  | { readonly state: 'missing' };

/** Read-only view of persistent volume claims. */
export interface VolumeView {
  claim(namespace: string, name: string): ClaimView;
}
