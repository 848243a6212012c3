import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { persistentVolumeClaims, persistentVolumes, pods } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import { isCode } from '../../../lib/errors.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { isTerminal } from '../shared/pods.ts';

const BY_CLAIM = 'claim';

interface ProtectionOptions<T extends KubeObject> {
  readonly name: string;
  readonly resource: ResourceRef;
  readonly finalizer: string;
  readonly isInUse: (object: T) => boolean;
}

/** Keeps what is in use from being deleted, by a finalizer that goes when the use ends. */
class Protection<T extends KubeObject> implements RunningController {
  readonly #context: ControllerContext;
  readonly #options: ProtectionOptions<T>;
  readonly #objects: Informer<T>;
  readonly controller: Controller;

  constructor(context: ControllerContext, options: ProtectionOptions<T>, others: readonly Informer<never>[]) {
    this.#context = context;
    this.#options = options;
    this.#objects = context.informers.for<T>(options.resource);
    this.controller = new Controller({
      name: options.name, clock: context.clock, logger: context.logger, informers: [this.#objects, ...others], sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#objects.store.keys()) this.controller.enqueue(key);
      },
    });
    this.controller.watch(this.#objects);
  }

  start(): Promise<void> {
    return this.controller.start();
  }

  stop(): Promise<void> {
    return this.controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const object = this.#objects.store.get(key);
    if (object === undefined) return;
    const { finalizer, resource, isInUse } = this.#options;
    const { namespace, name, deletionTimestamp, finalizers = [] } = object.metadata!;
    const present = finalizers.includes(finalizer);
    const leaving = deletionTimestamp !== undefined;
    let wanted: readonly string[] | undefined;
    if (!leaving && !present) wanted = [...finalizers, finalizer];
    else if (leaving && present && !isInUse(object)) wanted = finalizers.filter((other) => other !== finalizer);
    if (wanted === undefined) return;
    try {
      await this.#context.transport.update<T>(resource, namespace, name!, { ...object, metadata: { ...object.metadata, finalizers: wanted } });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
}

function claimKeys(pod: Pod): string[] {
  const keys: string[] = [];
  for (const { persistentVolumeClaim, ephemeral, name } of pod.spec?.volumes ?? []) {
    if (persistentVolumeClaim) keys.push(`${pod.metadata!.namespace}/${persistentVolumeClaim.claimName}`);
    else if (ephemeral) keys.push(`${pod.metadata!.namespace}/${pod.metadata!.name}-${name}`);
  }
  return keys;
}

/** A claim stays until no pod uses it. */
export function createClaimProtection(context: ControllerContext): RunningController {
  const podInformer = context.informers.for<Pod>(pods);
  podInformer.addIndex(BY_CLAIM, claimKeys);
  const protection = new Protection<PersistentVolumeClaim>(
    context,
    {
      name: 'pvc-protection-controller',
      resource: persistentVolumeClaims,
      finalizer: 'kubernetes.io/pvc-protection',
      // A pod that has ended, or was never placed and is being deleted, uses nothing.
      isInUse: (claim) =>
        [...podInformer.store.byIndex(BY_CLAIM, objectKey(claim))].some(
          (pod) => !isTerminal(pod) && (Boolean(pod.spec?.nodeName) || pod.metadata!.deletionTimestamp === undefined),
        ),
    },
    [podInformer as unknown as Informer<never>],
  );
  const wake = (pod: Pod): void => {
    for (const key of claimKeys(pod)) protection.controller.enqueue(key);
  };
  podInformer.on({ delete: wake, update: (old, pod) => isTerminal(pod) && !isTerminal(old) && wake(pod) });
  return protection;
}

/** A volume stays while it is bound to a claim. */
export function createVolumeProtection(context: ControllerContext): RunningController {
  return new Protection<PersistentVolume>(
    context,
    {
      name: 'pv-protection-controller',
      resource: persistentVolumes,
      finalizer: 'kubernetes.io/pv-protection',
      isInUse: ({ status }) => status?.phase === 'Bound',
    },
    [],
  );
}
