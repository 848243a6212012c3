import type { KubeObject, ListMeta } from '../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../types/kubernetes/resource-info.ts';
import type { Access } from './authz/access.ts';
import type { PatchBody, Registry, RequestContext, StoredObject, UserInfo } from './contract.ts';
import { methodNotSupported } from './errors.ts';
import type { ResourceTable } from './resource-table.ts';

// The shapes below are those of the client's Transport, written again because the API server knows no client: the composition root hands one out as the other.

interface Ref {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

interface Call {
  readonly signal?: AbortSignal;
}

interface Get extends Call {
  readonly subresource?: string;
  readonly resourceVersion?: string;
}

interface Selection {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

interface List extends Call, Selection {
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

interface Write extends Call {
  readonly subresource?: string;
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly force?: boolean;
}

interface Delete extends Call {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

interface Watch extends Selection {
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

interface Sink<T> {
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: T): void;
  ended(error: Error | undefined): void;
}

interface ObjectList<T> {
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

/** Calls `fn` after `ms`, unless cancelled. */
export type After = (ms: number, fn: () => void) => () => void;

/**
 * The door for components in the same process: it skips TLS, HTTP and JSON, and
 * nothing else. Every call is authorised as `user`, and admission holds.
 * Structurally the client's Transport; objects that come out are the frozen
 * ones of the registry's memory.
 */
export class InProcessDoor {
  readonly #registry: Registry;
  readonly #resources: ResourceTable;
  readonly #access: Access;
  readonly #user: UserInfo;
  readonly #after: After;

  constructor(parts: {
    readonly registry: Registry;
    readonly resources: ResourceTable;
    readonly access: Access;
    readonly user: UserInfo;
    readonly after: After;
  }) {
    this.#registry = parts.registry;
    this.#resources = parts.resources;
    this.#access = parts.access;
    this.#user = parts.user;
    this.#after = parts.after;
  }

