import { StatusError } from '../../../types/kubernetes/status.ts';
import type { Authorizer, AuthorizationAttributes, UserInfo } from '../contract.ts';
import { failure, qualified } from '../errors.ts';
import { nameInFieldSelector } from '../field-terms.ts';

/** Asks the authorizer and words the refusal as the API server does. Both doors come through here. */
export class Access {
  readonly #authorizer: Authorizer;

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  /**
   * @param fieldSelector of a list, watch or deletecollection; `metadata.name=x` in it names the object
   * @throws StatusError 403 unless the user may
   */
  check(
    user: UserInfo,
    verb: string,
    resource: { readonly group: string; readonly resource: string },
    subresource: string | undefined,
    namespace: string | undefined,
    name: string | undefined,
    fieldSelector?: string,
  ): void {
    const attributes: AuthorizationAttributes = {
      user,
      verb,
      group: resource.group,
      resource: resource.resource,
      subresource: subresource ?? '',
      namespace: namespace ?? '',
      name: name ?? (fieldSelector === undefined ? '' : (nameInFieldSelector(fieldSelector) ?? '')),
      ...(fieldSelector !== undefined && { fieldSelector }),
    };
    const decision = this.#authorizer.authorize(attributes);
    if (!decision.allowed) throw denied(attributes, decision.reason);
  }

  /** For paths that are no resource: /version, /metrics, /api. @throws StatusError 403 */
  checkPath(user: UserInfo, verb: string, path: string): void {
    const attributes: AuthorizationAttributes = { user, verb, group: '', resource: '', subresource: '', namespace: '', name: '', path };
    const decision = this.#authorizer.authorize(attributes);
    if (!decision.allowed) throw denied(attributes, decision.reason);
  }

  /** The bare decision, for access reviews. */
  decide(attributes: AuthorizationAttributes): { readonly allowed: boolean; readonly reason: string } {
    return this.#authorizer.authorize(attributes);
  }
}

/** The 403 of the API server, whose sentence clients and people know by heart. */
export function denied(attributes: AuthorizationAttributes, reason: string): StatusError {
  const user = `User ${JSON.stringify(attributes.user.name)}`;
  const why = reason === '' ? '' : `: ${reason}`;
  if (attributes.path !== undefined) {
    return new StatusError(failure(403, 'Forbidden', `forbidden: ${user} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}${why}`, {}));
  }
  const what = attributes.subresource === '' ? attributes.resource : `${attributes.resource}/${attributes.subresource}`;
  const where = attributes.namespace === '' ? ' at the cluster scope' : ` in the namespace ${JSON.stringify(attributes.namespace)}`;
  const object = attributes.name === '' ? `${qualified(attributes)} is` : `${qualified(attributes)} ${JSON.stringify(attributes.name)} is`;
  return new StatusError(
    failure(
      403,
      'Forbidden',
      `${object} forbidden: ${user} cannot ${attributes.verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(attributes.group)}${where}${why}`,
      {
        ...(attributes.name && { name: attributes.name }),
        ...(attributes.group && { group: attributes.group }),
        kind: attributes.resource,
      },
    ),
  );
}
