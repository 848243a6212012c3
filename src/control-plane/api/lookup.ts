import type { KubeObject } from '../../types/kubernetes/meta.ts';
import type { Registry, RegistryPeek, RequestContext } from './contract.ts';
import { APISERVER } from './authn/users.ts';
import { isNotFound } from './errors.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { ResourceInfo } from '../../types/kubernetes/resource-info.ts';
import type { ResourceTable } from './resource-table.ts';

const CONTEXT: RequestContext = { user: APISERVER, verb: 'get', warnings: [] };

interface Place {
  readonly row: ResourceInfo;
  readonly peek: RegistryPeek | undefined;
}

/**
 * Reads by the API server itself, from memory and at once: what admission,
 * authentication and authorisation look up. It is bound to the registry after
 * both are made, since the registry holds the admission chain.
 */
export class Lookup {
  readonly #resources: ResourceTable;
  /** By the resource's name; of two groups that have the same one, the one asked for last. */
  readonly #places = new Map<string, Place>();
  #generation = -1;
  #registry: Registry | undefined;

  constructor(resources: ResourceTable) {
    this.#resources = resources;
  }

  bind(registry: Registry): void {
    this.#registry = registry;
  }

  /** undefined when there is no such object. */
  get<T extends KubeObject>(group: string, resource: string, namespace: string | undefined, name: string): T | undefined {
    const place = this.#find(group, resource);
    if (place === undefined) return undefined;
    const { row, peek } = place;
    if (peek !== undefined) return peek.get(namespace, name) as T | undefined;
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
    const place = this.#find(group, resource);
    if (place === undefined) return [];
    const { row, peek } = place;
    if (peek !== undefined && fieldSelector === undefined) return peek.list(namespace) as readonly T[];
    const page = this.#bound().list(CONTEXT, row, namespace, { resourceVersion: '0', ...(fieldSelector !== undefined && { fieldSelector }) });
    if (page instanceof Promise) throw new LongshoreError('internal', `${resource} are not served from memory`);
    return page.items.map((item) => item.object as T);
  }

  /** Where a resource is read, kept until the table of resources changes. */
  #find(group: string, resource: string): Place | undefined {
    if (this.#generation !== this.#resources.generation) {
      this.#places.clear();
      this.#generation = this.#resources.generation;
    }
    const known = this.#places.get(resource);
    if (known !== undefined && known.row.group === group) return known;
    const row = this.#resources.findAny(group, resource);
    if (row === undefined) return undefined;
    const place = { row, peek: this.#bound().peek?.(row) };
    this.#places.set(resource, place);
    return place;
  }

  #bound(): Registry {
    if (this.#registry === undefined) throw new LongshoreError('unavailable', 'the API server has not started yet');
    return this.#registry;
  }
}
