import { deployments, replicaSets } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { ControllerContext } from '../context.ts';
import { conditionOf, withCondition } from '../shared/conditions.ts';
import { semanticEqual } from '../shared/equal.ts';
import { controllerReference, isControlledBy } from '../shared/owner.ts';
import { isNamespaceTerminating } from '../shared/pod-control.ts';
import { eventTarget } from '../shared/target.ts';
import { hashOf, POD_TEMPLATE_HASH, sameTemplate } from '../shared/template-hash.ts';
import { desiredReplicasOf, newReplicaSetAnnotations, replicasAnnotations, REVISION, revisionOf } from './annotations.ts';
import { isRolling, maxSurge, progressDeadlineMs, replicasOf } from './fenceposts.ts';

const LONGEST_NAME = 253;

/** A Deployment with its ReplicaSets, as one sync sees and changes them. */
export class Rollout {
  deployment: Deployment;
  newSet: ReplicaSet | undefined;
  /** All others, oldest first. */
  oldSets: ReplicaSet[];
  /** The conditions as this sync has them so far; written with the status at its end. */
  conditions: readonly DeploymentCondition[];
  collisionCount: number | undefined;
  /** The revision that the Deployment should bear; written with the status. */
  revision: bigint | undefined;
  readonly context: ControllerContext;

  readonly #wrote: (set: ReplicaSet) => void;

  /** @param sets all ReplicaSets of the Deployment @param wrote is told of each that was made or changed */
  constructor(context: ControllerContext, deployment: Deployment, sets: readonly ReplicaSet[], wrote: (set: ReplicaSet) => void) {
    this.context = context;
    this.#wrote = wrote;
    this.deployment = deployment;
    this.conditions = deployment.status?.conditions ?? [];
    this.collisionCount = deployment.status?.collisionCount;
    const byAge = sets.toSorted(olderFirst);
    // The oldest one with the template, should there be several.
    this.newSet = byAge.find((set) => sameTemplate(set.spec!.template!, deployment.spec!.template));
    this.oldSets = byAge.filter((set) => set !== this.newSet);
  }

  get allSets(): ReplicaSet[] {
    return this.newSet === undefined ? [...this.oldSets] : [...this.oldSets, this.newSet];
  }

  /** Sets a condition, stamped now. */
  condition(type: string, status: string, reason: string, message: string): void {
    const now = rfc3339(this.context.clock.now());
    this.conditions = withCondition(this.conditions, { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message });
  }

