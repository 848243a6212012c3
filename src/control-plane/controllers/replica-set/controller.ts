import { Controller } from '../../../client/controller.ts';
import { Expectations } from '../../../client/expectations.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { pods } from '../../../client/resources.ts';
import type { ReplicaSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { claim } from '../shared/claim.ts';
import { semanticEqual } from '../shared/equal.ts';
import { OwnedPods } from '../shared/owned-pods.ts';
import { BY_CONTROLLER, byController, controllerOf } from '../shared/owner.ts';
import { isNamespaceTerminating, PodControl, podFromTemplate, slowStart } from '../shared/pod-control.ts';
import { isActive, isTerminating, nextAvailableIn } from '../shared/pods.ts';
import type { ReplicaKind, ReplicaOwner } from './kinds.ts';
import { podsToDelete } from './ranking.ts';
import { replicaStatus } from './status.ts';

/** At most so many pods are made or deleted in one go. */
const BURST = 500;

/** Keeps as many pods as a ReplicaSet, or a ReplicationController, asks for. */
export class ReplicaController implements RunningController {
  readonly #context: ControllerContext;
  readonly #kind: ReplicaKind;
  readonly #owners: Informer<ReplicaOwner>;
  readonly #pods: OwnedPods<ReplicaOwner>;
  readonly #control: PodControl;
  readonly #expectations: Pick<Expectations, keyof Expectations>;
  readonly #controller: Controller;
  /** The status that was written last, by key: its echo needs no sync (and must not shorten a back-off). */
  readonly #written = new Map<string, ReplicaSetStatus>();

  /** @param expectations what was asked for and is not seen yet */
  constructor(context: ControllerContext, kind: ReplicaKind, expectations: Pick<Expectations, keyof Expectations> = new Expectations(context.clock)) {
    this.#context = context;
    this.#kind = kind;
    this.#owners = context.informers.for<ReplicaOwner>(kind.resource);
    const podInformer = context.informers.for<Pod>(pods);
    this.#owners.addIndex(BY_CONTROLLER, byController);
    this.#control = new PodControl(context.transport, context.events, kind.resource);
    this.#expectations = expectations;
    this.#controller = new Controller({
      name: `${kind.resource.resource}-controller`, clock: context.clock, logger: context.logger,
      informers: [this.#owners, podInformer], workers: 16, sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#owners.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#owners.on({
      add: (owner) => this.#controller.enqueue(objectKey(owner)),
      update: (old, owner) => {
        if (!this.#isOwnWrite(old, owner)) this.#controller.enqueue(objectKey(owner));
      },
      delete: (owner) => {
        this.#expectations.forget(objectKey(owner));
        this.#written.delete(objectKey(owner));
        this.#controller.enqueue(objectKey(owner));
      },
    });
    this.#pods = new OwnedPods({
      pods: podInformer,
      owners: this.#owners,
      kind: kind.resource.kind,
      matcher: kind.matcher,
      expectations: this.#expectations,
      enqueue: (key) => this.#controller.enqueue(key),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #isOwnWrite(old: ReplicaOwner, owner: ReplicaOwner): boolean {
    const { resourceVersion: _a, managedFields: _b, ...before } = old.metadata!;
    const { resourceVersion: _c, managedFields: _d, ...after } = owner.metadata!;
    return semanticEqual(owner.status, this.#written.get(objectKey(owner))) && semanticEqual(before, after);
  }

  async #sync(key: string): Promise<void> {
    const owner = this.#owners.store.get(key);
    if (owner === undefined) return this.#expectations.forget(key);
    const { transport, clock } = this.#context;
    const matches = this.#kind.matcher(owner);
    const satisfied = this.#expectations.satisfied(key);
    const candidates: Pod[] = [];
    let terminating = 0;
    for (const pod of this.#pods.of(owner)) {
      if (isActive(pod)) candidates.push(pod);
      else if (isTerminating(pod) && matches(pod.metadata?.labels)) terminating++;
    }
    for (const pod of this.#pods.orphansFor(owner)) if (isActive(pod)) candidates.push(pod);
    const active = await claim<Pod>({ transport, ownerResource: this.#kind.resource, resource: pods, owner, matches }, candidates);
    let failure: unknown;
    if (satisfied && owner.metadata!.deletionTimestamp === undefined) failure = await this.#manage(key, owner, active);
    // While pods are on their way that the cache does not show, the count would be wrong; their arrival wakes this again.
    const counted = this.#expectations.satisfied(key);
    if (failure === undefined && !counted) return;
    const nowMs = clock.now();
    const computed = replicaStatus(owner, active, terminating, failure, nowMs);
    const status = counted
      ? computed
      : { ...owner.status, replicas: owner.status?.replicas ?? 0, ...(computed.conditions && { conditions: computed.conditions }) };
    if (!semanticEqual(status, owner.status)) {
      this.#written.set(key, status);
      await transport.update(this.#kind.resource, owner.metadata!.namespace, owner.metadata!.name!, { ...owner, status }, { subresource: 'status' });
    }
    if (failure !== undefined) throw failure;
    const minReadySeconds = owner.spec?.minReadySeconds ?? 0;
    if (minReadySeconds > 0 && status.readyReplicas !== status.availableReplicas) {
      this.#controller.enqueueAfter(key, nextAvailableIn(active, minReadySeconds, nowMs) ?? minReadySeconds * 1000);
    }
  }

  /** @returns what went wrong */
  async #manage(key: string, owner: ReplicaOwner, active: readonly Pod[]): Promise<unknown> {
    const missing = (owner.spec?.replicas ?? 1) - active.length;
    if (missing > 0) return this.#create(key, owner, Math.min(missing, BURST));
    if (missing < 0) return this.#delete(key, owner, active, Math.min(-missing, BURST));
    return undefined;
  }

  async #create(key: string, owner: ReplicaOwner, count: number): Promise<unknown> {
    this.#expectations.expect(key, count);
    const pod = podFromTemplate(owner.spec!.template ?? {}, owner, this.#control.reference(owner));
    let gone = false;
    const { successes, error } = await slowStart(count, async () => {
      try {
        await this.#control.create(owner, pod);
      } catch (failure) {
        gone ||= isNamespaceTerminating(failure);
        throw failure;
      }
    });
    for (let n = successes; n < count; n++) this.#expectations.created(key);
    if (gone) return undefined; // the namespace takes the owner with it
    return error;
  }

  async #delete(key: string, owner: ReplicaOwner, active: readonly Pod[], count: number): Promise<unknown> {
    const chosen = podsToDelete(active, this.#neighbours(owner), count, this.#context.clock.now());
    this.#expectations.expect(key, 0, chosen.map((pod) => pod.metadata!.uid!));
    const results = await Promise.allSettled(chosen.map(async (pod) => {
      let deleted = false;
      try {
        deleted = await this.#control.delete(owner, pod);
      } finally {
        if (!deleted) this.#expectations.deleted(key, pod.metadata!.uid!);
      }
    }));
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  /** Pods of this owner and of its siblings (other ReplicaSets of its Deployment). */
  *#neighbours(owner: ReplicaOwner): Generator<Pod> {
    const parent = controllerOf(owner);
    const siblings = parent === undefined ? [owner] : this.#owners.store.byIndex(BY_CONTROLLER, parent.uid);
    for (const sibling of siblings) yield* this.#pods.of(sibling);
  }
}
