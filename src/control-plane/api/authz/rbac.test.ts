import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultPolicy } from '../bootstrap/policy.ts';
import type { AuthorizationAttributes, UserInfo } from '../contract.ts';
import { denied } from './access.ts';
import type { BindingObject, RoleObject } from './rbac-types.ts';
import { RbacAuthorizer } from './rbac.ts';
import { covers, RuleSet } from './rule-set.ts';

function withPolicy(): RbacAuthorizer {
  const rbac = new RbacAuthorizer();
  for (const { resource, namespace, object } of defaultPolicy()) rbac.set(resource, namespace ?? '', object.metadata!.name!, object);
  return rbac;
}

function bind(rbac: RbacAuthorizer, namespace: string, role: string, ...users: readonly string[]): void {
  const subjects = users.map((name) => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name }));
  const object = { metadata: { name: role, namespace }, roleRef: { apiGroup: '', kind: 'ClusterRole', name: role }, subjects } as BindingObject;
  rbac.set(namespace === '' ? 'clusterrolebindings' : 'rolebindings', namespace, role, object);
}

const user = (name: string, ...groups: readonly string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });

/** `verb group/resource[/subresource] [namespace] [name]` */
function may(rbac: RbacAuthorizer, who: UserInfo, text: string): boolean {
  const [verb = '', what = '', namespace = '', name = ''] = text.split(' ');
  const [group = '', resource = '', subresource = ''] = what.split('/');
  return rbac.authorize({ user: who, verb, group, resource, subresource, namespace: namespace === '-' ? '' : namespace, name }).allowed;
}

