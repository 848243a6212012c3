import type { InformerFactory } from '../../../client/informer-factory.ts';
import type { Informer } from '../../../client/informer.ts';
import { deployments, replicaSets, replicationControllers, statefulSets } from '../../../client/resources.ts';
import type { Transport } from '../../../client/transport.ts';
import { isCode, LongshoreError } from '../../../lib/errors.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject, OwnerReference } from '../../../types/kubernetes/meta.ts';
import { controllerOf } from '../shared/owner.ts';
import { ResourceCatalog } from '../shared/resource-catalog.ts';

interface Scalable extends KubeObject {
  readonly spec?: { readonly replicas?: number };
}

/** How many pods there should be, by what manages those that there are. */
export class ExpectedScale {
  readonly #transport: Transport;
  readonly #catalog: ResourceCatalog;
  readonly #informers: ReadonlyMap<string, Informer<Scalable>>;

  constructor(transport: Transport, informers: InformerFactory) {
    this.#transport = transport;
    this.#catalog = new ResourceCatalog(informers);
    this.#informers = new Map(
      [deployments, replicaSets, replicationControllers, statefulSets].map((resource) => [
        resource.kind,
        informers.for<Scalable>(resource),
      ]),
    );
  }

  get synced(): Promise<unknown> {
    return Promise.all([this.#catalog.synced, ...[...this.#informers.values()].map((informer) => informer.synced)]);
  }

  /**
   * The sum over all managers; pods that nobody manages are named.
   * @throws LongshoreError `invalid` for a manager that has no scale
   */
  async of(pods: readonly Pod[]): Promise<{ readonly expected: number; readonly unmanaged: readonly string[] }> {
    const scales = new Map<string, number>();
    const unmanaged: string[] = [];
    for (const pod of pods) {
      const reference = controllerOf(pod);
      if (reference === undefined) unmanaged.push(pod.metadata!.name!);
      else if (!scales.has(reference.uid)) {
        const found = await this.#scale(pod.metadata!.namespace!, reference);
        if (found === undefined) {
          throw new LongshoreError('invalid', `found no controllers for pod "${pod.metadata!.name}"`, {
            object: `pod ${pod.metadata!.namespace}/${pod.metadata!.name}`,
          });
        }
        scales.set(reference.uid, 0);
        scales.set(found.uid, found.replicas);
      }
    }
    return { expected: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
  }

  async #scale(namespace: string, { apiVersion, kind, name, uid }: OwnerReference): Promise<{ readonly uid: string; readonly replicas: number } | undefined> {
    const known = this.#informers.get(kind)?.store.get(`${namespace}/${name}`);
    if (known?.metadata?.uid === uid) {
      const parent = controllerOf(known);
      // A ReplicaSet of a Deployment is one of several: the Deployment knows the whole.
      if (kind === 'ReplicaSet' && parent?.kind === 'Deployment') return this.#scale(namespace, parent);
      return { uid, replicas: known.spec?.replicas ?? 1 };
    }
    const resource = this.#catalog.forKind(apiVersion, kind);
    if (resource === undefined) return undefined;
    try {
      const scale = await this.#transport.get<Scalable>(resource, namespace, name, { subresource: 'scale' });
      return scale.metadata?.uid === uid ? { uid, replicas: scale.spec?.replicas ?? 0 } : undefined;
    } catch (error) {
      if (isCode(error, 'not-found')) return undefined;
      if (isCode(error, 'method-not-allowed')) {
        throw new LongshoreError('invalid', `${resource.resource}.${resource.group} does not implement the scale subresource`, {
          cause: error,
        });
      }
      throw error;
    }
  }
}
