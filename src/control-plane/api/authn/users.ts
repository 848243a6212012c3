import type { UserInfo } from '../contract.ts';

export const AUTHENTICATED = 'system:authenticated';
export const UNAUTHENTICATED = 'system:unauthenticated';

/** Whoever shows no credentials. */
export const ANONYMOUS: UserInfo = Object.freeze({ name: 'system:anonymous', groups: Object.freeze([UNAUTHENTICATED]) });

/** The API server itself, for its own reads and its first objects. */
export const APISERVER: UserInfo = Object.freeze({ name: 'system:apiserver', groups: Object.freeze(['system:masters', AUTHENTICATED]) });

/** Adds the group that every authenticated user is in, once. */
export function authenticated(user: UserInfo): UserInfo {
  return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
}

/** The user that a service account acts as. */
export function serviceAccountUser(namespace: string, name: string, uid: string, extra?: UserInfo['extra']): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`, uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED], ...(extra && { extra }),
  };
}

/** Splits `system:serviceaccount:NAMESPACE:NAME`; undefined for other users. */
export function parseServiceAccount(user: string): { readonly namespace: string; readonly name: string } | undefined {
  const [system, kind, namespace, name, ...rest] = user.split(':');
  return system === 'system' && kind === 'serviceaccount' && namespace && name && rest.length === 0 ? { namespace, name } : undefined;
}
