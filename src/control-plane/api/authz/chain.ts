import type { AuthorizationAttributes, Authorizer } from '../contract.ts';

export const MASTERS = 'system:masters';

/** Members of system:masters may do everything; else the first authorizer that allows decides. */
export class AuthorizerChain implements Authorizer {
  readonly #links: readonly Authorizer[];

  constructor(links: readonly Authorizer[]) {
    this.#links = links;
  }

  authorize(attributes: AuthorizationAttributes): { readonly allowed: boolean; readonly reason: string } {
    if (attributes.user.groups.includes(MASTERS)) return { allowed: true, reason: '' };
    let reason = '';
    for (const link of this.#links) {
      const decision = link.authorize(attributes);
      if (decision.allowed) return decision;
      if (decision.reason !== '') reason = reason === '' ? decision.reason : `${reason}, ${decision.reason}`;
    }
    return { allowed: false, reason };
  }
}
