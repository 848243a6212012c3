import type { ResourceRef } from '../../../client/transport.ts';
import type { KubeObject, OwnerReference } from '../../../types/kubernetes/meta.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** One object as the collector sees it: what it is, and its newest known state. */
export interface GraphNode {
  readonly resource: ResourceRef;
  readonly object: KubeObject;
}

/** Who owns whom, by uid. Owners that are not (or not yet) known still have their dependents filed. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  has(uid: string): boolean {
    return this.#nodes.has(uid);
  }

  get size(): number {
    return this.#nodes.size;
  }

  nodes(): IterableIterator<GraphNode> {
    return this.#nodes.values();
  }

  put(resource: ResourceRef, object: KubeObject): void {
    const uid = object.metadata!.uid!;
    const before = this.#nodes.get(uid)?.object.metadata?.ownerReferences;
    const now = object.metadata!.ownerReferences;
    this.#nodes.set(uid, { resource, object });
    if (before === now) return;
    for (const owner of before ?? []) this.#unfile(owner.uid, uid);
    for (const owner of now ?? []) this.#file(owner.uid, uid);
  }

  remove(uid: string): void {
    const node = this.#nodes.get(uid);
    if (node === undefined) return;
    this.#nodes.delete(uid);
    for (const owner of ownersOf(node)) this.#unfile(owner.uid, uid);
  }

  *dependents(uid: string): Generator<GraphNode> {
    for (const dependent of this.#dependents.get(uid) ?? []) {
      const node = this.#nodes.get(dependent);
      if (node !== undefined) yield node;
    }
  }

  #file(owner: string, dependent: string): void {
    const set = this.#dependents.get(owner);
    if (set === undefined) this.#dependents.set(owner, new Set([dependent]));
    else set.add(dependent);
  }

  #unfile(owner: string, dependent: string): void {
    const set = this.#dependents.get(owner);
    if (set?.delete(dependent) && set.size === 0) this.#dependents.delete(owner);
  }
}

export function ownersOf({ object }: GraphNode): readonly OwnerReference[] {
  return object.metadata?.ownerReferences ?? [];
}

export function isDeleting({ object }: GraphNode): boolean {
  return object.metadata?.deletionTimestamp !== undefined;
}

function hasFinalizer({ object }: GraphNode, finalizer: string): boolean {
  return object.metadata?.finalizers?.includes(finalizer) ?? false;
}

/** Being deleted, and waits for its dependents to go first. */
export function waitsForDependents(node: GraphNode): boolean {
  return isDeleting(node) && hasFinalizer(node, FOREGROUND);
}

/** Being deleted, and wants its dependents to be kept. */
export function leavesOrphans(node: GraphNode): boolean {
  return isDeleting(node) && hasFinalizer(node, ORPHAN);
}
