import { Controller } from '../../../client/controller.ts';
import { Expectations } from '../../../client/expectations.ts';
import type { Informer } from '../../../client/informer.ts';
import { labelMatcher } from '../../../client/label-selector.ts';
import { objectKey } from '../../../client/object-key.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../../client/resources.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Node, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { claim } from '../shared/claim.ts';
import { semanticEqual } from '../shared/equal.ts';
import { OwnedPods } from '../shared/owned-pods.ts';
import { BY_CONTROLLER, byController, orphanKey } from '../shared/owner.ts';
import { isNamespaceTerminating, PodControl, podFromTemplate, slowStart } from '../shared/pod-control.ts';
import { isTerminal, nextAvailableIn } from '../shared/pods.ts';
import { byRevision, createRevision, pruneRevisions, recordsTemplate, renumber } from '../shared/revisions.ts';
import { eventTarget } from '../shared/target.ts';
import { selectsAll } from '../shared/template-hash.ts';
import { FailureBackoff } from './failure-backoff.ts';
import { daemonTemplate, placedOn, placementChanged, REVISION_HASH, targetNode } from './placement.ts';
import { planPlacement, planUpdate, type DaemonPlan, type DaemonView } from './plan.ts';
import { daemonStatus } from './status.ts';

const BURST = 250;

