import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { namespaces } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Namespace } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { isNamespaceTerminating } from '../shared/pod-control.ts';

export interface PerNamespaceOptions<T extends KubeObject> {
  readonly name: string;
  readonly resource: ResourceRef;
  /** The object that every namespace has; it carries its name and no namespace. */
  readonly object: T;
  /** What to write where the present one differs; undefined where it is fine. */
  readonly repair?: (present: T) => T | undefined;
}

/** Sees to it that every live namespace holds a certain object. */
export class PerNamespaceController<T extends KubeObject> implements RunningController {
  readonly #context: ControllerContext;
  readonly #options: PerNamespaceOptions<T>;
  readonly #namespaces: Informer<Namespace>;
  readonly #objects: Informer<T>;
  readonly #controller: Controller;

  constructor(context: ControllerContext, options: PerNamespaceOptions<T>) {
    this.#context = context;
    this.#options = options;
    this.#namespaces = context.informers.for<Namespace>(namespaces);
    this.#objects = context.informers.for<T>(options.resource);
    this.#controller = new Controller({
      name: options.name, clock: context.clock, logger: context.logger, informers: [this.#namespaces, this.#objects], sync: (name) => this.#sync(name),
      resync: () => {
        for (const name of this.#namespaces.store.keys()) this.#controller.enqueue(name);
      },
    });
    this.#controller.watch(this.#namespaces);
    const name = options.object.metadata!.name;
    this.#controller.watch(this.#objects, (object) => (object.metadata!.name === name ? [object.metadata!.namespace!] : []));
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(namespace: string): Promise<void> {
    const { transport } = this.#context;
    const { resource, object, repair } = this.#options;
    const live = this.#namespaces.store.get(namespace);
    if (live === undefined || live.metadata?.deletionTimestamp !== undefined || live.status?.phase === 'Terminating') return;
    const name = object.metadata!.name!;
    const present = this.#objects.store.get(`${namespace}/${name}`);
    try {
      if (present === undefined) await transport.create<T>(resource, namespace, { ...object, metadata: { ...object.metadata, namespace } });
      else {
        const repaired = repair?.(present);
        if (repaired !== undefined) await transport.update<T>(resource, namespace, name, repaired);
      }
    } catch (error) {
      const moot = isCode(error, 'already-exists') || isNamespaceTerminating(error) || isCode(error, 'not-found');
      if (!moot) throw error;
    }
  }
}
