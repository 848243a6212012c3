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
  /** The configuration as it was sent, decoded (Rules.decode), without defaults. */
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
   * The object that is going to be written, defaults filled in, with the managedFields that the client sent. An emptied list (`[]` or
   * `[{}]`) there drops all tracking, as in the API; else what the client sent there counts as the live ones do.
   */
  readonly updated: KubeObject;
  readonly manager: string;
  readonly now: string;
}

/**
 * @throws StatusError 409 Conflict with causes FieldManagerConflict (`Apply failed with 1 conflict: …`); 400 for a configuration that
 * carries managedFields; 422/400 for duplicate keys in a list map
 */
export type ApplyPatch = (request: ApplyRequest) => ApplyResult;

/** @returns the managedFields to store; the live list itself when nothing in it changes, undefined when there are none */
export type TrackUpdate = (request: TrackRequest) => readonly ManagedFieldsEntry[] | undefined;
