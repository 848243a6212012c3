/** What the Go program prints, and what record-discovery.sh recorded. */
export interface Facts {
  readonly types: readonly TypeFacts[];
  readonly kinds: readonly { readonly group: string; readonly version: string; readonly kind: string; readonly type: string }[];
}

export interface TypeFacts {
  /** OpenAPI name, as in `io.k8s.api.core.v1.Pod`. */
  readonly name: string;
  readonly atomic?: boolean;
  readonly fields: readonly FieldFacts[];
}

export interface FieldFacts {
  /** Empty for an embedded struct. */
  readonly name: string;
  /** See typeCode of collect.go. */
  readonly type: string;
  readonly number?: number;
  readonly pointer?: boolean;
  readonly omitEmpty?: boolean;
  readonly optional?: boolean;
  readonly patch?: string;
  readonly mergeKey?: string;
  readonly list?: string;
  readonly keys?: readonly string[];
  readonly atomic?: boolean;
  readonly default?: string;
  readonly goType?: string;
}

export interface Discovery {
  readonly groups: readonly {
    readonly group: string;
    readonly versions: readonly { readonly version: string; readonly resources: readonly ResourceFacts[] }[];
  }[];
}

export interface ResourceFacts {
  readonly resource: string;
  readonly singular: string;
  /** `group/version/Kind`; group and version are empty where they are the resource's own. */
  readonly kind: string;
  readonly scope: 'Namespaced' | 'Cluster';
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
}

const PREFIXES: readonly (readonly [string, string])[] = [
  ['io.k8s.apimachinery.pkg.apis.meta.', 'meta.'],
  ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.', 'apiextensions.'],
  ['io.k8s.kube-aggregator.pkg.apis.apiregistration.', 'apiregistration.'],
  ['io.k8s.metrics.pkg.apis.metrics.', 'metrics.'],
  ['io.k8s.api.', ''],
];

/** `io.k8s.api.core.v1.Pod` as `core.v1.Pod`: package, version, name. */
export function shortName(name: string): string {
  for (const [long, short] of PREFIXES) if (name.startsWith(long)) return short + name.slice(long.length);
  throw new Error(`type ${name} has a prefix that the generator does not know`);
}

/** `core.v1.Pod` split into the name of its file and its own name: `core-v1`, `Pod`. */
export function place(name: string): { readonly file: string; readonly type: string } {
  const parts = shortName(name).split('.');
  if (parts.length !== 3) throw new Error(`type ${name} is not group.version.name`);
  return { file: `${parts[0]}-${parts[1]}`, type: parts[2]! };
}
