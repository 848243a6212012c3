import type { InformerFactory } from '../../../client/informer-factory.ts';
import type { Informer } from '../../../client/informer.ts';
import { customResourceDefinitions } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import type { CustomResourceDefinition } from '../../../types/kubernetes/generated/apiextensions-v1.ts';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import { conditionOf } from './conditions.ts';

/** The same objects under another name: looked at once. */
const ALIASES = new Set(['events.k8s.io/events', 'extensions/ingresses']);

/** Every resource whose objects can be listed, watched and deleted, in its preferred version: the built-in ones, and those of CustomResourceDefinitions. */
export class ResourceCatalog {
  readonly #builtIn: ReadonlyMap<string, ResourceRef>;
  readonly #definitions: Informer<CustomResourceDefinition>;
  readonly #custom = new Map<string, ResourceRef>();

  /** @param changed is called for each resource that comes or goes after the start */
  constructor(informers: InformerFactory, changed: (change: 'added' | 'removed', resource: ResourceRef) => void = () => {}) {
    const builtIn = new Map<string, ResourceRef>();
    for (const { group, version, resource, kind, namespaced, verbs } of RESOURCES) {
      const id = `${group}/${resource}`;
      // The table has the preferred version first.
      if (builtIn.has(id) || ALIASES.has(id) || !verbs.includes('watch') || !verbs.includes('delete')) continue;
      builtIn.set(id, { group, version, resource, kind, namespaced });
    }
    this.#builtIn = builtIn;
    this.#definitions = informers.for<CustomResourceDefinition>(customResourceDefinitions);
    const put = (definition: CustomResourceDefinition): void => {
      const resource = refOf(definition);
      const name = definition.metadata!.name!;
      const before = this.#custom.get(name);
      if (before !== undefined && resource !== undefined && before.version === resource.version) return;
      if (before !== undefined) drop(definition);
      if (resource === undefined) return;
      this.#custom.set(name, resource);
      changed('added', resource);
    };
    const drop = (definition: CustomResourceDefinition): void => {
      const before = this.#custom.get(definition.metadata!.name!);
      if (before === undefined) return;
      this.#custom.delete(definition.metadata!.name!);
      changed('removed', before);
    };
    this.#definitions.on({ add: put, update: (_old, definition) => put(definition), delete: drop });
  }

  get synced(): Promise<void> {
    return this.#definitions.synced;
  }

  *all(): Generator<ResourceRef> {
    yield* this.#builtIn.values();
    yield* this.#custom.values();
  }

  /** The resource of a kind, as an owner reference names it, whatever the version; undefined for what is not known (yet). */
  forKind(apiVersion: string, kind: string): ResourceRef | undefined {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    for (const resource of this.all()) if (resource.group === group && resource.kind === kind) return resource;
    return undefined;
  }
}

function refOf(definition: CustomResourceDefinition): ResourceRef | undefined {
  if (conditionOf(definition.status?.conditions, 'Established')?.status !== 'True') return undefined;
  const { group, names, scope, versions } = definition.spec;
  const version = (versions.find((candidate) => candidate.storage && candidate.served) ?? versions.find((candidate) => candidate.served))?.name;
  return version === undefined ? undefined : { group, version, resource: names.plural, kind: names.kind, namespaced: scope === 'Namespaced' };
}
