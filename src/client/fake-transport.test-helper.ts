import { rfc3339, type Clock } from '../lib/clock.ts';
import { uuid, nameSuffix, type Random } from '../lib/random.ts';
import type { KubeObject, ObjectMeta, Writable } from '../types/kubernetes/meta.ts';
import { StatusError } from '../types/kubernetes/status.ts';
import { parseSelector } from './label-selector.ts';
import { apiVersionOf } from './resources.ts';
import type {
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectList,
  PatchType,
  ResourceRef,
  Transport,
  WatchEventType,
  WatchOptions,
  WatchSink,
  WriteOptions,
} from './transport.ts';

type Json = Record<string, unknown>;
type Stored = KubeObject & { readonly spec?: unknown; readonly status?: unknown };
interface HistoryEvent {
  readonly revision: number;
  readonly type: WatchEventType;
  readonly resource: string;
  readonly object: Stored;
  readonly old: Stored | undefined;
}
interface Watcher {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly matches: (object: Stored) => boolean;
  readonly sink: WatchSink<KubeObject>;
  readonly pending: HistoryEvent[];
}

/** Kinds whose spec has no generation of its own. */
const NO_GENERATION = new Set(['services', 'nodes', 'namespaces', 'secrets', 'configmaps', 'serviceaccounts', 'events']);

export interface FakeOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Watch events wait for {@link FakeTransport.deliver}. */
  readonly manual?: boolean;
  /** A deleted pod stays, with a deletionTimestamp, until {@link FakeTransport.remove}. */
  readonly graceful?: boolean;
}

/** A small API server in memory: enough of its rules for tests of what is built over a Transport. */
export class FakeTransport implements Transport {
  readonly #options: FakeOptions;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #watchers = new Set<Watcher>();
  #history: HistoryEvent[] = [];
  #revision = 0;
  #compacted = 0;
  /** Every call that writes, as `verb resource[/subresource] namespace/name`. */
  readonly calls: string[] = [];
  /** Return an error to make a call fail. */
  fail: (verb: string, resource: string, name: string) => Error | undefined = () => undefined;

  constructor(options: FakeOptions) {
    this.#options = options;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  async get<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, name: string, _options?: GetOptions): Promise<T> {
    await this.#enter('get', resource, namespace, name);
    return this.#find(resource, namespace, name) as unknown as T;
  }

