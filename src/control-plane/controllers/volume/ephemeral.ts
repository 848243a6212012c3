import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { persistentVolumeClaims, pods } from '../../../client/resources.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { controllerReference, isControlledBy } from '../shared/owner.ts';
import { isNamespaceTerminating } from '../shared/pod-control.ts';
import { isTerminal } from '../shared/pods.ts';
import { eventTarget } from '../shared/target.ts';

/** Makes the claims of ephemeral volumes; they belong to their pod and go with it. */
export class EphemeralVolumeController implements RunningController {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#pods = context.informers.for<Pod>(pods);
    this.#claims = context.informers.for<PersistentVolumeClaim>(persistentVolumeClaims);
    this.#controller = new Controller({
      name: 'ephemeral-volume-controller', clock: context.clock, logger: context.logger, informers: [this.#pods, this.#claims], sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#pods.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#pods.on({ add: (pod) => pod.spec?.volumes?.some(({ ephemeral }) => ephemeral) && this.#controller.enqueue(objectKey(pod)) });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const pod = this.#pods.store.get(key);
    if (pod === undefined || pod.metadata!.deletionTimestamp !== undefined || isTerminal(pod)) return;
    const { namespace, name } = pod.metadata!;
    for (const volume of pod.spec?.volumes ?? []) {
      if (!volume.ephemeral) continue;
      const claimName = `${name}-${volume.name}`;
      const present = this.#claims.store.get(`${namespace}/${claimName}`);
      if (present !== undefined) {
        if (isControlledBy(present, pod)) continue;
        throw new LongshoreError(
          'conflict',
          `PVC "${namespace}/${claimName}" was not created for pod "${namespace}/${name}" (pod is not owner)`,
          { object: `pod ${namespace}/${name}` },
        );
      }
      const template = volume.ephemeral.volumeClaimTemplate;
      const claim: PersistentVolumeClaim = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name: claimName,
          namespace: namespace!,
          ...(template?.metadata?.labels && { labels: template.metadata.labels }),
          ...(template?.metadata?.annotations && { annotations: template.metadata.annotations }),
          ownerReferences: [controllerReference(pods, pod)],
        },
        ...(template?.spec && { spec: template.spec }),
      };
      try {
        await this.#context.transport.create<PersistentVolumeClaim>(persistentVolumeClaims, namespace, claim);
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        this.#context.events.event(
          eventTarget(pods, pod),
          'Warning',
          'FailedBinding',
          `ephemeral volume ${volume.name}: create PVC ${claimName}: ${error instanceof Error ? error.message : String(error)}`,
        );
        throw error;
      }
    }
  }
}
