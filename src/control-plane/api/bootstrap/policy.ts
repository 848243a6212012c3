import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { PolicyRule, RoleObject, BindingObject, Subject } from '../authz/rbac-types.ts';
import { BINDING_TABLE } from './binding-table.ts';
import { ROLE_TABLE } from './role-table.ts';

const GROUP = 'rbac.authorization.k8s.io';
const AUTOUPDATE = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' };
const BOOTSTRAPPING = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

export interface BootstrapObject {
  readonly resource: 'clusterroles' | 'roles' | 'clusterrolebindings' | 'rolebindings';
  readonly namespace: string | undefined;
  readonly object: (RoleObject | BindingObject) & KubeObject;
}

/** The default roles and bindings as objects, in the order of the tables. */
export function defaultPolicy(table: string = ROLE_TABLE + BINDING_TABLE): readonly BootstrapObject[] {
  const out: BootstrapObject[] = [];
  let rules: PolicyRule[] = [];
  for (const line of table.split('\n')) {
    if (line === '') continue;
    const words = line.trim().split(' ');
    if (line.startsWith(' ')) rules.push(rule(words));
    else {
      rules = [];
      out.push(head(words, rules));
    }
  }
  return out;
}

function rule(words: readonly string[]): PolicyRule {
  const verbs = words[0]!.split(',');
  if (words.length === 2) return { verbs, nonResourceURLs: words[1]!.split(',') };
  const names = words[3]?.slice(1).split(',');
  return {
    verbs,
    apiGroups: words[1]!.split(',').map((group) => (group === 'core' ? '' : group)),
    resources: words[2]!.split(','),
    ...(names && { resourceNames: names }),
  };
}

function head(words: readonly string[], rules: PolicyRule[]): BootstrapObject {
  const [type, ...rest] = words;
  if (type === 'clusterrole') {
    const keys = (prefix: string): string[] => rest.slice(1).filter((word) => word.startsWith(prefix)).map((word) => word.slice(prefix.length));
    const labels = Object.fromEntries(keys('label:').map((key) => [key, 'true']));
    const selectors = keys('aggregate:').map((key) => ({ matchLabels: { [key]: 'true' } }));
    return {
      resource: 'clusterroles',
      namespace: undefined,
      object: {
        ...base('ClusterRole', rest[0]!, undefined, labels),
        ...(selectors.length > 0 && { aggregationRule: { clusterRoleSelectors: selectors } }),
        rules,
      },
    };
  }
  if (type === 'role') return { resource: 'roles', namespace: rest[0], object: { ...base('Role', rest[1]!, rest[0]), rules } };
  if (type === 'clusterrolebinding') {
    return {
      resource: 'clusterrolebindings',
      namespace: undefined,
      object: {
        ...base('ClusterRoleBinding', rest[0]!),
        roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: rest[1]! },
        ...subjects(rest.slice(2)),
      },
    };
  }
  const [namespace, name, ref, ...who] = rest;
  const [kind, ...role] = ref!.split('/');
  return {
    resource: 'rolebindings',
    namespace,
    object: {
      ...base('RoleBinding', name!, namespace),
      roleRef: { apiGroup: GROUP, kind: kind === 'role' ? 'Role' : 'ClusterRole', name: role.join('/') },
      ...subjects(who),
    },
  };
}

function base(kind: string, name: string, namespace?: string, labels: Record<string, string> = {}): KubeObject {
  return {
    kind,
    apiVersion: `${GROUP}/v1`,
    metadata: { name, ...(namespace !== undefined && { namespace }), labels: { ...BOOTSTRAPPING, ...labels }, annotations: AUTOUPDATE },
  };
}

function subjects(words: readonly string[]): { readonly subjects?: readonly Subject[] } {
  if (words.length === 0) return {};
  return {
    subjects: words.map((word): Subject => {
      const [kind, ...rest] = word.split(':');
      if (kind === 'serviceaccount') return { kind: 'ServiceAccount', name: rest[1]!, namespace: rest[0]! };
      return { apiGroup: GROUP, kind: kind === 'user' ? 'User' : 'Group', name: rest.join(':') };
    }),
  };
}