/** Runs a pod of each DaemonSet on every node that suits. */
export class DaemonSetController implements RunningController {
  readonly #context: ControllerContext;
  readonly #sets: Informer<DaemonSet>;
  readonly #nodes: Informer<Node>;
  readonly #revisions: Informer<ControllerRevision>;
  readonly #pods: OwnedPods<DaemonSet>;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  readonly #failures: FailureBackoff;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#sets = context.informers.for<DaemonSet>(daemonSets);
    this.#nodes = context.informers.for<Node>(nodes);
    this.#revisions = context.informers.for<ControllerRevision>(controllerRevisions);
    this.#revisions.addIndex(BY_CONTROLLER, byController);
    const podInformer = context.informers.for<Pod>(pods);
    this.#control = new PodControl(context.transport, context.events, daemonSets);
    this.#expectations = new Expectations(context.clock);
    this.#failures = new FailureBackoff(() => context.clock.monotonic());
    this.#controller = new Controller({
      name: 'daemonset-controller',
      clock: context.clock,
      logger: context.logger,
      workers: 4,
      informers: [this.#sets, this.#nodes, this.#revisions, podInformer],
      sync: (key) => this.#sync(key),
      resync: () => this.#enqueueAll(),
    });
    this.#controller.watch(this.#sets);
    this.#pods = new OwnedPods({
      pods: podInformer,
      owners: this.#sets,
      kind: 'DaemonSet',
      matcher: (set) => labelMatcher(set.spec!.selector),
      expectations: this.#expectations,
      enqueue: (key) => this.#controller.enqueue(key),
    });
    this.#nodes.on({
      add: () => this.#enqueueAll(),
      update: (old, node) => placementChanged(old, node) && this.#enqueueAll(),
      delete: () => this.#enqueueAll(),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #enqueueAll(): void {
    for (const key of this.#sets.store.keys()) this.#controller.enqueue(key);
  }

  async #sync(key: string): Promise<void> {
    const set = this.#sets.store.get(key);
    if (set === undefined) return this.#expectations.forget(key);
    if (set.metadata!.deletionTimestamp !== undefined) return;
    if (selectsAll(set.spec!.selector)) {
      this.#context.events.event(
        eventTarget(daemonSets, set),
        'Warning',
        'SelectingAll',
        'This daemon set is selecting all pods. A non-empty selector is required.',
      );
      return;
    }
    const { current, old } = await this.#history(set);
    const hash = current.metadata!.labels![REVISION_HASH]!;
    const satisfied = this.#expectations.satisfied(key);
    const view = await this.#view(key, set, hash);
    if (satisfied) {
      const placement = planPlacement(view);
      if (placement.create.length + placement.delete.length > 0) await this.#apply(key, view, placement);
      else if (set.spec!.updateStrategy?.type !== 'OnDelete') await this.#apply(key, view, planUpdate(view));
      const inUse = new Set([...view.pods.values()].flat().map((pod) => pod.metadata?.labels?.[REVISION_HASH]));
      await pruneRevisions(this.#context.transport, old, set.spec!.revisionHistoryLimit ?? 10, (revision) =>
        inUse.has(revision.metadata?.labels?.[REVISION_HASH]),
      );
    }
    const status = daemonStatus(view, satisfied, set.status?.collisionCount);
    await this.#writeStatus(set, status);
    const minReadySeconds = set.spec!.minReadySeconds ?? 0;
    if (minReadySeconds > 0 && status.numberReady !== (status.numberAvailable ?? 0)) {
      this.#controller.enqueueAfter(
        key,
        nextAvailableIn([...view.pods.values()].flat(), minReadySeconds, view.nowMs) ?? minReadySeconds * 1000,
      );
    }
  }

  async #writeStatus(set: DaemonSet, status: DaemonSetStatus): Promise<void> {
    if (semanticEqual(status, set.status)) return;
    await this.#context.transport.update<DaemonSet>(daemonSets, set.metadata!.namespace, set.metadata!.name!, { ...set, status }, { subresource: 'status' });
  }

  async #view(key: string, set: DaemonSet, hash: string): Promise<DaemonView> {
    const { transport, clock, events } = this.#context;
    const claimed = await claim<Pod>(
      { transport, ownerResource: daemonSets, resource: pods, owner: set, matches: labelMatcher(set.spec!.selector) },
      [...this.#pods.of(set), ...this.#pods.orphansFor(set)],
    );
    const byNode = new Map<string, Pod[]>();
    for (const pod of claimed) {
      const node = isTerminal(pod) && pod.metadata!.deletionTimestamp !== undefined ? undefined : targetNode(pod);
      if (node === undefined) continue;
      const present = byNode.get(node);
      if (present) present.push(pod);
      else byNode.set(node, [pod]);
    }
    return {
      set, hash, nodes: [...this.#nodes.store.values()], pods: byNode, nowMs: clock.now(),
      mayReplace: (_pod, node) => {
        const waitMs = this.#failures.failed(`${set.metadata!.uid}/${node}`);
        if (waitMs > 0) this.#controller.enqueueAfter(key, waitMs);
        return waitMs === 0;
      },
      finished: (pod, node) => {
        const failed = pod.status?.phase === 'Failed';
        events.event(
          eventTarget(daemonSets, set),
          failed ? 'Warning' : 'Normal',
          failed ? 'FailedDaemonPod' : 'SucceededDaemonPod',
          `Found ${failed ? 'failed' : 'succeeded'} daemon pod ${objectKey(pod)} on node ${node}, will try to ${failed ? 'kill' : 'delete'} it`,
        );
      },
    };
  }

  async #apply(key: string, { set, hash }: DaemonView, plan: DaemonPlan): Promise<void> {
    const create = plan.create.slice(0, BURST);
    const remove = plan.delete.slice(0, BURST);
    if (create.length + remove.length === 0) return;
    this.#expectations.expect(key, create.length, remove.map((pod) => pod.metadata!.uid!));
    const template = daemonTemplate(set, hash);
    let gone = false;
    const made = await slowStart(create.length, async (index) => {
      try {
        await this.#control.create(set, podFromTemplate(placedOn(template, create[index]!), set, this.#control.reference(set)));
      } catch (error) {
        gone ||= isNamespaceTerminating(error);
        throw error;
      }
    });
    for (let n = made.successes; n < create.length; n++) this.#expectations.created(key);
    const results = await Promise.allSettled(remove.map(async (pod) => {
      let deleted = false;
      try {
        deleted = await this.#control.delete(set, pod);
      } finally {
        if (!deleted) this.#expectations.deleted(key, pod.metadata!.uid!);
      }
    }));
    if (made.error !== undefined && !gone) throw made.error;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Records the set's template, should it be new. */
  async #history(set: DaemonSet): Promise<{ readonly current: ControllerRevision; readonly old: readonly ControllerRevision[] }> {
    const { transport } = this.#context;
    const { uid, namespace, annotations } = set.metadata!;
    const { template, selector } = set.spec!;
    const candidates = [
      ...this.#revisions.store.byIndex(BY_CONTROLLER, uid!),
      ...this.#revisions.store.byIndex(BY_CONTROLLER, orphanKey(namespace)),
    ];
    const revisions = await claim<ControllerRevision>(
      { transport, ownerResource: daemonSets, resource: controllerRevisions, owner: set, matches: labelMatcher(selector) },
      candidates,
    );
    const same = revisions.filter((revision) => recordsTemplate(revision, template)).toSorted(byRevision);
    const old = revisions.filter((revision) => !same.includes(revision));
    const number = Math.max(0, ...old.map(({ revision }) => revision)) + 1;
    const present = same.at(-1);
    if (present !== undefined) return { current: present.revision < number ? await renumber(transport, present, number) : present, old };
    const outcome = await createRevision({
      transport,
      ownerResource: daemonSets,
      owner: set,
      template,
      revision: number,
      collisionCount: set.status?.collisionCount,
      hashLabel: REVISION_HASH,
      annotations,
    });
    if ('created' in outcome) return { current: outcome.created, old };
    const collisionCount = (set.status?.collisionCount ?? 0) + 1;
    await this.#writeStatus(set, {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
      ...set.status,
      collisionCount,
    });
    throw new LongshoreError('conflict', `the name of the next revision of DaemonSet ${objectKey(set)} is taken; another one is tried`, {
      object: `DaemonSet ${objectKey(set)}`,
    });
  }
}

