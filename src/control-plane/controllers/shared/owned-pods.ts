import type { Expectations } from '../../../client/expectations.ts';
import type { Informer } from '../../../client/informer.ts';
import type { LabelMatcher } from '../../../client/label-selector.ts';
import { objectKey } from '../../../client/object-key.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { semanticEqual } from './equal.ts';
import { BY_CONTROLLER, byController, controllerOf, orphanKey } from './owner.ts';

export interface OwnedPodsOptions<O extends KubeObject> {
  readonly pods: Informer<Pod>;
  readonly owners: Informer<O>;
  /** Kind of the owners, as owner references name it. */
  readonly kind: string;
  readonly matcher: (owner: O) => LabelMatcher;
  readonly expectations: Pick<Expectations, 'created' | 'deleted'>;
  readonly enqueue: (ownerKey: string) => void;
}

/** The pods of all owners of one kind: finds them, and wakes an owner when something about its pods changes. */
export class OwnedPods<O extends KubeObject> {
  readonly #options: OwnedPodsOptions<O>;

  constructor(options: OwnedPodsOptions<O>) {
    this.#options = options;
    options.pods.addIndex(BY_CONTROLLER, byController);
    options.pods.on({ add: (pod) => this.#added(pod), update: (old, pod) => this.#updated(old, pod), delete: (pod) => this.#deleted(pod) });
  }

  /** What the owner manages, whatever its state. */
  of(owner: KubeObject): Iterable<Pod> {
    return this.#options.pods.store.byIndex(BY_CONTROLLER, owner.metadata!.uid!);
  }

  /** What nobody manages in the owner's namespace, and its selector matches. */
  *orphansFor(owner: O): Generator<Pod> {
    const matches = this.#options.matcher(owner);
    for (const pod of this.#options.pods.store.byIndex(BY_CONTROLLER, orphanKey(owner.metadata!.namespace))) {
      if (matches(pod.metadata?.labels)) {
        yield pod;
      }
    }
  }

  #added(pod: Pod): void {
    // After a restart of ours a pod may show up that is already on its way out.
    if (pod.metadata?.deletionTimestamp !== undefined) return this.#deleted(pod);
    const owner = this.#ownerOf(pod);
    if (owner !== undefined) {
      this.#options.expectations.created(owner);
      this.#options.enqueue(owner);
    } else if (controllerOf(pod) === undefined) this.#wakeAdopters(pod);
  }

  #updated(old: Pod, pod: Pod): void {
    if (pod.metadata?.deletionTimestamp !== undefined && old.metadata?.deletionTimestamp === undefined) this.#deleted(pod);
    const before = this.#ownerOf(old);
    const owner = this.#ownerOf(pod);
    if (before !== undefined && before !== owner) this.#options.enqueue(before);
    if (owner !== undefined) {
      this.#options.enqueue(owner);
    } else if (controllerOf(pod) === undefined && (before !== undefined || !semanticEqual(old.metadata?.labels, pod.metadata?.labels))) {
      this.#wakeAdopters(pod);
    }
  }

  #deleted(pod: Pod): void {
    const owner = this.#ownerOf(pod);
    if (owner === undefined) return;
    this.#options.expectations.deleted(owner, pod.metadata!.uid ?? '');
    this.#options.enqueue(owner);
  }

  /** The key of the pod's owner, if that is of this kind and there. */
  #ownerOf(pod: Pod): string | undefined {
    const reference = controllerOf(pod);
    if (reference === undefined || reference.kind !== this.#options.kind) return undefined;
    const key = `${pod.metadata!.namespace}/${reference.name}`;
    return this.#options.owners.store.get(key)?.metadata?.uid === reference.uid ? key : undefined;
  }

  #wakeAdopters(pod: Pod): void {
    for (const owner of this.#options.owners.store.inNamespace(pod.metadata!.namespace!)) {
      if (this.#options.matcher(owner)(pod.metadata!.labels)) this.#options.enqueue(objectKey(owner));
    }
  }
}