  async list<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, options: ListOptions = {}): Promise<ObjectList<T>> {
    await this.#enter('list', resource, namespace, '');
    return { metadata: { resourceVersion: String(this.#revision) }, items: this.all<T>(resource, namespace, options) };
  }

  /** What there is, without a call. */
  all<T extends KubeObject>(resource: ResourceRef, namespace?: string, options: { labelSelector?: string; fieldSelector?: string } = {}): T[] {
    const matches = matcher(options);
    return [...(this.#objects.get(resource.resource)?.values() ?? [])].filter(
      (object) => (namespace === undefined || object.metadata?.namespace === namespace) && matches(object),
    ) as unknown as T[];
  }

  async create<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, body: T, options?: WriteOptions): Promise<T> {
    const generated = body.metadata?.name === undefined && body.metadata?.generateName !== undefined;
    const name = generated ? body.metadata.generateName + nameSuffix(this.#options.random) : (body.metadata?.name ?? '');
    await this.#enter('create', resource, namespace, name);
    if (options?.dryRun) return body;
    if (this.#objects.get(resource.resource)?.has(key(namespace, name))) {
      throw status(409, 'AlreadyExists', `${resource.resource} "${name}" already exists`);
    }
    const copy = structuredClone(body) as Writable<Stored>;
    const metadata: Writable<ObjectMeta> = {
      ...copy.metadata, name, uid: uuid(this.#options.random), creationTimestamp: rfc3339(this.#options.clock.now()),
      ...(namespace !== undefined && { namespace }), ...(!NO_GENERATION.has(resource.resource) && { generation: 1 }),
    };
    return this.#commit('ADDED', resource, { ...copy, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata }, undefined) as unknown as T;
  }

  async createSubresource<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    subresource: string,
    body: KubeObject,
  ): Promise<T> {
    await this.#enter('create', resource, namespace, name, subresource);
    const old = this.#find(resource, namespace, name);
    if (subresource === 'binding') {
      const target = (body as { target?: { name?: string } }).target?.name;
      this.#commit('MODIFIED', resource, { ...old, spec: { ...(old.spec as Json), nodeName: target } }, old);
    } else if (subresource === 'eviction') this.#delete(resource, old, {});
    else if (subresource !== 'token') throw status(404, 'NotFound', `no subresource ${subresource}`);
    return body as unknown as T;
  }

  async update<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, name: string, body: T, options?: WriteOptions): Promise<T> {
    await this.#enter('update', resource, namespace, name, options?.subresource);
    const old = this.#find(resource, namespace, name);
    const version = body.metadata?.resourceVersion;
    if (version !== undefined && version !== old.metadata!.resourceVersion) {
      throw status(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${resource.resource} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
      );
    }
    return this.#write(resource, old, structuredClone(body), options?.subresource) as unknown as T;
  }

  async patch<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    body: unknown,
    options?: WriteOptions,
  ): Promise<T> {
    await this.#enter('patch', resource, namespace, name, options?.subresource);
    if (type !== 'merge' && type !== 'strategic') throw status(415, 'UnsupportedMediaType', `this fake knows no ${type} patch`);
    const old = this.#find(resource, namespace, name);
    const patch = body as { metadata?: { uid?: string; resourceVersion?: string } };
    if (patch.metadata?.uid !== undefined && patch.metadata.uid !== old.metadata!.uid) {
      throw status(
        409,
        'Conflict',
        `Precondition failed: UID in precondition: ${patch.metadata.uid}, UID in object meta: ${old.metadata!.uid}`,
      );
    }
    if (patch.metadata?.resourceVersion !== undefined && patch.metadata.resourceVersion !== old.metadata!.resourceVersion) {
      throw status(409, 'Conflict', 'the object has been modified');
    }
    return this.#write(resource, old, merge(old, body) as Stored, options?.subresource) as unknown as T;
  }

  async delete(resource: ResourceRef, namespace: string | undefined, name: string, options: DeleteOptions = {}): Promise<void> {
    await this.#enter('delete', resource, namespace, name);
    const old = this.#find(resource, namespace, name);
    if (options.preconditions?.uid !== undefined && options.preconditions.uid !== old.metadata!.uid) {
      throw status(409, 'Conflict', 'the UID in the precondition does not match');
    }
    if (options.preconditions?.resourceVersion !== undefined && options.preconditions.resourceVersion !== old.metadata!.resourceVersion) {
      throw status(409, 'Conflict', 'the ResourceVersion in the precondition does not match');
    }
    this.#delete(resource, old, options);
  }

  async deleteCollection(
    resource: ResourceRef,
    namespace: string | undefined,
    options: DeleteOptions & Pick<ListOptions, 'labelSelector' | 'fieldSelector'> = {},
  ): Promise<void> {
    await this.#enter('deletecollection', resource, namespace, '');
    for (const object of this.all<Stored>(resource, namespace, options)) this.#delete(resource, object, options);
  }

  watch<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, options: WatchOptions, sink: WatchSink<T>): () => void {
    const watcher: Watcher = { resource: resource.resource, namespace, matches: matcher(options), sink: sink, pending: [] };
    const from = options.resourceVersion === undefined ? this.#revision : Number(options.resourceVersion);
    if (from < this.#compacted) {
      queueMicrotask(() => sink.ended(status(410, 'Expired', `too old resource version: ${from} (${this.#compacted})`)));
      return () => {};
    }
    this.#watchers.add(watcher);
    for (const event of this.#history) if (event.revision > from) this.#tell(watcher, event);
    return () => void this.#watchers.delete(watcher);
  }

  // What a test does from outside.

  /** Writes as a user or a kubelet would, at once: `change` gets a copy. */
  edit<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, name: string, change: (object: Writable<T>) => void): void {
    const old = this.#find(resource, namespace, name);
    const copy = structuredClone(old);
    change(copy as unknown as Writable<T>);
    const spec = JSON.stringify(copy.spec) !== JSON.stringify(old.spec) && copy.metadata?.generation !== undefined;
    this.#commit('MODIFIED', resource, spec ? { ...copy, metadata: { ...copy.metadata, generation: copy.metadata.generation + 1 } } : copy, old);
  }

  /** Takes an object away whatever holds it. */
  remove(resource: ResourceRef, namespace: string | undefined, name: string): void {
    const old = this.#find(resource, namespace, name);
    this.#commit('DELETED', resource, old, old);
  }

  /** Ends every watch, in order or with an error. */
  breakWatches(error?: Error): void {
    for (const watcher of Array.from(this.#watchers)) {
      this.#watchers.delete(watcher);
      watcher.sink.ended(error);
    }
  }

  /** Forgets history: watches from before get 410. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  bookmark(): void {
    this.#revision++;
    for (const watcher of this.#watchers) watcher.sink.event('BOOKMARK', { metadata: { resourceVersion: String(this.#revision) } });
  }

  /** In manual mode: hands one waiting event to one watcher that `pick` chooses. @returns false when none waits */
  deliver(pick: (below: number) => number = () => 0): boolean {
    const waiting = [...this.#watchers].filter((watcher) => watcher.pending.length > 0);
    if (waiting.length === 0) return false;
    const watcher = waiting[pick(waiting.length)]!;
    this.#emit(watcher, watcher.pending.shift()!);
    return true;
  }

  // Inside.

  async #enter(verb: string, resource: ResourceRef, namespace: string | undefined, name: string, subresource?: string): Promise<void> {
    const what = subresource === undefined ? resource.resource : `${resource.resource}/${subresource}`;
    if (verb !== 'get' && verb !== 'list') this.calls.push(`${verb} ${what} ${key(namespace, name)}`);
    await Promise.resolve();
    const error = this.fail(verb, what, name);
    if (error) throw error;
  }

  #find(resource: ResourceRef, namespace: string | undefined, name: string): Stored {
    const found = this.#objects.get(resource.resource)?.get(key(namespace, name));
    if (found === undefined) throw status(404, 'NotFound', `${resource.resource} "${name}" not found`);
    return found;
  }

  #write(resource: ResourceRef, old: Stored, next: Stored, subresource: string | undefined): Stored {
    const meta = {
      ...next.metadata,
      uid: old.metadata!.uid,
      creationTimestamp: old.metadata!.creationTimestamp,
      resourceVersion: old.metadata!.resourceVersion,
      name: old.metadata!.name,
      generation: old.metadata!.generation,
      deletionTimestamp: old.metadata!.deletionTimestamp,
    } as ObjectMeta;
    let result: Stored;
    if (subresource === 'status') {
      result = { ...old, metadata: { ...old.metadata, annotations: next.metadata?.annotations }, status: next.status };
    } else if (subresource === 'scale') {
      result = { ...old, spec: { ...(old.spec as Json), replicas: (next.spec as Json)['replicas'] } };
    } else if (subresource === 'finalize') {
      result = { ...old, spec: next.spec };
    } else {
      result = { ...next, metadata: meta, ...(old.status !== undefined && resource.resource !== 'events' && { status: old.status }) };
    }
    if (JSON.stringify(canonical(result)) === JSON.stringify(canonical(old))) return old;
    if (JSON.stringify(canonical(result.spec)) !== JSON.stringify(canonical(old.spec)) && old.metadata!.generation !== undefined) {
      result = { ...result, metadata: { ...result.metadata, generation: old.metadata!.generation + 1 } };
    }
    const finished =
      result.metadata?.deletionTimestamp !== undefined &&
      !result.metadata.finalizers?.length &&
      result.metadata.deletionGracePeriodSeconds === undefined &&
      !(result.spec as { finalizers?: unknown[] } | undefined)?.finalizers?.length;
    return this.#commit(finished ? 'DELETED' : 'MODIFIED', resource, result, old);
  }

  #delete(resource: ResourceRef, old: Stored, options: DeleteOptions): void {
    const metadata = { ...old.metadata, finalizers: [...(old.metadata?.finalizers ?? [])] } as Writable<ObjectMeta>;
    if (options.propagationPolicy === 'Foreground' && !metadata.finalizers!.includes('foregroundDeletion')) {
      metadata.finalizers!.push('foregroundDeletion');
    }
    if (options.propagationPolicy === 'Orphan' && !metadata.finalizers!.includes('orphan')) metadata.finalizers!.push('orphan');
    const specHeld =
      resource.resource === 'namespaces' && Boolean((old.spec as { finalizers?: unknown[] } | undefined)?.finalizers?.length);
    const graceful =
      this.#options.graceful &&
      resource.resource === 'pods' &&
      options.gracePeriodSeconds !== 0 &&
      (old.spec as Json | undefined)?.['nodeName'] !== undefined;
    if (metadata.finalizers!.length === 0 && !graceful && !specHeld) {
      this.#commit('DELETED', resource, old, old);
      return;
    }
    if (metadata.finalizers!.length === 0) delete metadata.finalizers;
    metadata.deletionTimestamp ??= rfc3339(this.#options.clock.now());
    if (graceful) metadata.deletionGracePeriodSeconds = 30;
    const status = specHeld ? { status: { ...(old.status as Json), phase: 'Terminating' } } : {};
    this.#commit('MODIFIED', resource, { ...old, metadata, ...status }, old);
  }

  #commit(type: WatchEventType, resource: ResourceRef, next: Stored, old: Stored | undefined): Stored {
    const revision = ++this.#revision;
    const object = deepFreeze({ ...next, metadata: { ...next.metadata, resourceVersion: String(revision) } }) as Stored;
    let kind = this.#objects.get(resource.resource);
    if (kind === undefined) this.#objects.set(resource.resource, (kind = new Map()));
    const id = key(object.metadata!.namespace, object.metadata!.name!);
    if (type === 'DELETED') kind.delete(id);
    else kind.set(id, object);
    const event: HistoryEvent = { revision, type, resource: resource.resource, object, old };
    this.#history.push(event);
    for (const watcher of this.#watchers) this.#tell(watcher, event);
    return object;
  }

  #tell(watcher: Watcher, event: HistoryEvent): void {
    if (
      watcher.resource !== event.resource ||
      (watcher.namespace !== undefined && watcher.namespace !== event.object.metadata?.namespace)
    ) {
      return;
    }
    const is = event.type !== 'DELETED' && watcher.matches(event.object);
    const was = event.old !== undefined && watcher.matches(event.old);
    if (!is && !was) return;
    const seen = { ...event, type: is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED' } as HistoryEvent;
    if (this.#options.manual) watcher.pending.push(seen);
    else this.#emit(watcher, seen);
  }

  #emit(watcher: Watcher, event: HistoryEvent): void {
    watcher.sink.event(event.type, event.object);
  }
}

function key(namespace: string | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

function matcher(options: { readonly labelSelector?: string; readonly fieldSelector?: string }): (object: Stored) => boolean {
  const labels = parseSelector(options.labelSelector ?? '');
  const fields = (options.fieldSelector ?? '').split(',').filter(Boolean).map((term) => /^([^!=]+)(!=|==?)(.*)$/.exec(term)!);
  return (object) => labels(object.metadata?.labels) && fields.every(([, path, sign, value]) => {
    const at = path!.split('.').reduce<unknown>((node, part) => (node as Json | undefined)?.[part], object) as string | number | undefined;
    return (String(at ?? '') === value) === (sign !== '!=');
  });
}

/** JSON merge patch, RFC 7396. */
function merge(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result: Json = target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...(target as Json) } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}

function canonical(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(canonical);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, canonical(v)]),
  );
}

export function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}

/** A StatusError as the API server answers. */
export function status(code: number, reason: string, message: string): StatusError {
  return new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message });
}
