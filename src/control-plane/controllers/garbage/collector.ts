import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import { isCode } from '../../../lib/errors.ts';
import type { KubeObject, OwnerReference } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { ResourceCatalog } from '../shared/resource-catalog.ts';
import { eventTarget } from '../shared/target.ts';
import { FOREGROUND, isDeleting, leavesOrphans, ORPHAN, OwnerGraph, ownersOf, waitsForDependents, type GraphNode } from './graph.ts';

/** Many, short-lived, and never owners or owned. */
const IGNORED = new Set(['/events']);
/** Owners that were looked for and not found; uids never come back. */
const ABSENT_CAPACITY = 10_000;

/**
 * Deletes what has no owner left, in the three ways that the API knows: in the
 * background, in the foreground (dependents first), or leaving orphans.
 * It works on a graph of all objects that is fed by watches, and looks at the
 * API itself before it takes an owner for gone.
 */
export class GarbageCollector implements RunningController {
  readonly #context: ControllerContext;
  readonly #graph = new OwnerGraph();
  readonly #catalog: ResourceCatalog;
  readonly #controller: Controller;
  readonly #informers = new Map<string, Informer>();
  readonly #absent = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#catalog = new ResourceCatalog(context.informers, (change, resource) => (change === 'added' ? this.#follow(resource) : this.#unfollow(resource)));
    for (const resource of this.#catalog.all()) this.#follow(resource);
    this.#controller = new Controller({
      name: 'garbage-collector', clock: context.clock, logger: context.logger, informers: [...this.#informers.values(), this.#catalog],
      workers: 32, maxDelayMs: 60_000, sync: (uid) => this.#sync(uid), resync: () => this.#enqueueAll(),
    });
  }

  async start(): Promise<void> {
    await this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #follow(resource: ResourceRef): void {
    const id = `${resource.group}/${resource.resource}`;
    if (IGNORED.has(id) || this.#informers.has(id)) return;
    const informer = this.#context.informers.for(resource);
    this.#informers.set(id, informer);
    informer.on({
      add: (object) => this.#changed(resource, object),
      update: (_old, object) => this.#changed(resource, object),
      delete: (object) => this.#gone(object),
    });
  }

  /** The resource is no longer served: its objects are gone, and their dependents with them. */
  #unfollow(resource: ResourceRef): void {
    const id = `${resource.group}/${resource.resource}`;
    const informer = this.#informers.get(id);
    if (informer === undefined) return;
    this.#informers.delete(id);
    const objects = [...informer.store.values()];
    this.#context.informers.release(informer);
    for (const object of objects) this.#gone(object);
  }

  #enqueueAll(): void {
    for (const { object } of this.#graph.nodes()) this.#controller.enqueue(object.metadata!.uid!);
  }

  #changed(resource: ResourceRef, object: KubeObject): void {
    const uid = object.metadata?.uid;
    if (uid === undefined) return;
    this.#graph.put(resource, object);
    const node = { resource, object };
    if (isDeleting(node)) {
      // One that waits for its dependents to go first has its say now.
      if (waitsForDependents(node) || leavesOrphans(node)) this.#controller.enqueue(uid);
      for (const owner of ownersOf(node)) this.#wakeIfWaiting(owner.uid);
    } else if (ownersOf(node).some((owner) => this.#mayBeGone(node, owner.uid))) this.#controller.enqueue(uid);
  }

  #mayBeGone(node: GraphNode, ownerUid: string): boolean {
    const owner = this.#graph.get(ownerUid);
    return owner === undefined || waitsForDependents(owner) || !sameScope(owner, node);
  }

  #gone(object: KubeObject): void {
    const uid = object.metadata?.uid;
    if (uid === undefined) return;
    const node = this.#graph.get(uid);
    this.#graph.remove(uid);
    this.#rememberAbsent(uid);
    for (const dependent of this.#graph.dependents(uid)) this.#controller.enqueue(dependent.object.metadata!.uid!);
    if (node !== undefined) for (const owner of ownersOf(node)) this.#wakeIfWaiting(owner.uid);
  }

  #wakeIfWaiting(uid: string): void {
    const owner = this.#graph.get(uid);
    if (owner !== undefined && waitsForDependents(owner)) this.#controller.enqueue(uid);
  }

  async #sync(uid: string): Promise<void> {
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    if (leavesOrphans(node)) return this.#orphanDependents(node);
    if (waitsForDependents(node)) return this.#deleteDependentsFirst(node);
    if (!isDeleting(node)) await this.#deleteIfUnowned(node);
  }

  async #orphanDependents(node: GraphNode): Promise<void> {
    const uid = node.object.metadata!.uid!;
    for (const dependent of this.#graph.dependents(uid)) await this.#dropOwners(dependent, (owner) => owner.uid === uid);
    await this.#dropFinalizer(node, ORPHAN);
  }

  async #deleteDependentsFirst(node: GraphNode): Promise<void> {
    const uid = node.object.metadata!.uid!;
    let blocked = false;
    for (const dependent of this.#graph.dependents(uid)) {
      if (!ownersOf(dependent).some((owner) => owner.uid === uid && owner.blockOwnerDeletion)) continue;
      blocked = true;
      if (!isDeleting(dependent)) this.#controller.enqueue(dependent.object.metadata!.uid!);
    }
    if (!blocked) await this.#dropFinalizer(node, FOREGROUND);
  }

  async #deleteIfUnowned(node: GraphNode): Promise<void> {
    const owners = ownersOf(node);
    if (owners.length === 0) return;
    const leaving = new Set<string>();
    let solid = 0;
    let waiting = 0;
    for (const owner of owners) {
      const state = await this.#stateOf(node, owner);
      if (state === 'solid') solid++;
      else leaving.add(owner.uid);
      if (state === 'waiting') waiting++;
    }
    if (solid > 0) {
      if (leaving.size > 0) await this.#dropOwners(node, (owner) => leaving.has(owner.uid));
      return;
    }
    const uid = node.object.metadata!.uid!;
    const dependents = [...this.#graph.dependents(uid)];
    if (waiting > 0 && dependents.length > 0) {
      // Two that wait for each other would wait for ever.
      if (dependents.some(waitsForDependents)) await this.#unblock(node);
      return this.#delete(node, 'Foreground');
    }
    const finalizers = node.object.metadata!.finalizers ?? [];
    await this.#delete(node, finalizers.includes(ORPHAN) ? 'Orphan' : finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background');
  }

  async #stateOf(node: GraphNode, owner: OwnerReference): Promise<'solid' | 'waiting' | 'absent'> {
    const known = this.#graph.get(owner.uid);
    if (known !== undefined && sameScope(known, node)) return waitsForDependents(known) ? 'waiting' : 'solid';
    if (this.#absent.has(owner.uid)) return 'absent';
    const resource = this.#catalog.forKind(owner.apiVersion, owner.kind);
    // A kind that nobody serves: its definition may come back, so nothing is deleted for its sake.
    if (resource === undefined) return 'solid';
    const namespace = node.object.metadata!.namespace;
    if (resource.namespaced && namespace === undefined) {
      this.#context.events.event(
        eventTarget(node.resource, node.object),
        'Warning',
        'OwnerRefInvalidNamespace',
        `ownerRef [${owner.apiVersion}/${owner.kind}, namespace: , name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace ""`,
      );
      return 'solid';
    }
    try {
      const found = await this.#context.transport.get(resource, resource.namespaced ? namespace : undefined, owner.name);
      if (found.metadata?.uid === owner.uid) return waitsForDependents({ resource, object: found }) ? 'waiting' : 'solid';
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
    if (known !== undefined) {
      this.#context.events.event(
        eventTarget(node.resource, node.object),
        'Warning',
        'OwnerRefInvalidNamespace',
        `ownerRef [${owner.apiVersion}/${owner.kind}, namespace: ${namespace}, name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace "${namespace}"`,
      );
    } else {
      this.#rememberAbsent(owner.uid);
    }
    return 'absent';
  }

  #rememberAbsent(uid: string): void {
    this.#absent.add(uid);
    if (this.#absent.size > ABSENT_CAPACITY) this.#absent.delete(this.#absent.values().next().value!);
  }

  async #delete(node: GraphNode, propagationPolicy: 'Background' | 'Foreground' | 'Orphan'): Promise<void> {
    const { namespace, name, uid, resourceVersion } = node.object.metadata!;
    await this.#unlessGone(
      this.#context.transport.delete(node.resource, namespace, name!, {
        propagationPolicy,
        preconditions: { uid: uid!, resourceVersion: resourceVersion! },
      }),
    );
  }

  async #dropOwners(node: GraphNode, which: (owner: OwnerReference) => boolean): Promise<void> {
    const rest = ownersOf(node).filter((owner) => !which(owner));
    await this.#patch(node, { ownerReferences: rest.length > 0 ? rest : null });
  }

  async #unblock(node: GraphNode): Promise<void> {
    await this.#patch(node, { ownerReferences: ownersOf(node).map((owner) => ({ ...owner, blockOwnerDeletion: false })) });
  }

  async #dropFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const rest = (node.object.metadata!.finalizers ?? []).filter((name) => name !== finalizer);
    await this.#patch(node, { finalizers: rest.length > 0 ? rest : null });
  }

  async #patch(node: GraphNode, metadata: Record<string, unknown>): Promise<void> {
    const { namespace, name, uid, resourceVersion } = node.object.metadata!;
    await this.#unlessGone(
      this.#context.transport
        .patch(node.resource, namespace, name!, 'merge', { metadata: { ...metadata, uid, resourceVersion } })
        .then(() => undefined),
    );
  }

  async #unlessGone(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
}

/** An owner lives in the namespace of its dependent, or in none. */
function sameScope(owner: GraphNode, dependent: GraphNode): boolean {
  return !owner.resource.namespaced || owner.object.metadata?.namespace === dependent.object.metadata?.namespace;
}
