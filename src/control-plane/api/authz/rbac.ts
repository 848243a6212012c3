import type { AuthorizationAttributes, Authorizer, UserInfo } from '../contract.ts';
import { RuleSet } from './rule-set.ts';
import { selectorMatches, type BindingObject, type PolicyRule, type RoleObject, type RoleRef, type Subject } from './rbac-types.ts';

/** At most so many users' rights are kept computed; beyond, all are computed anew as they come. */
const KEPT_USERS = 2048;
/** At most so many decisions are kept for a user. */
const KEPT_DECISIONS = 512;

interface Bound {
  readonly binding: BindingObject;
  /** undefined: a ClusterRoleBinding. */
  readonly namespace: string | undefined;
}

interface Rights {
  readonly cluster: RuleSet;
  readonly namespaces: Map<string, RuleSet>;
  /** Decisions that hold for every name: key → allowed. */
  readonly decisions: Map<string, boolean>;
}

/**
 * Role-based access control (rbac.authorization.k8s.io/v1), in memory. It is fed
 * with roles and bindings as they change, and keeps each user's rights computed
 * until the next change, so that a decision costs about a microsecond.
 */
export class RbacAuthorizer implements Authorizer {
  readonly #roles = new Map<string, RoleObject>();
  readonly #clusterRoles = new Map<string, RoleObject>();
  readonly #bindings = new Map<string, Bound>();
  #bySubject: Map<string, Bound[]> | undefined;
  #rights = new Map<string, Rights>();
  #ofUser = new WeakMap<UserInfo, Rights>();

  /** Takes in a change of a role or binding; undefined: it is gone. */
  set(
    resource: 'roles' | 'clusterroles' | 'rolebindings' | 'clusterrolebindings',
    namespace: string,
    name: string,
    object: RoleObject | BindingObject | undefined,
  ): void {
    const key = `${namespace}/${name}`;
    if (resource === 'roles') put(this.#roles, key, object as RoleObject | undefined);
    else if (resource === 'clusterroles') put(this.#clusterRoles, name, object as RoleObject | undefined);
    else {
      const scope = resource === 'rolebindings' ? namespace : undefined;
      put(this.#bindings, `${resource}/${key}`, object && { binding: object as BindingObject, namespace: scope });
      this.#bySubject = undefined;
    }
    this.#rights = new Map();
    this.#ofUser = new WeakMap();
  }

  authorize(at: AuthorizationAttributes): { readonly allowed: boolean; readonly reason: string } {
    return this.#allows(at) ? ALLOWED : REFUSED;
  }

  #allows(at: AuthorizationAttributes): boolean {
    const rights = this.#rightsOf(at.user);
    if (at.path !== undefined) return rights.cluster.allows(at);
    const key = `${at.verb} ${at.group}/${at.resource}/${at.subresource} ${at.namespace}`;
    let general = rights.decisions.get(key);
    if (general === undefined) {
      const nameless = at.name === '' ? at : { ...at, name: '' };
      general = rights.cluster.allows(nameless) || (at.namespace !== '' && (rights.namespaces.get(at.namespace)?.allows(nameless) ?? false));
      if (rights.decisions.size >= KEPT_DECISIONS) rights.decisions.clear();
      rights.decisions.set(key, general);
    }
    if (general || at.name === '') return general;
    return rights.cluster.allows(at) || (at.namespace !== '' && (rights.namespaces.get(at.namespace)?.allows(at) ?? false));
  }

  #rightsOf(user: UserInfo): Rights {
    const known = this.#ofUser.get(user);
    if (known !== undefined) return known;
    const key = JSON.stringify([user.name, ...user.groups]);
    let rights = this.#rights.get(key);
    if (rights === undefined) {
      rights = this.#compute(user);
      if (this.#rights.size >= KEPT_USERS) this.#rights.clear();
      this.#rights.set(key, rights);
    }
    this.#ofUser.set(user, rights);
    return rights;
  }

  #compute(user: UserInfo): Rights {
    const cluster = new RuleSet();
    const namespaces = new Map<string, RuleSet>();
    for (const bound of this.#boundTo(user)) {
      const rules = this.#rulesOf(bound.binding.roleRef, bound.namespace);
      if (bound.namespace === undefined) cluster.add(rules);
      else {
        const set = namespaces.get(bound.namespace) ?? new RuleSet();
        set.add(rules);
        namespaces.set(bound.namespace, set);
      }
    }
    return { cluster, namespaces, decisions: new Map() };
  }

  #boundTo(user: UserInfo): Set<Bound> {
    const index = (this.#bySubject ??= indexBySubject(this.#bindings.values()));
    const found = new Set(index.get(`User/${user.name}`));
    for (const group of user.groups) for (const bound of index.get(`Group/${group}`) ?? []) found.add(bound);
    return found;
  }

  /** The rules that a role has in effect, what it aggregates included; empty when there is no such role. */
  #rulesOf(ref: RoleRef, namespace: string | undefined): readonly PolicyRule[] {
    if (ref.kind === 'Role') return this.#roles.get(`${namespace ?? ''}/${ref.name}`)?.rules ?? [];
    return this.#clusterRules(ref.name, new Set());
  }

