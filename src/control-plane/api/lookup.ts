import type { KubeObject } from '../../types/kubernetes/meta.ts';
import type { Registry, RequestContext } from './contract.ts';
import { APISERVER } from './authn/users.ts';
import { isNotFound } from './errors.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { ResourceTable } from './resource-table.ts';

const CONTEXT: RequestContext = { user: APISERVER, verb: 'get', warnings: [] };

/**
 * Reads by the API server itself, from memory and at once: what admission,
 * authentication and authorisation look up. It is bound to the registry after
 * both are made, since the registry holds the admission chain.
 */
export class Lookup {
  readonly #resources: ResourceTable;
  #registry: Registry | undefined;

  constructor(resources: ResourceTable) {
    this.#resources = resources;
  }

  bind(registry: Registry): void {
    this.#registry = registry;
  }

  /** undefined when there is no such object. */
  get<T extends KubeObject>(group: string, resource: string, namespace: string | undefined, name: string): T | undefined {
    const row = this.#resources.findAny(group, resource);
    if (row === undefined) return undefined;
    try {
      const found = this.#bound().get(CONTEXT, row, namespace, name, { resourceVersion: '0' });
      if (found instanceof Promise) throw new LongshoreError('internal', `${resource} are not served from memory`);
      return found.object as T;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** All of a namespace, or of all namespaces; with a field selector, those that it picks. */
  list<T extends KubeObject>(group: string, resource: string, namespace: string | undefined, fieldSelector?: string): readonly T[] {
    const row = this.#resources.findAny(group, resource);
    if (row === undefined) return [];
    const page = this.#bound().list(CONTEXT, row, namespace, { resourceVersion: '0', ...(fieldSelector !== undefined && { fieldSelector }) });
    if (page instanceof Promise) throw new LongshoreError('internal', `${resource} are not served from memory`);
    return page.items.map((item) => item.object as T);
  }

  #bound(): Registry {
    if (this.#registry === undefined) throw new LongshoreError('unavailable', 'the API server has not started yet');
    return this.#registry;
  }
}
