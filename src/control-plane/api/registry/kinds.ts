import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { convert, storageOf } from './conversion.ts';
import type { Feed } from './feed.ts';
import type { SelectableFields } from './field-selector.ts';
import type { ResourceCache } from './resource-cache.ts';
import { selectableFields } from './selectable-fields.ts';
import type { Stored } from './stored.ts';
import type { Strategy, StrategyOf } from './strategy.ts';

/** A resource in the version that a request named, over the storage that all its versions share. */
export class Kind {
  readonly info: ResourceInfo;
  /** `v1`, `apps/v1`: the version of this request. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly cache: ResourceCache;
  readonly fields: SelectableFields;
  readonly strategy: Strategy;
  readonly #storedAs: string | undefined;
  /** True when stored objects may be of another version than this. */
  readonly mixed: boolean;

  constructor(info: ResourceInfo, feed: Feed, strategyOf: StrategyOf, mixed: boolean) {
    const storage = storageOf(info);
    this.info = info;
    this.apiVersion = info.group === '' ? info.version : `${info.group}/${info.version}`;
    this.kind = info.kind;
    this.namespaced = info.namespaced;
    this.cache = feed.cache(storage.id);
    this.fields = selectableFields(info);
    this.strategy = strategyOf(info);
    this.#storedAs = storage.apiVersion;
    this.mixed = mixed || (storage.apiVersion !== undefined && storage.apiVersion !== this.apiVersion);
  }

  key(namespace: string | undefined, name: string): string {
    return this.namespaced ? `${namespace}/${name}` : name;
  }

  /** The object in this request's version. */
  readonly view = (stored: Stored): Stored => {
    if (stored.object.apiVersion === this.apiVersion) return stored;
    return stored.view(this.apiVersion, (object) => convert(object, this.apiVersion));
  };

  /** The object as it is stored. */
  toStored(object: KubeObject): KubeObject {
    if (this.#storedAs === undefined || this.#storedAs === object.apiVersion) return object;
    return convert(object, this.#storedAs);
  }
}

/** The kinds that were asked for. */
export class Kinds {
  readonly #feed: Feed;
  readonly #strategyOf: StrategyOf;
  readonly #mixed: (info: ResourceInfo) => boolean;
  readonly #kinds = new WeakMap<ResourceInfo, Kind>();

  /** @param mixed tells whether a resource's objects may have been stored in several versions, as a custom resource's may */
  constructor(feed: Feed, strategyOf: StrategyOf, mixed: (info: ResourceInfo) => boolean) {
    this.#feed = feed;
    this.#strategyOf = strategyOf;
    this.#mixed = mixed;
  }

  of(info: ResourceInfo): Kind {
    let kind = this.#kinds.get(info);
    if (kind === undefined) {
      kind = new Kind(info, this.#feed, this.#strategyOf, this.#mixed(info));
      this.#kinds.set(info, kind);
    }
    return kind;
  }
}
