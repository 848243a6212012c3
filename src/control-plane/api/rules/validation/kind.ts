import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { Errors } from './errors.ts';
import type { NameRule } from './metadata.ts';

/** The rules of one kind beyond those that all metadata obeys. Objects are decoded and have their defaults. */
export interface KindRules<T extends KubeObject = KubeObject> {
  /** Default: a DNS subdomain. */
  readonly name?: NameRule;
  /** True for what is asked and never stored: its metadata is nobody's name. */
  readonly nameless?: boolean;
  /** True where faults of the metadata are told only of objects that have no others. */
  readonly metadataLast?: boolean;
  /** A new object. */
  create?(object: T, errors: Errors): void;
  /** An object that replaces another through the main endpoint; checks what `create` checks where that is due. */
  update?(object: T, old: T, errors: Errors): void;
  /** A write through a subresource, by its name: `status`, `ephemeralcontainers`. */
  readonly subresources?: Readonly<Record<string, (object: T, old: T, errors: Errors) => void>>;
}

/** Rules of one kind, as an entry of the table of all: the type of its objects is settled here, once. */
export function rulesOf<T extends KubeObject>(rules: KindRules<T>): KindRules {
  return rules as unknown as KindRules;
}
