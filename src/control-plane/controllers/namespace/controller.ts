import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { namespaces, pods } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import { isCode, LongshoreError } from '../../../lib/errors.ts';
import type { Namespace, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { semanticEqual } from '../shared/equal.ts';
import { ResourceCatalog } from '../shared/resource-catalog.ts';
import { deletionConditions, type Remains } from './conditions.ts';

const FINALIZER = 'kubernetes';
/** A first look at what remains comes this soon, the next ones ever later. */
const FIRST_LOOK_MS = 250;
const LAST_LOOK_MS = 15_000;

/** Empties namespaces that are being deleted, and then lets them go. */
export class NamespaceController implements RunningController {
  readonly #context: ControllerContext;
  readonly #namespaces: Informer<Namespace>;
  readonly #pods: Informer<Pod>;
  readonly #catalog: ResourceCatalog;
  readonly #controller: Controller;
  readonly #looks = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#namespaces = context.informers.for<Namespace>(namespaces);
    this.#pods = context.informers.for<Pod>(pods);
    this.#catalog = new ResourceCatalog(context.informers);
    this.#controller = new Controller({
      name: 'namespace-controller', clock: context.clock, logger: context.logger, informers: [this.#namespaces, this.#pods, this.#catalog],
      workers: 10, maxDelayMs: 60_000, sync: (name) => this.#sync(name),
      resync: () => {
        for (const name of this.#namespaces.store.keys()) this.#controller.enqueue(name);
      },
    });
    const wake = (namespace: Namespace): void => {
      if (namespace.metadata?.deletionTimestamp !== undefined) this.#controller.enqueue(namespace.metadata.name!);
    };
    this.#namespaces.on({
      add: wake,
      update: (old, namespace) => old.metadata?.deletionTimestamp === undefined && wake(namespace),
      delete: (namespace) => void this.#looks.delete(namespace.metadata!.name!),
    });
    // The last pod's going is what mostly is waited for.
    this.#pods.on({ delete: (pod) => this.#podGone(pod.metadata!.namespace!) });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #podGone(name: string): void {
    const namespace = this.#namespaces.store.get(name);
    if (namespace?.metadata?.deletionTimestamp !== undefined && this.#pods.store.countByIndex('namespace', name) === 0) {
      this.#controller.enqueue(name);
    }
  }

  async #sync(name: string): Promise<void> {
    const { transport, clock } = this.#context;
    if (this.#namespaces.store.get(name)?.metadata?.deletionTimestamp === undefined) return;
    let namespace: Namespace;
    try {
      namespace = await transport.get<Namespace>(namespaces, undefined, name);
    } catch (error) {
      if (isCode(error, 'not-found')) return;
      throw error;
    }
    if (namespace.metadata?.deletionTimestamp === undefined || !namespace.spec?.finalizers?.includes(FINALIZER)) return;
    const remains = await this.#empty(name);
    const conditions = deletionConditions(namespace.status?.conditions, remains, clock.now());
    if (!semanticEqual(conditions, namespace.status?.conditions)) {
      namespace = await transport.update<Namespace>(
        namespaces,
        undefined,
        name,
        { ...namespace, status: { ...namespace.status, phase: 'Terminating', conditions } },
        { subresource: 'status' },
      );
    }
    if (remains.errors.length > 0) {
      throw new LongshoreError('internal', conditions.find(({ type }) => type === 'NamespaceDeletionContentFailure')!.message!, {
        object: `namespace ${name}`,
        cause: remains.errors[0],
      });
    }
    if (remains.counts.size > 0) {
      const look = this.#looks.get(name) ?? 0;
      this.#looks.set(name, look + 1);
      this.#controller.enqueueAfter(name, Math.min(FIRST_LOOK_MS * 2 ** look, LAST_LOOK_MS));
      return;
    }
    const finalizers = namespace.spec!.finalizers.filter((finalizer) => finalizer !== FINALIZER);
    try {
      await transport.update<Namespace>(namespaces, undefined, name, { ...namespace, spec: { ...namespace.spec, finalizers } }, { subresource: 'finalize' });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }

  /** Pods first, and the rest when they are gone: what they use (config maps, network policies) outlives them. KEP-5080. */
  async #empty(name: string): Promise<Remains> {
    const counts = new Map<ResourceRef, number>();
    const finalizers = new Map<string, number>();
    const errors: unknown[] = [];
    const deleteAll = async (resource: ResourceRef): Promise<void> => {
      try {
        const left = await this.#deleteAll(resource, name);
        if (left.length > 0) counts.set(resource, left.length);
        for (const object of left) {
          for (const finalizer of object.metadata?.finalizers ?? []) {
            finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
          }
        }
      } catch (error) {
        errors.push(error);
      }
    };
    await deleteAll(pods);
    if (counts.size === 0 && errors.length === 0) {
      const rest = [...this.#catalog.all()].filter((resource) => resource.namespaced && !(resource.group === '' && resource.resource === 'pods'));
      await Promise.all(rest.map(deleteAll));
    }
    return { counts, finalizers, errors };
  }

  /** @returns what is left */
  async #deleteAll(resource: ResourceRef, namespace: string): Promise<readonly KubeObject[]> {
    const { transport } = this.#context;
    try {
      const { items } = await transport.list(resource, namespace);
      if (items.length === 0) return items;
      if (items.some((item) => item.metadata?.deletionTimestamp === undefined)) {
        await transport.deleteCollection(resource, namespace, { propagationPolicy: 'Background' });
      }
      return (await transport.list(resource, namespace)).items;
    } catch (error) {
      // Its definition went away meanwhile, and its objects with it.
      if (isCode(error, 'not-found')) return [];
      if (!isCode(error, 'method-not-allowed')) throw error;
      return this.#deleteEach(resource, namespace);
    }
  }

  async #deleteEach(resource: ResourceRef, namespace: string): Promise<readonly KubeObject[]> {
    const { transport } = this.#context;
    for (const { metadata } of (await transport.list(resource, namespace)).items) {
      try {
        await transport.delete(resource, namespace, metadata!.name!, { propagationPolicy: 'Background' });
      } catch (error) {
        if (!isCode(error, 'not-found')) throw error;
      }
    }
    return (await transport.list(resource, namespace)).items;
  }
}