  #clusterRules(name: string, seen: Set<string>): readonly PolicyRule[] {
    const role = this.#clusterRoles.get(name);
    if (role === undefined || seen.has(name)) return [];
    seen.add(name);
    const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
    if (selectors.length === 0) return role.rules ?? [];
    const rules = [...(role.rules ?? [])];
    for (const [other, candidate] of this.#clusterRoles) {
      const labels = candidate.metadata?.labels ?? {};
      if (selectors.some((selector) => selectorMatches(selector, labels))) rules.push(...this.#clusterRules(other, seen));
    }
    return rules;
  }

  /** The role that a binding names, with its rules in effect; undefined when it does not exist. */
  resolve(ref: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined {
    const exists = ref.kind === 'Role' ? this.#roles.has(`${namespace ?? ''}/${ref.name}`) : this.#clusterRoles.has(ref.name);
    return exists ? this.#rulesOf(ref, namespace) : undefined;
  }

  /** All rules that hold for the user in a namespace ('' for the cluster alone): for escalation checks and SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[] {
    const rules: PolicyRule[] = [];
    for (const bound of this.#boundTo(user)) {
      if (bound.namespace === undefined || bound.namespace === namespace) {
        rules.push(...this.#rulesOf(bound.binding.roleRef, bound.namespace));
      }
    }
    return rules;
  }

  /** Which binding allows it, as the API server tells; '' when none does. */
  explain(at: AuthorizationAttributes): string {
    for (const { binding, namespace } of this.#boundTo(at.user)) {
      if (namespace !== undefined && (namespace !== at.namespace || at.path !== undefined)) continue;
      const set = new RuleSet();
      set.add(this.#rulesOf(binding.roleRef, namespace));
      if (!set.allows(at)) continue;
      const subject = binding.subjects?.find((candidate) => isSubject(candidate, at.user, namespace ?? ''));
      const kind = namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding';
      const name = namespace === undefined ? (binding.metadata?.name ?? '') : `${binding.metadata?.name ?? ''}/${namespace}`;
      const who =
        subject === undefined
          ? ''
          : ` to ${subject.kind} "${subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? namespace ?? ''}` : subject.name}"`;
      return `RBAC: allowed by ${kind} "${name}" of ${binding.roleRef.kind} "${binding.roleRef.name}"${who}`;
    }
    return '';
  }
}

const ALLOWED = { allowed: true, reason: '' } as const;
const REFUSED = { allowed: false, reason: '' } as const;

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function subjectKey(subject: Subject, namespace: string | undefined): string {
  if (subject.kind === 'ServiceAccount') return `User/system:serviceaccount:${subject.namespace ?? namespace ?? ''}:${subject.name}`;
  return `${subject.kind}/${subject.name}`;
}

function isSubject(subject: Subject, user: UserInfo, namespace: string): boolean {
  const key = subjectKey(subject, namespace);
  return key === `User/${user.name}` || user.groups.some((group) => key === `Group/${group}`);
}

function indexBySubject(bindings: Iterable<Bound>): Map<string, Bound[]> {
  const index = new Map<string, Bound[]>();
  for (const bound of bindings) {
    for (const subject of bound.binding.subjects ?? []) {
      const key = subjectKey(subject, bound.namespace);
      const list = index.get(key);
      if (list === undefined) index.set(key, [bound]);
      else list.push(bound);
    }
  }
  return index;
}
