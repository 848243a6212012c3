import type { KubeObject } from '../types/kubernetes/meta.ts';
import { Informer, type InformerDependencies, type InformerScope } from './informer.ts';
import type { ResourceRef } from './transport.ts';

/** Hands out one informer per resource and scope, shared by all who ask. */
export class InformerFactory {
  readonly #deps: InformerDependencies;
  readonly #informers = new Map<string, Informer>();
  #started = false;
  #stopped = false;

  constructor(deps: InformerDependencies) {
    this.#deps = deps;
  }

  /** The informer of a resource; it starts with the factory, or at once when that has started. */
  for<T extends KubeObject>(resource: ResourceRef, scope: InformerScope = {}): Informer<T> {
    const id = [resource.group, resource.version, resource.resource, scope.namespace, scope.labelSelector, scope.fieldSelector].join('\0');
    let informer = this.#informers.get(id) as Informer<T> | undefined;
    if (informer === undefined) {
      informer = new Informer<T>(resource, scope, this.#deps);
      this.#informers.set(id, informer as unknown as Informer);
      // The caller adds its handlers and indexes first.
      if (this.#started) queueMicrotask(() => !this.#stopped && informer!.start());
    }
    return informer;
  }

  start(): void {
    this.#started = true;
    for (const informer of this.#informers.values()) informer.start();
  }

  /** Resolves when all informers known by now have their first list. */
  async synced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced));
  }

  /** Stops one informer and forgets it: its resource is no longer served. The next one who asks gets a new one. */
  release(informer: Pick<Informer, 'stop'>): void {
    informer.stop();
    for (const [id, known] of this.#informers) if (known === informer) this.#informers.delete(id);
  }

  stop(): void {
    this.#stopped = true;
    for (const informer of this.#informers.values()) informer.stop();
  }
}
