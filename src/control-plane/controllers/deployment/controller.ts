import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { labelMatcher } from '../../../client/label-selector.ts';
import { objectKey } from '../../../client/object-key.ts';
import { RecentWrites } from '../../../client/recent-writes.ts';
import { deployments, pods, replicaSets } from '../../../client/resources.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Deployment, ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { claim } from '../shared/claim.ts';
import { conditionOf } from '../shared/conditions.ts';
import { BY_CONTROLLER, byController, controllerOf, isControlledBy, orphanKey } from '../shared/owner.ts';
import { eventTarget } from '../shared/target.ts';
import { selectsAll } from '../shared/template-hash.ts';
import { isRolling, progressDeadlineMs } from './fenceposts.ts';
import { cleanUpHistory } from './history.ts';
import { recreate } from './recreate.ts';
import { roll } from './rolling.ts';
import { Rollout } from './rollout.ts';
import { scale, wasScaled } from './scale.ts';
import { countedStatus, isComplete, nextProgressCheck, rolloutStatus } from './status.ts';

/** Rolls out Deployments: makes, grows and shrinks their ReplicaSets. */
export class DeploymentController implements RunningController {
  readonly #context: ControllerContext;
  readonly #deployments: Informer<Deployment>;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;
  readonly #controller: Controller;
  readonly #writes: RecentWrites<ReplicaSet>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#deployments = context.informers.for<Deployment>(deployments);
    this.#sets = context.informers.for<ReplicaSet>(replicaSets);
    this.#pods = context.informers.for<Pod>(pods);
    this.#sets.addIndex(BY_CONTROLLER, byController);
    this.#pods.addIndex(BY_CONTROLLER, byController);
    this.#writes = new RecentWrites(this.#sets, context.clock);
    this.#controller = new Controller({
      name: 'deployment-controller', clock: context.clock, logger: context.logger,
      informers: [this.#deployments, this.#sets, this.#pods], workers: 16, sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#deployments.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#controller.watch(this.#deployments);
    this.#controller.watch(this.#sets, (set) => this.#ownersOf(set));
    // A Recreate rollout waits for the last old pod to go.
    this.#pods.on({
      delete: (pod) => this.#podDeleted(pod),
      update: (_old, pod) => (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded' ? this.#podDeleted(pod) : undefined),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  *#ownersOf(set: ReplicaSet): Generator<string> {
    const reference = controllerOf(set);
    if (reference !== undefined) {
      if (reference.kind === 'Deployment') yield `${set.metadata!.namespace}/${reference.name}`;
      return;
    }
    for (const deployment of this.#deployments.store.inNamespace(set.metadata!.namespace!)) {
      if (labelMatcher(deployment.spec!.selector)(set.metadata!.labels)) yield objectKey(deployment);
    }
  }

  #podDeleted(pod: Pod): void {
    const reference = controllerOf(pod);
    if (reference?.kind !== 'ReplicaSet') return;
    const set = this.#sets.store.get(`${pod.metadata!.namespace}/${reference.name}`);
    const owner = set && controllerOf(set);
    if (owner?.kind !== 'Deployment') return;
    const key = `${pod.metadata!.namespace}/${owner.name}`;
    const deployment = this.#deployments.store.get(key);
    if (deployment !== undefined && !isRolling(deployment)) this.#controller.enqueue(key);
  }

  async #sync(key: string): Promise<void> {
    const deployment = this.#deployments.store.get(key);
    if (deployment === undefined) return;
    const { transport, events } = this.#context;
    const { uid, namespace, deletionTimestamp } = deployment.metadata!;
    if (selectsAll(deployment.spec!.selector)) {
      events.event(
        eventTarget(deployments, deployment),
        'Warning',
        'SelectingAll',
        'This deployment is selecting all pods. A non-empty selector is required.',
      );
      await new Rollout(this.#context, deployment, [], () => {}).writeStatus({
        ...deployment.status,
        observedGeneration: deployment.metadata!.generation!,
      });
      return;
    }
    const matches = labelMatcher(deployment.spec!.selector);
    const cached = [...this.#sets.store.byIndex(BY_CONTROLLER, uid!), ...this.#sets.store.byIndex(BY_CONTROLLER, orphanKey(namespace))];
    const candidates = this.#writes.over(cached, (set) => isControlledBy(set, deployment));
    const sets = await claim<ReplicaSet>({ transport, ownerResource: deployments, resource: replicaSets, owner: deployment, matches }, candidates);
    const rollout = new Rollout(this.#context, deployment, sets, (set) => this.#writes.note(set, this.#sets.store.get(objectKey(set))));
    if (deletionTimestamp !== undefined) return rollout.writeStatus(countedStatus(rollout));
    notePause(rollout);
    if (deployment.spec!.paused || wasScaled(rollout)) {
      await rollout.syncRevision(false);
      await scale(rollout);
      if (deployment.spec!.paused) await cleanUpHistory(rollout);
      return rollout.writeStatus(countedStatus(rollout));
    }
    if (isRolling(deployment)) await roll(rollout);
    else if (deployment.spec!.strategy!.type === 'Recreate') await recreate(rollout, (set) => this.#pods.store.byIndex(BY_CONTROLLER, set));
    else throw new LongshoreError('invalid', `unexpected deployment strategy type: ${deployment.spec!.strategy!.type}`);
    if (isComplete(rollout.deployment, rollout.deployment.status)) await cleanUpHistory(rollout);
    await rollout.writeStatus(rolloutStatus(rollout));
    const checkMs = nextProgressCheck(rollout);
    if (checkMs !== undefined) this.#controller.enqueueAfter(key, checkMs);
  }
}

/** The clock of the progress deadline does not run while a rollout is paused, and starts anew when it is resumed. */
function notePause(rollout: Rollout): void {
  const { deployment } = rollout;
  const condition = conditionOf(deployment.status?.conditions, 'Progressing');
  if (progressDeadlineMs(deployment) === undefined || condition?.reason === 'ProgressDeadlineExceeded') return;
  const noted = condition?.reason === 'DeploymentPaused';
  if (deployment.spec!.paused && !noted) rollout.condition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused');
  else if (!deployment.spec!.paused && noted) rollout.condition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed');
}
