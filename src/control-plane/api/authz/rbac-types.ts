import type { LabelSelector } from '../../../types/kubernetes/generated/meta-v1.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../../types/kubernetes/generated/rbac-v1.ts';

export type { PolicyRule, RoleRef, Subject } from '../../../types/kubernetes/generated/rbac-v1.ts';

/** Role and ClusterRole alike. */
export type RoleObject = ClusterRole;
/** RoleBinding and ClusterRoleBinding alike. */
export type BindingObject = ClusterRoleBinding;

/** metav1.LabelSelector over a set of labels. An empty selector matches everything. */
export function selectorMatches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = Object.hasOwn(labels, key);
    const isIn = has && values.includes(labels[key]!);
    if (operator === 'In' ? !isIn : operator === 'NotIn' ? isIn : operator === 'Exists' ? !has : has) return false;
  }
  return true;
}
