import type { KubeObject, ListMeta, ResourceRef } from '../types/kubernetes/meta.ts';

export type { ResourceRef } from '../types/kubernetes/meta.ts';

/**
 * # The one way to state
 *
 * Controllers, scheduler, agent, proxy and dns know this interface alone. One
 * implementation calls our API server in-process (it skips TLS, HTTP and
 * JSON, and nothing else: authorisation and admission hold), another speaks
 * HTTPS to any Kubernetes API server. A transport is bound to one user.
 *
 * Objects that come out are shared and frozen: copy what you change.
 * A failed call rejects with a StatusError (types/kubernetes/status.ts).
 */
export interface Transport {
  get<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, name: string, options?: GetOptions): Promise<T>;
  /** `namespace` undefined lists all namespaces (or a cluster-scoped resource). */
  list<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, body: T, options?: WriteOptions): Promise<T>;
  /** For subresources that answer with another kind: `pods/eviction`, `pods/binding`, `serviceaccounts/token`. */
  createSubresource<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    subresource: string,
    body: KubeObject,
    options?: WriteOptions,
  ): Promise<T>;
  /** `conflict` unless `body.metadata.resourceVersion` is absent or the newest. */
  update<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    body: T,
    options?: WriteOptions,
  ): Promise<T>;
  patch<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    body: unknown,
    options?: WriteOptions,
  ): Promise<T>;
  delete(resource: ResourceRef, namespace: string | undefined, name: string, options?: DeleteOptions): Promise<void>;
  deleteCollection(
    resource: ResourceRef,
    namespace: string | undefined,
    options?: DeleteOptions & Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
  ): Promise<void>;
  /** Delivers to `sink` until the returned stop is called or the watch ends. */
  watch<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, options: WatchOptions, sink: WatchSink<T>): () => void;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface GetOptions extends CallOptions {
  readonly subresource?: string;
  /** As in the API: unset is the newest, '0' is anything. */
  readonly resourceVersion?: string;
}

export interface ListOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WriteOptions extends CallOptions {
  readonly subresource?: string;
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  /** For server-side apply only. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface WatchOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version; unset sends the present state as ADDED first. */
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';

/** Called in turn; never after stop. Its methods must not throw. */
export interface WatchSink<T> {
  event(type: WatchEventType, object: T): void;
  /** The watch is over: closed in good order (undefined), or a StatusError (code 410: list again) or a network error. */
  ended(error: Error | undefined): void;
}

export interface ObjectList<T> {
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}
