import { pods as podResource, statefulSets } from '../../../client/resources.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { scaledIntOrPercent } from '../../../types/kubernetes/intstr.ts';
import type { ControllerContext } from '../context.ts';
import { isNamespaceTerminating, slowStart } from '../shared/pod-control.ts';
import { isAvailable, isReady, isTerminal } from '../shared/pods.ts';
import { templateOf } from '../shared/revisions.ts';
import { eventTarget } from '../shared/target.ts';
import type { StatefulClaims } from './claims.ts';
import { isInRange, ordinalOf, podOf, replicasOf, revisionNameOf, startOf, withIdentity } from './identity.ts';

/** A place in the set: its pod, or undefined while that is yet to be made. */
interface Replica {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

/** One step towards what a StatefulSet asks for. In order (unless it is Parallel): a step waits until all before it are done. */
export class StatefulControl {
  readonly #context: ControllerContext;
  readonly #claims: StatefulClaims;
  readonly #set: StatefulSet;
  readonly #current: ControllerRevision;
  readonly #update: ControllerRevision;
  readonly #replicas: Replica[];
  /** Pods beyond the wanted ones, highest ordinal first. */
  readonly #condemned: Pod[];
  readonly #nowMs: number;
  /** What this step made and deleted, for the status. */
  readonly #made: Pod[] = [];
  readonly #deleted = new Set<Pod>();

  constructor(
    context: ControllerContext,
    claims: StatefulClaims,
    set: StatefulSet,
    current: ControllerRevision,
    update: ControllerRevision,
    pods: readonly Pod[],
  ) {
    this.#context = context;
    this.#claims = claims;
    this.#set = set;
    this.#current = current;
    this.#update = update;
    this.#nowMs = context.clock.now();
    const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
    this.#replicas = Array.from({ length: replicasOf(set) }, (_, n) => ({ ordinal: startOf(set) + n, pod: byOrdinal.get(startOf(set) + n) }));
    const beyond = pods.filter((pod) => ordinalOf(set, pod) !== undefined && !isInRange(set, ordinalOf(set, pod)!));
    this.#condemned = beyond.toSorted((a, b) => ordinalOf(set, b)! - ordinalOf(set, a)!);
  }

