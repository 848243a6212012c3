import type { Clock } from '../../../lib/clock.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type {
  DeleteOutcome,
  DeleteParameters,
  ListPage,
  ListParameters,
  PatchBody,
  ReadOptions,
  Registry,
  RegistryPeek,
  RegistryWatchSink,
  RequestContext,
  StoredObject,
  WatchParameters,
  WriteOutcome,
  WriteParameters,
} from '../contract.ts';
import { notFound } from '../errors.ts';
import type { Store } from '../../store/store.ts';
import { create } from './create.ts';
import { remove, removeAll } from './delete.ts';
import type { Feed } from './feed.ts';
import type { Kinds } from './kinds.ts';
import { list } from './list.ts';
import { patch } from './patch.ts';
import { Peek } from './peek.ts';
import type { Pipeline } from './pipeline.ts';
import { parseRevision } from './revision.ts';
import type { Scope } from './scope.ts';
import type { Subresources } from './subresources.ts';
import { update } from './update.ts';
import { watch } from './watch.ts';

/** How often watchers that asked for it learn how far they are. */
const BOOKMARK_MS = 60_000;

export interface RegistryParts {
  readonly store: Store;
  readonly feed: Feed;
  readonly kinds: Kinds;
  readonly pipeline: Pipeline;
  readonly subresources: Subresources;
  readonly clock: Clock;
  /** Undos of what runs beside: expiry, compaction. */
  readonly background: readonly (() => void)[];
}

/** All kinds by verb, over one store: reads from memory, writes through one pipeline. */
export class KindRegistry implements Registry {
  readonly #parts: RegistryParts;
  #cancelBookmarks: () => void = () => {};
  readonly #peeks = new WeakMap<ResourceInfo, Peek>();
  #closed = false;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#scheduleBookmarks();
  }

  get revision(): number {
    return this.#parts.feed.revision;
  }

  get(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    options: ReadOptions & { readonly subresource?: string } = {},
  ): StoredObject | Promise<StoredObject> {
    const { feed, kinds, subresources } = this.#parts;
    const { resourceVersion, subresource } = options;
    const wait = resourceVersion === undefined ? undefined : feed.notOlderThan(parseRevision(resourceVersion) ?? 0);
    if (wait !== undefined) {
      return wait.then(() => this.get(context, resource, namespace, name, subresource === undefined ? {} : { subresource }));
    }
    const kind = kinds.of(resource);
    const stored = kind.cache.get(kind.key(namespace, name));
    if (stored === undefined) throw notFound(resource, name);
    const view = kind.mixed ? kind.view(stored) : stored;
    return subresource === undefined ? view : subresources.read(kind, subresource, view);
  }

  list(_context: RequestContext, resource: ResourceInfo, namespace: string | undefined, options: ListParameters): ListPage | Promise<ListPage> {
    return list(this.#parts.feed, this.#parts.kinds.of(resource), namespace, options);
  }

  async create(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    body: unknown,
    options: WriteParameters & { readonly name?: string } = {},
  ): Promise<WriteOutcome> {
    const scope = this.#scope(context, resource, namespace, options);
    if (options.subresource !== undefined) return this.#parts.subresources.create(scope, options.name ?? '', options.subresource, body);
    const virtual = this.#parts.subresources.virtual(scope);
    if (virtual !== undefined) return virtual(body);
    return await create(this.#parts.pipeline, scope, body);
  }

  async update(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    body: unknown,
    options: WriteParameters = {},
  ): Promise<WriteOutcome> {
    const scope = this.#scope(context, resource, namespace, options);
    const own = options.subresource === undefined ? undefined : this.#parts.subresources.update(scope, name, options.subresource, body);
    return await (own ?? update(this.#parts.pipeline, scope, name, body));
  }

  async patch(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    body: PatchBody,
    options: WriteParameters = {},
  ): Promise<WriteOutcome> {
    const scope = this.#scope(context, resource, namespace, options);
    const own = options.subresource === undefined ? undefined : this.#parts.subresources.patch(scope, name, options.subresource, body);
    return await (own ?? patch(this.#parts.pipeline, scope, name, body));
  }

  async delete(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    options: DeleteParameters = {},
  ): Promise<DeleteOutcome> {
    return remove(this.#parts.pipeline, this.#scope(context, resource, namespace, { dryRun: options.dryRun ?? false }), name, options);
  }

  async deleteCollection(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    selection: ListParameters,
    options: DeleteParameters = {},
  ): Promise<readonly StoredObject[]> {
    const page = await this.list(context, resource, namespace, selection);
    const scope = this.#scope(context, resource, namespace, { dryRun: options.dryRun ?? false });
    return removeAll(this.#parts.pipeline, scope, page.items, options);
  }

  watch(_context: RequestContext, resource: ResourceInfo, namespace: string | undefined, options: WatchParameters, sink: RegistryWatchSink): () => void {
    return watch(this.#parts, this.#parts.kinds.of(resource), namespace, options, sink);
  }

  peek(resource: ResourceInfo): RegistryPeek {
    let peek = this.#peeks.get(resource);
    if (peek === undefined) this.#peeks.set(resource, (peek = new Peek(this.#parts.kinds.of(resource))));
    return peek;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelBookmarks();
    for (const stop of this.#parts.background) stop();
    this.#parts.feed.close();
  }

  #scope(context: RequestContext, resource: ResourceInfo, namespace: string | undefined, options: WriteParameters): Scope {
    return { context, kind: this.#parts.kinds.of(resource), namespace, options };
  }

  #scheduleBookmarks(): void {
    this.#cancelBookmarks = this.#parts.clock.after(BOOKMARK_MS, () => {
      const { feed } = this.#parts;
      for (const cache of feed.caches()) {
        if (cache.watchers.size === 0) continue;
        for (const watcher of cache.watchers.all()) watcher.bookmark(Math.max(feed.revision, cache.changes.last));
      }
      this.#scheduleBookmarks();
    });
  }
}

