import type { Access } from '../authz/access.ts';
import { MASTERS } from '../authz/chain.ts';
import type { BindingObject, PolicyRule, RoleObject } from '../authz/rbac-types.ts';
import type { RbacAuthorizer } from '../authz/rbac.ts';
import { covers, RuleSet } from '../authz/rule-set.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import { notFound } from '../errors.ts';
import { jsonSame } from './json-same.ts';
import { refuse } from './plugin.ts';

const GROUP = 'rbac.authorization.k8s.io';

/**
 * Nobody gives away rights that they do not have: a role may hold only rules
 * that its writer has (or they have the verb `escalate`), and a binding only a
 * role whose rules its writer has (or they have `bind` on it).
 */
export class RbacEscalation implements AdmissionPlugin {
  readonly name = 'RbacEscalation';
  readonly #rbac: RbacAuthorizer;
  readonly #access: Access;

  constructor(rbac: RbacAuthorizer, access: Access) {
    this.#rbac = rbac;
    this.#access = access;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    return at.resource.group === GROUP && at.operation !== 'DELETE';
  }

  validate(at: AdmissionAttributes): void {
    const { user } = at.context;
    if (user.groups.includes(MASTERS)) return;
    if (at.resource.resource === 'roles' || at.resource.resource === 'clusterroles') this.#role(at);
    else this.#binding(at);
  }

  #role(at: AdmissionAttributes): void {
    const role = at.object as RoleObject;
    const old = at.oldObject as RoleObject | undefined;
    if (old !== undefined && jsonSame(old.rules, role.rules) && jsonSame(old.aggregationRule, role.aggregationRule)) return;
    if (this.#may(at, 'escalate', at.resource.resource, at.name ?? role.metadata?.name ?? '')) return;
    // A role that gathers others can come to hold anything.
    const wanted: readonly PolicyRule[] = role.aggregationRule?.clusterRoleSelectors?.length ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }] : role.rules ?? [];
    this.#mustCover(at, wanted);
  }

  #binding(at: AdmissionAttributes): void {
    const binding = at.object as BindingObject;
    const old = at.oldObject as BindingObject | undefined;
    if (old !== undefined && jsonSame(old.roleRef, binding.roleRef) && jsonSame(old.subjects, binding.subjects)) return;
    const { kind, name } = binding.roleRef;
    if (this.#may(at, 'bind', kind === 'Role' ? 'roles' : 'clusterroles', name)) return;
    const rules = this.#rbac.resolve(binding.roleRef, at.namespace);
    if (rules === undefined) throw notFound({ group: GROUP, resource: kind === 'Role' ? 'roles' : 'clusterroles' }, name);
    this.#mustCover(at, rules);
  }

  #may(at: AdmissionAttributes, verb: string, resource: string, name: string): boolean {
    return this.#access.decide({ user: at.context.user, verb, group: GROUP, resource, subresource: '', namespace: at.namespace ?? '', name }).allowed;
  }

  #mustCover(at: AdmissionAttributes, wanted: readonly PolicyRule[]): void {
    const { user } = at.context;
    const own = new RuleSet();
    own.add(this.#rbac.rulesFor(user, at.namespace ?? ''));
    const missing = wanted.filter((rule) => !covers(own, rule));
    if (missing.length === 0) return;
    throw refuse(at, `user ${JSON.stringify(user.name)} (groups=${JSON.stringify(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${missing.map(compact).join('\n')}`);
  }
}

/** A rule as upstream prints one in this message. */
function compact(rule: PolicyRule): string {
  const parts: string[] = [];
  const list = (name: string, values: readonly string[] | undefined): void => {
    if (values !== undefined && values.length > 0) parts.push(`${name}:${JSON.stringify(values)}`);
  };
  list('APIGroups', rule.apiGroups);
  list('Resources', rule.resources);
  list('ResourceNames', rule.resourceNames);
  list('NonResourceURLs', rule.nonResourceURLs);
  list('Verbs', rule.verbs);
  return `{${parts.join(', ')}}`;
}
