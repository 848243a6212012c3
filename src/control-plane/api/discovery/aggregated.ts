import { createHash } from 'node:crypto';
import type { ResourceInfo, SubresourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { parseAccept } from '../http/accept.ts';
import type { ResourceTable } from '../resource-table.ts';

/** A document with the tag by which a client asks whether it has changed. */
export interface Tagged {
  readonly body: Buffer;
  readonly etag: string;
}

/**
 * Whether a header asks for aggregated discovery before anything plain. (Version v2beta1 is no longer served: who asks
 * for it first gets what they ask for next.)
 */
export function wantsAggregated(accept: string | undefined): boolean {
  if (accept === undefined || !accept.includes('apidiscovery')) return false;
  for (const { media, parameters } of parseAccept(accept)) {
    if (media !== 'application/json') continue;
    if (parameters.get('as') === undefined) return false;
    if (parameters.get('g') === 'apidiscovery.k8s.io' && parameters.get('as') === 'APIGroupDiscoveryList' && parameters.get('v') === 'v2') {
      return true;
    }
  }
  return false;
}

/**
 * apidiscovery.k8s.io: all groups, versions and resources below /api (the core group) or /apis (the others) in one
 * document, made once for each state of the table.
 */
export class AggregatedDiscovery {
  readonly #resources: ResourceTable;
  readonly #made = new Map<boolean, Tagged>();
  #generation = -1;

  constructor(resources: ResourceTable) {
    this.#resources = resources;
  }

  /** @param core the core group (/api), or all others (/apis) */
  document(core: boolean): Tagged {
    if (this.#generation !== this.#resources.generation) {
      this.#made.clear();
      this.#generation = this.#resources.generation;
    }
    let made = this.#made.get(core);
    if (made === undefined) {
      const groups = this.#resources.groups().filter((group) => (group === '') === core);
      const body = Buffer.from(
        JSON.stringify({
          kind: 'APIGroupDiscoveryList',
          apiVersion: 'apidiscovery.k8s.io/v2',
          metadata: {},
          items: groups.map((group) => this.#group(group)),
        }),
      );
      made = { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` };
      this.#made.set(core, made);
    }
    return made;
  }

  #group(group: string): unknown {
    return {
      metadata: group === '' ? {} : { name: group },
      versions: this.#resources
        .versions(group)
        .map((version) => ({ version, resources: this.#resources.resources(group, version).map(entry), freshness: 'Current' })),
    };
  }
}

function entry(row: ResourceInfo): unknown {
  return {
    resource: row.resource,
    responseKind: { group: '', version: '', kind: row.kind },
    scope: row.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: row.singular,
    verbs: row.verbs,
    ...(row.shortNames.length > 0 && { shortNames: row.shortNames }),
    ...(row.categories.length > 0 && { categories: row.categories }),
    ...(row.subresources.length > 0 && { subresources: row.subresources.map(below) }),
  };
}

function below(sub: SubresourceInfo): unknown {
  return { subresource: sub.name, responseKind: { group: sub.group ?? '', version: sub.version ?? '', kind: sub.kind }, verbs: sub.verbs };
}