  event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.context.events.event(eventTarget(deployments, this.deployment), type, reason, message);
  }

  /**
   * Brings the newest ReplicaSet's annotations and the Deployment's revision up
   * to date, making the ReplicaSet if need be and `create` says so.
   */
  async syncRevision(create: boolean): Promise<void> {
    const revision = this.oldSets.map(revisionOf).reduce((most, one) => (one > most ? one : most), 0n) + 1n;
    if (this.newSet === undefined) {
      if (create) await this.#createSet(revision);
      return;
    }
    const set = this.newSet;
    const annotations = newReplicaSetAnnotations(this.deployment, set, revision);
    const minReadySeconds = this.deployment.spec!.minReadySeconds;
    if (!semanticEqual(annotations, set.metadata!.annotations) || (set.spec!.minReadySeconds ?? 0) !== (minReadySeconds ?? 0)) {
      this.newSet = await this.#updateSet({
        ...set,
        metadata: { ...set.metadata, annotations },
        spec: { ...set.spec, ...(minReadySeconds !== undefined && { minReadySeconds }) },
      });
    }
    this.revision = revisionOf(this.newSet);
    if (progressDeadlineMs(this.deployment) !== undefined && conditionOf(this.conditions, 'Progressing') === undefined) {
      this.condition('Progressing', 'True', 'FoundNewReplicaSet', `Found new replica set "${set.metadata!.name}"`);
    }
  }

  /** Resizes a ReplicaSet. @param force write the annotations even if the size is right. @returns whether its size changed */
  async scale(set: ReplicaSet, replicas: number, force = false): Promise<boolean> {
    const before = replicasOf(set);
    const annotations = { ...set.metadata!.annotations, ...replicasAnnotations(this.deployment) };
    if (before === replicas && (!force || semanticEqual(annotations, set.metadata!.annotations))) return false;
    const updated = await this.#updateSet({ ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } });
    this.#replace(updated);
    if (before === replicas) return false;
    this.event('Normal', 'ScalingReplicaSet', `Scaled ${before < replicas ? 'up' : 'down'} replica set ${set.metadata!.name} from ${before} to ${replicas}`);
    return true;
  }

  /** Writes the status and the revision, if they are new. */
  async writeStatus(status: DeploymentStatus): Promise<void> {
    const { transport } = this.context;
    const { namespace, name } = this.deployment.metadata!;
    const noted = this.#withRevision(this.deployment);
    if (noted === this.deployment && semanticEqual(status, this.deployment.status)) return;
    // The revision goes with the status: an update of the object itself would count as a new generation.
    this.deployment = await transport.update<Deployment>(deployments, namespace, name!, { ...noted, status }, { subresource: 'status' });
    const again = this.#withRevision(this.deployment);
    if (again !== this.deployment) this.deployment = await transport.update<Deployment>(deployments, namespace, name!, again);
  }

  #withRevision(deployment: Deployment): Deployment {
    const { annotations } = deployment.metadata!;
    if (this.revision === undefined || annotations?.[REVISION] === String(this.revision)) return deployment;
    return { ...deployment, metadata: { ...deployment.metadata, annotations: { ...annotations, [REVISION]: String(this.revision) } } };
  }

  #replace(set: ReplicaSet): void {
    if (this.newSet?.metadata!.uid === set.metadata!.uid) this.newSet = set;
    else this.oldSets = this.oldSets.map((old) => (old.metadata!.uid === set.metadata!.uid ? set : old));
  }

  async #updateSet(set: ReplicaSet): Promise<ReplicaSet> {
    const updated = await this.context.transport.update<ReplicaSet>(replicaSets, set.metadata!.namespace, set.metadata!.name!, set);
    this.#wrote(updated);
    return updated;
  }

  async #createSet(revision: bigint): Promise<void> {
    const { deployment, context } = this;
    const { namespace, name } = deployment.metadata!;
    const spec = deployment.spec!;
    const hash = hashOf(spec.template, this.collisionCount);
    const labels = { ...spec.template.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
    const replicas = this.newSetReplicas(0);
    const bare: ReplicaSet = {
      apiVersion: 'apps/v1', kind: 'ReplicaSet',
      metadata: {
        name: `${name!.slice(0, LONGEST_NAME - 1 - hash.length)}-${hash}`, ...(namespace !== undefined && { namespace }), labels,
        ownerReferences: [controllerReference(deployments, deployment)],
      },
      spec: {
        replicas, ...(spec.minReadySeconds !== undefined && { minReadySeconds: spec.minReadySeconds }),
        selector: { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, [POD_TEMPLATE_HASH]: hash } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
    const set: ReplicaSet = {
      ...bare,
      metadata: {
        ...bare.metadata,
        annotations: { ...newReplicaSetAnnotations(deployment, bare, revision), ...replicasAnnotations(deployment) },
      },
    };
    const setName = set.metadata!.name!;
    try {
      this.newSet = await context.transport.create<ReplicaSet>(replicaSets, namespace, set);
      this.#wrote(this.newSet);
    } catch (error) {
      if (isCode(error, 'already-exists')) await this.#resolveCollision(setName, error);
      else {
        if (!isNamespaceTerminating(error)) await this.#creationFailed(setName, error);
        throw error;
      }
      return;
    }
    if (replicas > 0) this.event('Normal', 'ScalingReplicaSet', `Scaled up replica set ${setName} from 0 to ${replicas}`);
    this.revision = revision;
    if (progressDeadlineMs(deployment) !== undefined) {
      this.condition('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "${setName}"`);
    }
  }

  /** The name is taken: by our own set that the cache does not show yet, or by another's, and then the hash needs a salt. */
  async #resolveCollision(setName: string, error: unknown): Promise<void> {
    const { deployment, context } = this;
    const present = await context.transport.get<ReplicaSet>(replicaSets, deployment.metadata!.namespace, setName);
    if (isControlledBy(present, deployment) && sameTemplate(present.spec!.template!, deployment.spec!.template)) {
      this.newSet = present;
      return;
    }
    this.collisionCount = (this.collisionCount ?? 0) + 1;
    context.logger.info('a hash collision; the next try takes another name', {
      deployment: deployment.metadata!.name,
      replicaSet: setName,
      collisionCount: this.collisionCount,
    });
    await this.writeStatus({ ...deployment.status, collisionCount: this.collisionCount });
    throw error;
  }

  async #creationFailed(setName: string, error: unknown): Promise<void> {
    const message = `Failed to create new replica set "${setName}": ${messageOf(error)}`;
    this.event('Warning', 'ReplicaSetCreateError', message);
    if (progressDeadlineMs(this.deployment) === undefined) return;
    this.condition('Progressing', 'False', 'ReplicaSetCreateError', message);
    await this.writeStatus({ ...this.deployment.status, conditions: this.conditions });
  }

  /** How many replicas the newest ReplicaSet may have now. @param present how many it has */
  newSetReplicas(present: number): number {
    const wanted = replicasOf(this.deployment);
    if (!isRolling(this.deployment)) return wanted;
    const taken = this.oldSets.reduce((sum, set) => sum + footprint(set), 0) + Math.max(present, this.newSet === undefined ? 0 : footprint(this.newSet));
    const room = wanted + maxSurge(this.deployment) - taken;
    return room <= 0 ? present : present + Math.min(room, wanted - present);
  }
}

/** The sum of the wanted replicas. */
export function total(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + replicasOf(set), 0);
}

/**
 * How many pods it may have now. One that was told to shrink counts in full
 * until it says that it has done so, and one that has not seen its newest size
 * may still be on its way to an older one: that keeps the surge in its bounds.
 */
function footprint(set: ReplicaSet): number {
  const most = Math.max(replicasOf(set), set.status?.replicas ?? 0);
  const observed = (set.status?.observedGeneration ?? 0) >= (set.metadata!.generation ?? 0);
  return observed ? most : Math.max(most, desiredReplicasOf(set) ?? 0);
}

/** How many available pods it will keep: those that it was told to delete are as good as gone. */
export function lastingAvailable(set: ReplicaSet): number {
  return Math.min(set.status?.availableReplicas ?? 0, replicasOf(set));
}

export function isActiveSet(set: ReplicaSet | undefined): set is ReplicaSet {
  return set !== undefined && replicasOf(set) > 0;
}

/** By age, then by name. */
export function olderFirst(a: ReplicaSet, b: ReplicaSet): number {
  const first = a.metadata!.creationTimestamp ?? '';
  const second = b.metadata!.creationTimestamp ?? '';
  if (first !== second) return first < second ? -1 : 1;
  return a.metadata!.name! < b.metadata!.name! ? -1 : 1;
}
