import { badRequest } from '../errors.ts';
import type { PatchBody, StoredObject, WriteOutcome } from '../contract.ts';
import { notImplemented } from './errors.ts';
import type { Kind } from './kinds.ts';
import type { Scope } from './scope.ts';
import type { Stored } from './stored.ts';

/** A subresource whose body is another kind than its parent's, or that does more than a write of the parent. */
export interface SubresourceHandler {
  read?(kind: Kind, parent: Stored): StoredObject;
  create?(scope: Scope, name: string, body: unknown): Promise<WriteOutcome>;
  update?(scope: Scope, name: string, body: unknown): Promise<WriteOutcome>;
  patch?(scope: Scope, name: string, body: PatchBody): Promise<WriteOutcome>;
}

/** Which handler serves which subresource; those without one are writes of a part of the parent (`status`). */
export class Subresources {
  readonly #handlers: ReadonlyMap<string, SubresourceHandler>;
  readonly #virtual: ReadonlyMap<string, (scope: Scope, body: unknown) => Promise<WriteOutcome>>;

  /**
   * @param handlers by `resource/subresource`, with a star as resource for any
   * @param virtual resources that are asked and never stored, by `group/resource`
   */
  constructor(handlers: ReadonlyMap<string, SubresourceHandler>, virtual: ReadonlyMap<string, (scope: Scope, body: unknown) => Promise<WriteOutcome>>) {
    this.#handlers = handlers;
    this.#virtual = virtual;
  }

  read(kind: Kind, subresource: string, parent: Stored): StoredObject {
    const handler = this.#find(kind, subresource);
    return handler?.read === undefined ? parent : handler.read(kind, parent);
  }

  create(scope: Scope, name: string, subresource: string, body: unknown): Promise<WriteOutcome> {
    if (name === '') throw badRequest(`the subresource ${subresource} needs the name of its object`);
    const handler = this.#find(scope.kind, subresource);
    if (handler?.create === undefined) throw notImplemented(`${scope.kind.info.resource}/${subresource} is not served by this registry`);
    return handler.create(scope, name, body);
  }

  update(scope: Scope, name: string, subresource: string, body: unknown): Promise<WriteOutcome> | undefined {
    return this.#find(scope.kind, subresource)?.update?.(scope, name, body);
  }

  patch(scope: Scope, name: string, subresource: string, body: PatchBody): Promise<WriteOutcome> | undefined {
    return this.#find(scope.kind, subresource)?.patch?.(scope, name, body);
  }

  virtual(scope: Scope): ((body: unknown) => Promise<WriteOutcome>) | undefined {
    const { group, resource } = scope.kind.info;
    const handle = this.#virtual.get(`${group}/${resource}`);
    return handle && ((body) => handle(scope, body));
  }

  #find(kind: Kind, subresource: string): SubresourceHandler | undefined {
    return this.#handlers.get(`${kind.info.resource}/${subresource}`) ?? this.#handlers.get(`*/${subresource}`);
  }
}