  async get<T extends KubeObject>(ref: Ref, namespace: string | undefined, name: string, options: Get = {}): Promise<T> {
    const resource = this.#enter(ref, 'get', options.subresource, namespace, name, options.signal);
    return bare(await this.#registry.get(this.#context('get', options.signal), resource, namespace, name, options));
  }

  async list<T extends KubeObject>(ref: Ref, namespace: string | undefined, options: List = {}): Promise<ObjectList<T>> {
    const resource = this.#enter(ref, 'list', undefined, namespace, undefined, options.signal, options.fieldSelector);
    const page = await this.#registry.list(this.#context('list', options.signal), resource, namespace, options);
    return {
      metadata: {
        resourceVersion: String(page.revision),
        ...(page.continue !== undefined && { continue: page.continue }),
        ...(page.remainingItemCount !== undefined && { remainingItemCount: page.remainingItemCount }),
      },
      items: page.items.map((item) => bare<T>(item)),
    };
  }

  async create<T extends KubeObject>(ref: Ref, namespace: string | undefined, body: T, options: Write = {}): Promise<T> {
    const resource = this.#enter(ref, 'create', options.subresource, namespace, undefined, options.signal);
    return bare((await this.#registry.create(this.#context('create', options.signal), resource, namespace, body, this.#write(options))).stored);
  }

  async createSubresource<T extends KubeObject>(
    ref: Ref,
    namespace: string | undefined,
    name: string,
    subresource: string,
    body: KubeObject,
    options: Write = {},
  ): Promise<T> {
    const resource = this.#enter(ref, 'create', subresource, namespace, name, options.signal);
    return bare(
      (
        await this.#registry.create(this.#context('create', options.signal), resource, namespace, body, {
          ...this.#write(options),
          name,
          subresource,
        })
      ).stored,
    );
  }

  async update<T extends KubeObject>(ref: Ref, namespace: string | undefined, name: string, body: T, options: Write = {}): Promise<T> {
    const resource = this.#enter(ref, 'update', options.subresource, namespace, name, options.signal);
    return bare((await this.#registry.update(this.#context('update', options.signal), resource, namespace, name, body, this.#write(options))).stored);
  }

  async patch<T extends KubeObject>(
    ref: Ref,
    namespace: string | undefined,
    name: string,
    type: 'json' | 'merge' | 'strategic' | 'apply',
    body: unknown,
    options: Write = {},
  ): Promise<T> {
    const resource = this.#enter(ref, 'patch', options.subresource, namespace, name, options.signal);
    const patch: PatchBody = type === 'apply' ? { type, body: body as KubeObject } : { type, body };
    return bare((await this.#registry.patch(this.#context('patch', options.signal), resource, namespace, name, patch, this.#write(options))).stored);
  }

  async delete(ref: Ref, namespace: string | undefined, name: string, options: Delete = {}): Promise<void> {
    const resource = this.#enter(ref, 'delete', undefined, namespace, name, options.signal);
    await this.#registry.delete(this.#context('delete', options.signal), resource, namespace, name, options);
  }

  async deleteCollection(ref: Ref, namespace: string | undefined, options: Delete & Selection = {}): Promise<void> {
    const resource = this.#enter(ref, 'deletecollection', undefined, namespace, undefined, options.signal, options.fieldSelector);
    await this.#registry.deleteCollection(this.#context('deletecollection', options.signal), resource, namespace, options, options);
  }

  /** A refusal reaches the sink's `ended`, as it would over the wire. */
  watch<T extends KubeObject>(ref: Ref, namespace: string | undefined, options: Watch, sink: Sink<T>): () => void {
    let over = false;
    let stop: (() => void) | undefined;
    let cancelTimer: (() => void) | undefined;
    const finish = (error: Error | undefined): void => {
      if (over) return;
      over = true;
      cancelTimer?.();
      stop?.();
      sink.ended(error);
    };
    try {
      const resource = this.#enter(ref, 'watch', undefined, namespace, undefined, undefined, options.fieldSelector);
      const halt = this.#registry.watch(this.#context('watch', undefined), resource, namespace, options, {
        event: (type, object) => {
          if (!over) sink.event(type, object.object as T);
        },
        ended: finish,
      });
      stop = halt;
      if (over) {
        halt();
      } else if (options.timeoutSeconds !== undefined && options.timeoutSeconds > 0) {
        cancelTimer = this.#after(options.timeoutSeconds * 1000, () => finish(undefined));
      }
    } catch (error) {
      queueMicrotask(() => finish(error as Error));
    }
    return () => {
      over = true;
      cancelTimer?.();
      stop?.();
    };
  }

  #enter(
    ref: Ref,
    verb: string,
    subresource: string | undefined,
    namespace: string | undefined,
    name: string | undefined,
    signal: AbortSignal | undefined,
    fieldSelector?: string,
  ): ResourceInfo {
    signal?.throwIfAborted();
    const resource = this.#resources.require(ref);
    this.#access.check(
      this.#user,
      verb,
      resource,
      subresource,
      namespace ?? (resource.group === '' && resource.resource === 'namespaces' ? name : undefined),
      name,
      fieldSelector,
    );
    const verbs = subresource === undefined ? resource.verbs : resource.subresources.find((sub) => sub.name === subresource)?.verbs;
    if (verbs === undefined || !verbs.includes(verb)) throw methodNotSupported(resource, verb);
    return resource;
  }

  #context(verb: string, signal: AbortSignal | undefined): RequestContext {
    return { user: this.#user, verb, warnings: [], ...(signal && { signal }) };
  }

  #write(options: Write): Write {
    return options.fieldManager === undefined ? { ...options, fieldManager: managerOf(this.#user.name) } : options;
  }
}

/** Field managers have no colon by custom: `system:kube-scheduler` manages as `kube-scheduler`. */
function managerOf(user: string): string {
  return user.slice(user.lastIndexOf(':') + 1).slice(0, 128);
}

function bare<T extends KubeObject>(stored: StoredObject): T {
  return stored.object as T;
}
