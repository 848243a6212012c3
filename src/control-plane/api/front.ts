import type { KubeObject } from '../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../types/kubernetes/resource-info.ts';
import type { AccountWait } from './await-account.ts';
import { encodeJson } from './codec/json.ts';
import type { Registry, RequestContext, StoredObject, WriteOutcome, WriteParameters } from './contract.ts';

/** A resource that is computed instead of stored: an access review, a token. */
export interface Virtual {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** @returns the whole answer */
  create(
    context: RequestContext,
    namespace: string | undefined,
    name: string | undefined,
    body: unknown,
    options: WriteParameters,
  ): KubeObject | Promise<KubeObject>;
}

/** An object that lives for one answer. */
export function ephemeral(object: KubeObject): StoredObject {
  return { object, revision: 0, json: () => encodeJson(object) };
}

/** The registry as both doors see it: what is computed goes to its maker, all else to the registry of the kinds. */
export function withVirtuals(registry: Registry, virtuals: readonly Virtual[], accounts: AccountWait): Registry {
  const table = new Map(virtuals.map((virtual) => [keyOf(virtual, virtual.subresource), virtual]));
  /** Resources of which nothing is computed, which are nearly all. */
  const plain = new WeakSet<ResourceInfo>();
  const virtualOf = (resource: ResourceInfo, subresource: string | undefined): Virtual | undefined => {
    if (plain.has(resource)) return undefined;
    if (!virtuals.some((virtual) => virtual.group === resource.group && virtual.resource === resource.resource)) {
      plain.add(resource);
      return undefined;
    }
    return table.get(keyOf(resource, subresource));
  };
  const compute = async (
    virtual: Virtual,
    context: RequestContext,
    namespace: string | undefined,
    body: unknown,
    options: WriteParameters & { readonly name?: string },
  ): Promise<WriteOutcome> => ({
    stored: ephemeral(await virtual.create(context, namespace, options.name, body, options)),
    created: true,
  });
  return {
    get: (...args) => registry.get(...args),
    list: (...args) => registry.list(...args),
    create(context: RequestContext, resource: ResourceInfo, namespace, body, options): Promise<WriteOutcome> {
      const virtual = virtualOf(resource, options.subresource);
      if (virtual !== undefined) return compute(virtual, context, namespace, body, options);
      const isPod = resource.resource === 'pods' && resource.group === '' && options.subresource === undefined;
      const wait = isPod ? accounts.before(namespace, body) : undefined;
      const make = (): Promise<WriteOutcome> => registry.create(context, resource, namespace, body, options);
      return wait === undefined ? make() : wait.then(make);
    },
    update: (...args) => registry.update(...args),
    patch: (...args) => registry.patch(...args),
    delete: (...args) => registry.delete(...args),
    deleteCollection: (...args) => registry.deleteCollection(...args),
    watch: (...args) => registry.watch(...args),
    ...(registry.peek !== undefined && { peek: (resource) => registry.peek!(resource) }),
    get revision() {
      return registry.revision;
    },
    close: () => registry.close(),
  };
}

function keyOf(resource: { readonly group: string; readonly resource: string }, subresource: string | undefined): string {
  return `${resource.group}/${resource.resource}/${subresource ?? ''}`;
}
