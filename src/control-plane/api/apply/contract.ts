import type { KubeObject, ManagedFieldsEntry } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';

/**
 * # Who owns which field
 *
 * Two pure functions, exported by `apply.ts`: `applyPatch` makes a server-side
 * apply, `trackUpdate` keeps managedFields current for every other write. Both
 * leave what they are given as it is. Time comes in as a parameter.
 */
export interface ApplyRequest {
  readonly resource: ResourceInfo;
  readonly subresource: string | undefined;
  /** undefined: the apply creates the object. */
  readonly live: KubeObject | undefined;
  /**
   * The configuration as it was sent: the parsed body itself, once Rules.decode found no fault with it. Not what decode returned: what
   * that fills in would count as applied, and what it leaves out (`replicas: 0`, `false`) would not.
   */
  readonly applied: KubeObject;
  readonly manager: string;
  readonly force: boolean;
  /** RFC 3339, to the second, UTC. */
  readonly now: string;
}

export interface ApplyResult {
  /** The merged object with its managedFields; defaults are not filled in yet. */
  readonly object: KubeObject;
  /** False when nothing but time stamps of managedFields would differ from `live`: answer with `live`, write nothing. */
  readonly changed: boolean;
}

export interface TrackRequest {
  readonly resource: ResourceInfo;
  readonly subresource: string | undefined;
  /** undefined: a create. */
  readonly live: KubeObject | undefined;
  /**
   * The object as the client wants it, defaults filled in, with the managedFields that the client sent; before admission and allocation,
   * since what the server itself sets is nobody's. An emptied list (`[]` or
   * `[{}]`) there drops all tracking, as in the API; else what the client sent there counts as the live ones do.
   */
  readonly updated: KubeObject;
  readonly manager: string;
  readonly now: string;
}

/**
 * @throws StatusError 409 Conflict with causes FieldManagerConflict (`Apply failed with 1 conflict: …`); 400 for a configuration that
 * carries managedFields; 500 (as upstream) for one that names an item of a list twice
 */
export type ApplyPatch = (request: ApplyRequest) => ApplyResult;

/** @returns the managedFields to store; the live list itself when nothing in it changes, undefined when there are none */
export type TrackUpdate = (request: TrackRequest) => readonly ManagedFieldsEntry[] | undefined;
