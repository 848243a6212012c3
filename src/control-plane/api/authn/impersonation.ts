import type { Access } from '../authz/access.ts';
import { denied } from '../authz/access.ts';
import type { AuthorizationAttributes, UserInfo } from '../contract.ts';
import { badRequest } from '../errors.ts';
import { AUTHENTICATED, parseServiceAccount, UNAUTHENTICATED } from './users.ts';

const EXTRA = 'impersonate-extra-';

/**
 * Reads the Impersonate-* headers and checks that the user may take on every
 * part of what they ask for.
 * @param headers every header pair, names in lower case
 * @throws StatusError 403, or 400 when groups or extras come without a user
 */
export function impersonate(user: UserInfo, headers: readonly (readonly [string, string])[], access: Access): UserInfo {
  const all = (name: string): string[] => headers.filter(([key]) => key === name).map(([, value]) => value);
  const [name = ''] = all('impersonate-user');
  const groups = all('impersonate-group');
  const [uid = ''] = all('impersonate-uid');
  const extra = extras(headers);
  if (name === '' && groups.length === 0 && uid === '' && Object.keys(extra).length === 0) {
    return user;
  } // Empty headers, or one of a name that says nothing.
  if (name === '') {
    throw badRequest(
      `requested [${[...groups.map((group) => `groups/${group}`), ...Object.keys(extra)].join(' ')}] without impersonating a user`,
    );
  }
  const account = parseServiceAccount(name);
  if (account !== undefined) may(access, user, '', 'serviceaccounts', '', account.namespace, account.name);
  else may(access, user, '', 'users', '', '', name);
  for (const group of groups) may(access, user, '', 'groups', '', '', group);
  if (uid !== '') may(access, user, 'authentication.k8s.io', 'uids', '', '', uid);
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) {
      may(access, user, 'authentication.k8s.io', 'userextras', key, '', value);
    }
  }
  return { name, groups: groupsOf(name, groups, account), ...(uid !== '' && { uid }), ...(Object.keys(extra).length > 0 && { extra }) };
}

function may(access: Access, user: UserInfo, group: string, resource: string, subresource: string, namespace: string, name: string): void {
  const attributes: AuthorizationAttributes = { user, verb: 'impersonate', group, resource, subresource, namespace, name };
  const decision = access.decide(attributes);
  if (!decision.allowed) throw denied(attributes, decision.reason);
}

function groupsOf(name: string, asked: readonly string[], account: { readonly namespace: string } | undefined): readonly string[] {
  if (name === 'system:anonymous') return asked.includes(UNAUTHENTICATED) ? asked : [...asked, UNAUTHENTICATED];
  const own = account !== undefined && asked.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`] : asked;
  return own.includes(AUTHENTICATED) || own.includes(UNAUTHENTICATED) ? own : [...own, AUTHENTICATED];
}

function extras(headers: readonly (readonly [string, string])[]): Record<string, readonly string[]> {
  const out = new Map<string, string[]>();
  for (const [key, value] of headers) {
    if (!key.startsWith(EXTRA)) continue;
    let name: string;
    try {
      name = decodeURIComponent(key.slice(EXTRA.length));
    } catch {
      throw badRequest(`invalid escape in the header ${key}`);
    }
    const list = out.get(name);
    if (list === undefined) out.set(name, [value]);
    else list.push(value);
  }
  return Object.fromEntries(out);
}
