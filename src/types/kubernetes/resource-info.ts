/** One resource of the API: a row of the generated table. */
export interface ResourceInfo {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly SubresourceInfo[];
  /** Key of its schema in the schema table, as in `io.k8s.api.core.v1.Pod`. */
  readonly schema: string;
}

export interface SubresourceInfo {
  readonly name: string;
  readonly verbs: readonly string[];
  /** Kind of its body, with group and version where they differ from the parent's: `Scale` of autoscaling/v1. */
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
}
