import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';

/** An object under construction: a private copy, open to change. */
export type Draft = Record<string, unknown> & { metadata: DraftMeta };

/** Its metadata: what decoding has checked is typed. */
export interface DraftMeta extends Record<string, unknown> {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  finalizers?: readonly string[];
}

/** What a kind does of its own accord when it is written. All of it is pure. */
export interface Strategy {
  /** PUT of a name that does not exist makes it. */
  readonly createOnUpdate: boolean;
  /** An update may leave out the resourceVersion. */
  readonly unconditionalUpdate: boolean;
  /** metadata.generation counts changes of the desired state. */
  readonly generation: boolean;
  /** Propagation policies apply (not to events). */
  readonly garbageCollected: boolean;
  /** Whoever deletes one without a word on its dependents leaves them, and is told: text of that warning. */
  readonly orphansByDefault?: string;
  /** Sets and clears what the client has no say in. */
  prepareForCreate(object: Draft): void;
  prepareForUpdate(object: Draft, old: KubeObject, subresource: string | undefined): void;
  /** Whether the desired state differs, for kinds that count generations. */
  changed(object: Draft, old: KubeObject): boolean;
}

/** Gives the strategy of a resource; asked once for each. */
export type StrategyOf = (resource: ResourceInfo) => Strategy;
