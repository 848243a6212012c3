import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';

type Operation = AdmissionAttributes['operation'];

/** What a kind of request has to pass, in order. */
export interface Concerned {
  readonly mutating: readonly Required<Pick<AdmissionPlugin, 'mutate'>>[];
  readonly validating: readonly Required<Pick<AdmissionPlugin, 'validate'>>[];
}

/** The plug-ins that concern a kind of request: asked once, not for each request. */
export class Plugins {
  readonly #all: readonly AdmissionPlugin[];
  readonly #known = new WeakMap<ResourceInfo, Map<string, Concerned>>();

  constructor(all: readonly AdmissionPlugin[]) {
    this.#all = all;
  }

  of(resource: ResourceInfo, operation: Operation, subresource: string | undefined): Concerned {
    let ofResource = this.#known.get(resource);
    if (ofResource === undefined) this.#known.set(resource, (ofResource = new Map()));
    const key = subresource === undefined ? operation : `${operation} ${subresource}`;
    let found = ofResource.get(key);
    if (found === undefined) ofResource.set(key, (found = this.#find({ resource, operation, subresource })));
    return found;
  }

  #find(request: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): Concerned {
    const concerned = this.#all.filter((plugin) => plugin.handles(request));
    return {
      mutating: concerned.filter((plugin): plugin is AdmissionPlugin & Concerned['mutating'][number] => plugin.mutate !== undefined),
      validating: concerned.filter((plugin): plugin is AdmissionPlugin & Concerned['validating'][number] => plugin.validate !== undefined),
    };
  }
}