  async run(): Promise<void> {
    if (this.#set.metadata!.deletionTimestamp !== undefined) return;
    const ordered = this.#set.spec!.podManagementPolicy !== 'Parallel';
    if (await this.#forAll(this.#replicas, ordered, (replica) => this.#maintain(replica, ordered))) return;
    for (const pod of this.#condemned) await this.#claims.syncOwners(this.#set, pod);
    const firstUnhealthy = this.#firstUnhealthy();
    if (await this.#forAll(this.#condemned, ordered, (pod) => this.#scaleAway(pod, ordered, firstUnhealthy))) return;
    if (this.#set.spec!.updateStrategy?.type !== 'OnDelete') await this.#roll();
  }

  /** In order, until one says to stop; or all, in growing groups. @returns whether to stop */
  async #forAll<T>(items: readonly T[], ordered: boolean, step: (item: T) => Promise<boolean>): Promise<boolean> {
    if (ordered) {
      for (const item of items) if (await step(item)) return true;
      return false;
    }
    const { error } = await slowStart(items.length, (at) => step(items[at]!));
    if (error !== undefined) throw error;
    return false;
  }

  /** @returns whether those after it have to wait */
  async #maintain({ ordinal, pod }: Replica, ordered: boolean): Promise<boolean> {
    if (pod !== undefined && isTerminal(pod)) {
      // Whatever its exit code, the set wants it running. Its successor is made when it is gone.
      if (pod.metadata!.deletionTimestamp === undefined) await this.#delete(pod);
      return true;
    }
    if (pod === undefined) {
      if (this.#claims.areStale(this.#set, ordinal)) return true;
      await this.#create(ordinal);
      return ordered;
    }
    if (pod.status?.phase === 'Pending' && pod.metadata!.deletionTimestamp === undefined) await this.#claims.create(this.#set, pod);
    if (ordered && (pod.metadata!.deletionTimestamp !== undefined || pod.status?.phase !== 'Running' || !this.#isAvailable(pod))) {
      return true;
    }
    if (pod.metadata!.deletionTimestamp === undefined) await this.#repair(pod, ordinal);
    return false;
  }

  async #repair(pod: Pod, ordinal: number): Promise<void> {
    await this.#claims.syncOwners(this.#set, pod);
    const repaired = withIdentity(pod, ordinal);
    if (repaired === undefined) return;
    await this.#context.transport.update<Pod>(podResource, pod.metadata!.namespace, pod.metadata!.name!, repaired);
    this.#event('Normal', 'SuccessfulUpdate', `Update Pod ${pod.metadata!.name} in StatefulSet ${this.#set.metadata!.name} successful`);
  }

  /** @returns whether those after it have to wait */
  async #scaleAway(pod: Pod, ordered: boolean, firstUnhealthy: Pod | undefined): Promise<boolean> {
    if (pod.metadata!.deletionTimestamp !== undefined) return ordered;
    if (ordered && !this.#isAvailable(pod) && pod !== firstUnhealthy) return true;
    await this.#delete(pod);
    return ordered;
  }

  /** Deletes pods of older revisions, highest ordinal first, down to the partition, while enough others serve. */
  async #roll(): Promise<void> {
    const { partition = 0, maxUnavailable } = this.#set.spec!.updateStrategy?.rollingUpdate ?? {};
    const most = maxUnavailable === undefined ? 1 : Math.max(scaledIntOrPercent(maxUnavailable, replicasOf(this.#set), 'down'), 1);
    const unavailable = this.#replicas.filter(
      ({ pod }) => pod === undefined || !this.#isAvailable(pod) || pod.metadata!.deletionTimestamp !== undefined,
    ).length;
    let left = most - unavailable;
    for (const { pod } of this.#replicas.slice(partition).toReversed()) {
      if (left <= 0) return;
      if (pod === undefined || revisionNameOf(pod) === this.#update.metadata!.name || pod.metadata!.deletionTimestamp !== undefined) {
        continue;
      }
      await this.#delete(pod);
      left--;
    }
  }

  #isAvailable(pod: Pod): boolean {
    return isAvailable(pod, this.#set.spec!.minReadySeconds ?? 0, this.#nowMs);
  }

  #firstUnhealthy(): Pod | undefined {
    const all = [...this.#replicas.map(({ pod }) => pod), ...this.#condemned.toReversed()];
    return all.find((pod) => pod !== undefined && (!this.#isAvailable(pod) || pod.metadata!.deletionTimestamp !== undefined));
  }

  /** Below the partition a pod is made from the revision that is being replaced. */
  #revisionFor(ordinal: number): ControllerRevision {
    const { type, rollingUpdate } = this.#set.spec!.updateStrategy ?? {};
    if (type === 'OnDelete') return this.#update;
    const kept = rollingUpdate === undefined ? (this.#set.status?.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
    return ordinal < startOf(this.#set) + kept ? this.#current : this.#update;
  }

  async #create(ordinal: number): Promise<void> {
    const revision = this.#revisionFor(ordinal);
    const pod = podOf(this.#set, ordinal, templateOf(revision) ?? this.#set.spec!.template, revision.metadata!.name!);
    const said = `Create Pod ${pod.metadata!.name} in StatefulSet ${this.#set.metadata!.name}`;
    try {
      await this.#claims.create(this.#set, pod);
      const made = await this.#context.transport.create<Pod>(podResource, pod.metadata!.namespace, pod);
      this.#made.push(made);
    } catch (error) {
      if (!isCode(error, 'already-exists') && !isNamespaceTerminating(error)) {
        this.#event('Warning', 'FailedCreate', `${said} failed error: ${messageOf(error)}`);
      }
      if (isNamespaceTerminating(error)) return;
      throw error;
    }
    this.#event('Normal', 'SuccessfulCreate', `${said} successful`);
  }

  async #delete(pod: Pod): Promise<void> {
    const { namespace, name, uid } = pod.metadata!;
    const said = `Delete Pod ${name} in StatefulSet ${this.#set.metadata!.name}`;
    try {
      await this.#context.transport.delete(podResource, namespace, name!, { preconditions: { uid: uid! } });
    } catch (error) {
      if (isCode(error, 'not-found') || isCode(error, 'conflict')) return;
      this.#event('Warning', 'FailedDelete', `${said} failed error: ${messageOf(error)}`);
      throw error;
    }
    this.#deleted.add(pod);
    this.#event('Normal', 'SuccessfulDelete', `${said} successful`);
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(eventTarget(statefulSets, this.#set), type, reason, message);
  }

  /** Counts, as this step leaves them; a finished update becomes the current one. */
  status(collisionCount: number): StatefulSetStatus {
    const set = this.#set;
    const pods = [...this.#replicas.map(({ pod }) => pod).filter((pod) => pod !== undefined), ...this.#condemned, ...this.#made];
    const currentName = this.#current.metadata!.name!;
    const updateName = this.#update.metadata!.name!;
    const count = (which: (pod: Pod) => boolean): number => pods.filter(which).length;
    const staying = (pod: Pod): boolean => pod.metadata!.deletionTimestamp === undefined && !this.#deleted.has(pod);
    const replicas = pods.length;
    const ready = count((pod) => pod.status?.phase === 'Running' && isReady(pod));
    const available = count((pod) => pod.status?.phase === 'Running' && this.#isAvailable(pod));
    const updated = count((pod) => staying(pod) && revisionNameOf(pod) === updateName);
    const wanted = replicasOf(set);
    const complete = set.spec!.updateStrategy?.type !== 'OnDelete' && updated === wanted && ready === wanted && replicas === wanted;
    const current = complete ? updated : count((pod) => staying(pod) && revisionNameOf(pod) === currentName);
    return {
      ...(set.metadata!.generation !== undefined && { observedGeneration: set.metadata!.generation }),
      replicas,
      availableReplicas: available,
      ...(ready > 0 && { readyReplicas: ready }),
      ...(current > 0 && { currentReplicas: current }),
      ...(updated > 0 && { updatedReplicas: updated }),
      currentRevision: complete ? updateName : currentName,
      updateRevision: updateName,
      collisionCount,
      ...(set.status?.conditions && { conditions: set.status.conditions }),
    };
  }
}
