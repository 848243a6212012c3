import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../../../../types/kubernetes/generated/rbac-v1.ts';
import { checked, each, same, validateLabelSelector } from './common.ts';
import { type Errors, internalForm, Path } from './errors.ts';
import { dnsSubdomain, pathSegment } from './formats.ts';
import { rulesOf } from './kind.ts';

const GROUP = 'rbac.authorization.k8s.io';
const REF = new Path('roleRef');

function validateRules(rules: readonly PolicyRule[] | undefined, namespaced: boolean, errors: Errors): void {
  each(rules).forEach((rule, n) => {
    const at = new Path('rules').index(n);
    const [groups, resources, names, urls] = [each(rule.apiGroups), each(rule.resources), each(rule.resourceNames), each(rule.nonResourceURLs)];
    if (each(rule.verbs).length === 0) errors.required(at.child('verbs'), 'verbs must contain at least one value');
    if (urls.length > 0) {
      if (namespaced) errors.invalid(at.child('nonResourceURLs'), urls, 'namespaced rules cannot apply to non-resource URLs');
      if (groups.length + resources.length + names.length > 0) {
        errors.invalid(at.child('nonResourceURLs'), urls, 'rules cannot apply to both regular resources and non-resource URLs');
      }
      return;
    }
    if (groups.length === 0) errors.required(at.child('apiGroups'), 'resource rules must supply at least one api group');
    if (resources.length === 0) errors.required(at.child('resources'), 'resource rules must supply at least one resource');
  });
}

const role = (object: Role, errors: Errors): void => validateRules(object.rules, true, errors);

function clusterRole(object: ClusterRole, errors: Errors): void {
  validateRules(object.rules, false, errors);
  if (object.aggregationRule === undefined) return;
  const at = new Path('aggregationRule').child('clusterRoleSelectors');
  const selectors = each(object.aggregationRule.clusterRoleSelectors);
  if (selectors.length === 0) errors.required(at, 'at least one clusterRoleSelector required if aggregationRule is non-nil');
  selectors.forEach((selector, n) => {
    const before = errors.list.length;
    validateLabelSelector(selector, errors, at.index(n));
    if (errors.list.length > before) errors.invalid(at.index(n), null, 'invalid label selector.');
  });
}

function validateBinding(binding: RoleBinding | ClusterRoleBinding, kinds: readonly string[], namespaced: boolean, errors: Errors): void {
  const ref: RoleRef = binding.roleRef;
  if (ref.apiGroup !== GROUP) errors.notSupported(REF.child('apiGroup'), ref.apiGroup ?? '', [GROUP]);
  if (!kinds.includes(ref.kind)) errors.notSupported(REF.child('kind'), ref.kind, kinds);
  if (ref.name === '') errors.required(REF.child('name'));
  else errors.invalidEach(REF.child('name'), ref.name, pathSegment(ref.name));
  each(binding.subjects).forEach((subject, n) => validateSubject(subject, namespaced, errors, new Path('subjects').index(n)));
}

function validateSubject(subject: Subject, namespaced: boolean, errors: Errors, path: Path): void {
  const { kind, name, apiGroup = '', namespace = '' } = subject;
  if (name === '') errors.required(path.child('name'));
  if (kind === 'ServiceAccount') {
    if (name !== '') checked(name, dnsSubdomain, errors, path.child('name'));
    if (apiGroup !== '') errors.notSupported(path.child('apiGroup'), apiGroup, ['']);
    if (!namespaced && namespace === '') errors.required(path.child('namespace'));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== GROUP) errors.notSupported(path.child('apiGroup'), apiGroup, [GROUP]);
  } else errors.notSupported(path.child('kind'), kind, ['ServiceAccount', 'User', 'Group']);
}

function sameRef(now: RoleBinding | ClusterRoleBinding, old: RoleBinding | ClusterRoleBinding, errors: Errors): void {
  if (!same(now.roleRef, old.roleRef)) {
    errors.invalid(REF, internalForm(now.roleRef, { APIGroup: null, Kind: null, Name: null }), 'cannot change roleRef');
  }
}

const roleBinding = (binding: RoleBinding, errors: Errors): void => validateBinding(binding, ['Role', 'ClusterRole'], true, errors);
const clusterRoleBinding = (binding: ClusterRoleBinding, errors: Errors): void => validateBinding(binding, ['ClusterRole'], false, errors);

export const ROLE = rulesOf<Role>({ name: pathSegment, create: role, update: (object, _old, errors) => role(object, errors) });
export const CLUSTER_ROLE = rulesOf<ClusterRole>({ name: pathSegment, create: clusterRole, update: (object, _old, errors) => clusterRole(object, errors) });
export const ROLE_BINDING = rulesOf<RoleBinding>({
  name: pathSegment, create: roleBinding,
  update: (binding, old, errors) => {
    roleBinding(binding, errors);
    sameRef(binding, old, errors);
  },
});
export const CLUSTER_ROLE_BINDING = rulesOf<ClusterRoleBinding>({
  name: pathSegment, create: clusterRoleBinding,
  update: (binding, old, errors) => {
    clusterRoleBinding(binding, errors);
    sameRef(binding, old, errors);
  },
});
