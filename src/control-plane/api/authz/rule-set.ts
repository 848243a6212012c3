import type { AuthorizationAttributes } from '../contract.ts';
import type { PolicyRule } from './rbac-types.ts';

/** What one (group, resource) pair allows: verbs for every object, and verbs for named ones. */
interface Grant {
  readonly verbs: Set<string>;
  readonly named: Map<string, Set<string>>;
}

/** Rules, indexed by group and resource, so that a decision is a handful of lookups however many rules there are. */
export class RuleSet {
  readonly #grants = new Map<string, Grant>();
  readonly #paths: { readonly verbs: ReadonlySet<string>; readonly url: string }[] = [];

  add(rules: readonly PolicyRule[]): void {
    for (const rule of rules) {
      for (const url of rule.nonResourceURLs ?? []) this.#paths.push({ verbs: new Set(rule.verbs), url });
      for (const group of rule.apiGroups ?? []) for (const resource of rule.resources ?? []) this.#grant(`${group}/${resource}`, rule);
    }
  }

  #grant(key: string, rule: PolicyRule): void {
    let grant = this.#grants.get(key);
    if (grant === undefined) this.#grants.set(key, (grant = { verbs: new Set(), named: new Map() }));
    const names = rule.resourceNames ?? [];
    if (names.length === 0) for (const verb of rule.verbs) grant.verbs.add(verb);
    for (const name of names) {
      const verbs = grant.named.get(name) ?? new Set<string>();
      for (const verb of rule.verbs) verbs.add(verb);
      grant.named.set(name, verbs);
    }
  }

  get empty(): boolean {
    return this.#grants.size === 0 && this.#paths.length === 0;
  }

  /** 'all': whatever the name; 'named': some names; the answer for one name is `allows`. */
  allows(at: AuthorizationAttributes): boolean {
    if (at.path !== undefined) return this.#allowsPath(at.verb, at.path);
    if (this.#grants.size === 0) return false;
    const what = at.subresource === '' ? at.resource : `${at.resource}/${at.subresource}`;
    return this.#check(`${at.group}/${what}`, at) || this.#check(`*/${what}`, at) || this.#check(`${at.group}/*`, at) || this.#check('*/*', at)
      || (at.subresource !== '' && (this.#check(`${at.group}/*/${at.subresource}`, at) || this.#check(`*/*/${at.subresource}`, at)));
  }

  #check(key: string, at: AuthorizationAttributes): boolean {
    const grant = this.#grants.get(key);
    if (grant === undefined) return false;
    if (grant.verbs.has(at.verb) || grant.verbs.has('*')) return true;
    if (grant.named.size === 0 || at.name === '') return false;
    const verbs = grant.named.get(at.name);
    return verbs !== undefined && (verbs.has(at.verb) || verbs.has('*'));
  }

  #allowsPath(verb: string, path: string): boolean {
    return this.#paths.some((rule) => (rule.verbs.has(verb) || rule.verbs.has('*')) && pathMatches(rule.url, path));
  }
}

/** `*` at the end of a URL of a rule stands for any rest. */
function pathMatches(url: string, path: string): boolean {
  return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));
}

/** Whether `owner` alone covers every part of `wanted`: what escalation checks ask, one verb, group, resource and name at a time. */
export function covers(owner: RuleSet, wanted: PolicyRule): boolean {
  for (const verb of wanted.verbs) {
    for (const path of wanted.nonResourceURLs ?? []) if (!owner.allows(attributes(verb, '', '', '', path))) return false;
    for (const group of wanted.apiGroups ?? []) {
      for (const resource of wanted.resources ?? []) {
        const [parent, ...sub] = resource.split('/');
        for (const name of wanted.resourceNames?.length ? wanted.resourceNames : ['']) {
          if (!owner.allows({ ...attributes(verb, group, parent!, name), subresource: sub.join('/') })) return false;
        }
      }
    }
  }
  return true;
}

function attributes(verb: string, group: string, resource: string, name: string, path?: string): AuthorizationAttributes {
  return { user: { name: '', groups: [] }, verb, group, resource, subresource: '', namespace: '', name, ...(path !== undefined && { path }) };
}