describe('the default policy', () => {
  test('is what was recorded: counts, and a few of its lines', () => {
    const policy = defaultPolicy();
    const count = (resource: string): number => policy.filter((one) => one.resource === resource).length;
    assert.deepEqual([count('clusterroles'), count('roles'), count('clusterrolebindings'), count('rolebindings')], [69, 8, 53, 8]);
    const scheduler = policy.find((one) => one.resource === 'clusterrolebindings' && one.object.metadata?.name === 'system:kube-scheduler')!
      .object as BindingObject;
    assert.deepEqual(scheduler.subjects, [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:kube-scheduler' }]);
    const admin = policy.find((one) => one.object.metadata?.name === 'admin')!.object as RoleObject;
    assert.deepEqual(admin.aggregationRule, { clusterRoleSelectors: [{ matchLabels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' } }] });
  });

  test('gives view, edit and admin what they gather, in their namespace alone', () => {
    const rbac = withPolicy();
    bind(rbac, 'a', 'view', 'vera');
    bind(rbac, 'a', 'edit', 'eve');
    bind(rbac, 'a', 'admin', 'ada');
    const expected: readonly [string, string, boolean][] = [
      ['vera', 'list /pods a', true],
      ['vera', 'get /pods/log a p', true],
      ['vera', 'get /secrets a s', false],
      ['vera', 'create /pods a', false],
      ['vera', 'list /pods b', false],
      ['vera', 'list /pods', false],
      ['eve', 'get /secrets a s', true],
      ['eve', 'create apps/deployments a', true],
      ['eve', 'create /pods/exec a p', true],
      ['eve', 'create rbac.authorization.k8s.io/roles a', false],
      ['eve', 'update /namespaces a a', false],
      ['ada', 'create rbac.authorization.k8s.io/rolebindings a', true],
      ['ada', 'create /pods/eviction a p', true],
      ['ada', 'delete /nodes - n', false],
    ];
    for (const [name, text, want] of expected) assert.equal(may(rbac, user(name), text), want, `${name}: ${text}`);
  });

  test('lets components do their work and no more', () => {
    const rbac = withPolicy();
    assert.ok(may(rbac, user('system:kube-scheduler'), 'create /pods/binding a p'));
    assert.ok(!may(rbac, user('system:kube-scheduler'), 'get /secrets a s'));
    assert.ok(may(rbac, user('system:serviceaccount:kube-system:deployment-controller'), 'create apps/replicasets a'));
    assert.ok(!may(rbac, user('system:serviceaccount:kube-system:deployment-controller'), 'create /pods a'));
    assert.ok(may(rbac, user('bob'), 'create authorization.k8s.io/selfsubjectaccessreviews'));
    assert.ok(!may(rbac, user('system:node:n', 'system:nodes'), 'get /secrets a s'), 'nodes have an authorizer of their own');
  });
});

describe('rules', () => {
  const rulesOf = (...rules: readonly NonNullable<RoleObject['rules']>[number][]): RuleSet => {
    const set = new RuleSet();
    set.add(rules);
    return set;
  };
  const at = (verb: string, resource: string, subresource = '', name = '', group = ''): AuthorizationAttributes => ({
    user: user('x'),
    verb,
    group,
    resource,
    subresource,
    namespace: 'n',
    name,
  });

  test('names, subresources and wildcards', () => {
    const named = rulesOf({ verbs: ['get', 'delete'], apiGroups: [''], resources: ['pods'], resourceNames: ['a'] });
    assert.ok(named.allows(at('get', 'pods', '', 'a')));
    assert.ok(!named.allows(at('get', 'pods', '', 'b')));
    assert.ok(!named.allows(at('list', 'pods')));
    assert.ok(!named.allows(at('get', 'pods', 'log', 'a')), 'a resource does not include its subresources');
    assert.ok(rulesOf({ verbs: ['*'], apiGroups: ['*'], resources: ['*/scale'] }).allows(at('patch', 'deployments', 'scale', 'd', 'apps')));
    assert.ok(!rulesOf({ verbs: ['*'], apiGroups: ['*'], resources: ['*/scale'] }).allows(at('patch', 'deployments', '', 'd', 'apps')));
    assert.ok(rulesOf({ verbs: ['get'], apiGroups: [''], resources: ['*'] }).allows(at('get', 'pods', 'exec', 'p')));
    assert.ok(!rulesOf({ verbs: ['get'], apiGroups: [''], resources: ['*'] }).allows(at('get', 'deployments', '', 'd', 'apps')));
  });

  test('paths', () => {
    const set = rulesOf({ verbs: ['get'], nonResourceURLs: ['/healthz', '/api/*'] });
    const path = (verb: string, value: string): boolean => set.allows({ ...at(verb, ''), path: value });
    assert.deepEqual(
      [path('get', '/healthz'), path('get', '/healthz/etcd'), path('get', '/api/v1'), path('post', '/healthz'), path('get', '/metrics')],
      [true, false, true, false, false],
    );
  });

  test('whether one set of rules covers another rule, for escalation checks', () => {
    const own = rulesOf(
      { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] },
      { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] },
    );
    assert.ok(covers(own, { verbs: ['get'], apiGroups: [''], resources: ['pods', 'pods/log'] }));
    assert.ok(covers(own, { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] }));
    assert.ok(!covers(own, { verbs: ['get'], apiGroups: [''], resources: ['secrets'] }));
    assert.ok(!covers(own, { verbs: ['*'], apiGroups: [''], resources: ['pods'] }));
    assert.ok(!covers(own, { verbs: ['get'], apiGroups: ['*'], resources: ['pods'] }));
    assert.ok(covers(rulesOf({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }), { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }));
    assert.ok(!covers(rulesOf({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }), { verbs: ['get'], nonResourceURLs: ['/metrics'] }));
  });
});

test('a change of a binding counts from the next question on', () => {
  const rbac = withPolicy();
  const bob = user('bob');
  assert.ok(!may(rbac, bob, 'list /pods a'));
  bind(rbac, 'a', 'view', 'bob');
  assert.ok(may(rbac, bob, 'list /pods a'));
  assert.equal(
    rbac.explain({ user: bob, verb: 'list', group: '', resource: 'pods', subresource: '', namespace: 'a', name: '' }),
    'RBAC: allowed by RoleBinding "view/a" of ClusterRole "view" to User "bob"',
  );
  rbac.set('rolebindings', 'a', 'view', undefined);
  assert.ok(!may(rbac, bob, 'list /pods a'));
});

test('roles that gather each other in a circle end', () => {
  const rbac = new RbacAuthorizer();
  const role = (name: string): RoleObject => ({
    metadata: { name, labels: { x: 'y' } },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: [name] }],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { x: 'y' } }] },
  });
  rbac.set('clusterroles', '', 'a', role('a'));
  rbac.set('clusterroles', '', 'b', role('b'));
  bind(rbac, '', 'a', 'bob');
  assert.ok(may(rbac, user('bob'), 'get /b n x'));
});

test('refusals are worded as clients know them', () => {
  const at = { user: user('x'), verb: 'list', group: '', resource: 'pods', subresource: '', namespace: 'default', name: '' };
  assert.equal(
    denied(at, '').status.message,
    'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  assert.equal(
    denied({ ...at, group: 'apps', resource: 'deployments', subresource: 'scale', verb: 'patch', name: 'd', namespace: '' }, 'no').status
      .message,
    'deployments.apps "d" is forbidden: User "x" cannot patch resource "deployments/scale" in API group "apps" at the cluster scope: no',
  );
  assert.equal(denied({ ...at, path: '/metrics', verb: 'get' }, '').status.message, 'forbidden: User "x" cannot get path "/metrics"');
});
