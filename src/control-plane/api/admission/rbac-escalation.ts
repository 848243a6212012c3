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
    const wanted: readonly PolicyRule[] = role.aggregationRule?.clusterRoleSelectors?.length
      ? [
          { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
          { verbs: ['*'], nonResourceURLs: ['*'] },
        ]
      : (role.rules ?? []);
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
    const missing = missingParts(own, wanted);
    if (missing.length === 0) return;
    throw refuse(
      at,
      `user ${JSON.stringify(user.name)} (groups=${list(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${missing.join('\n')}`,
    );
  }
}

/** As Go prints a list of strings. */
function list(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}

/** What is not covered, taken apart to one group, resource and name a line, with all verbs that are missing there. */
function missingParts(own: RuleSet, wanted: readonly PolicyRule[]): readonly string[] {
  const lines = new Map<string, { readonly head: string; readonly verbs: Set<string> }>();
  const ask = (rule: PolicyRule, head: string): void => {
    if (covers(own, rule)) return;
    const line = lines.get(head) ?? { head, verbs: new Set<string>() };
    line.verbs.add(rule.verbs[0]!);
    lines.set(head, line);
  };
  for (const rule of wanted) {
    for (const verb of rule.verbs) {
      for (const url of rule.nonResourceURLs ?? []) ask({ verbs: [verb], nonResourceURLs: [url] }, `NonResourceURLs:${list([url])}`);
      for (const group of rule.apiGroups ?? []) {
        for (const resource of rule.resources ?? []) {
          const names = rule.resourceNames?.length ? rule.resourceNames : [undefined];
          for (const name of names) {
            const part = { verbs: [verb], apiGroups: [group], resources: [resource], ...(name !== undefined && { resourceNames: [name] }) };
            ask(part, `APIGroups:${list([group])}, Resources:${list([resource])}${name === undefined ? '' : `, ResourceNames:${list([name])}`}`);
          }
        }
      }
    }
  }
  return [...lines.values()].map(({ head, verbs }) => `{${head}, Verbs:${list([...verbs].sort())}}`).sort();
}
