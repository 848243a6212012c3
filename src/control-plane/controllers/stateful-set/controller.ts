import { Controller } from '../../../client/controller.ts';
import { Expectations } from '../../../client/expectations.ts';
import type { Informer } from '../../../client/informer.ts';
import { labelMatcher } from '../../../client/label-selector.ts';
import { objectKey } from '../../../client/object-key.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../../client/resources.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { claim } from '../shared/claim.ts';
import { semanticEqual } from '../shared/equal.ts';
import { OwnedPods } from '../shared/owned-pods.ts';
import { BY_CONTROLLER, byController, orphanKey } from '../shared/owner.ts';
import { nextAvailableIn } from '../shared/pods.ts';
import { byRevision, createRevision, pruneRevisions, recordsTemplate, renumber } from '../shared/revisions.ts';
import { StatefulClaims } from './claims.ts';
import { StatefulControl } from './control.ts';
import { ordinalOf, revisionNameOf } from './identity.ts';

const HASH_LABEL = 'controller.kubernetes.io/hash';

interface Revisions {
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly all: readonly ControllerRevision[];
}

/** Runs StatefulSets: pods with lasting names and volumes, made and replaced in order. */
export class StatefulSetController implements RunningController {
  readonly #context: ControllerContext;
  readonly #sets: Informer<StatefulSet>;
  readonly #revisions: Informer<ControllerRevision>;
  readonly #pods: OwnedPods<StatefulSet>;
  readonly #claims: StatefulClaims;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#sets = context.informers.for<StatefulSet>(statefulSets);
    this.#revisions = context.informers.for<ControllerRevision>(controllerRevisions);
    this.#revisions.addIndex(BY_CONTROLLER, byController);
    const podInformer = context.informers.for<Pod>(pods);
    const claimInformer = context.informers.for<PersistentVolumeClaim>(persistentVolumeClaims);
    this.#claims = new StatefulClaims(context.transport, context.events, claimInformer);
    this.#controller = new Controller({
      name: 'statefulset-controller',
      clock: context.clock,
      logger: context.logger,
      workers: 8,
      informers: [this.#sets, this.#revisions, podInformer, claimInformer],
      sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#sets.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#controller.watch(this.#sets);
    // Names make a pod unique, so nothing needs to be expected: what was made already exists.
    this.#pods = new OwnedPods({
      pods: podInformer,
      owners: this.#sets,
      kind: 'StatefulSet',
      matcher: (set) => labelMatcher(set.spec!.selector),
      expectations: new Expectations(context.clock),
      enqueue: (key) => this.#controller.enqueue(key),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const set = this.#sets.store.get(key);
    if (set === undefined) return;
    const { transport, clock } = this.#context;
    const matches = labelMatcher(set.spec!.selector);
    const claimed = await claim<Pod>(
      { transport, ownerResource: statefulSets, resource: pods, owner: set, matches, adopts: (pod) => ordinalOf(set, pod) !== undefined },
      [...this.#pods.of(set), ...this.#pods.orphansFor(set)],
    );
    const mine = claimed.filter((pod) => ordinalOf(set, pod) !== undefined);
    const { current, update, all } = await this.#history(set);
    const control = new StatefulControl(this.#context, this.#claims, set, current, update, mine);
    let failure: unknown;
    try {
      await control.run();
    } catch (error) {
      failure = error; // the counts are written all the same
    }
    await this.#writeStatus(set, control.status(set.status?.collisionCount ?? 0));
    if (failure !== undefined) throw failure;
    const inUse = new Set<string | undefined>([current.metadata!.name, update.metadata!.name, ...mine.map(revisionNameOf)]);
    await pruneRevisions(transport, all, set.spec!.revisionHistoryLimit ?? 10, (revision) => inUse.has(revision.metadata!.name));
    const waitMs = (set.spec!.minReadySeconds ?? 0) > 0 ? nextAvailableIn(mine, set.spec!.minReadySeconds!, clock.now()) : undefined;
    if (waitMs !== undefined) this.#controller.enqueueAfter(key, waitMs);
  }

  async #writeStatus(set: StatefulSet, status: StatefulSetStatus): Promise<void> {
    if (semanticEqual(status, set.status)) return;
    await this.#context.transport.update<StatefulSet>(
      statefulSets,
      set.metadata!.namespace,
      set.metadata!.name!,
      { ...set, status },
      { subresource: 'status' },
    );
  }

  /** The revision that is asked for, recorded if it is new, and the one that is being replaced. */
  async #history(set: StatefulSet): Promise<Revisions> {
    const { transport } = this.#context;
    const { uid, namespace, annotations } = set.metadata!;
    const { template, selector } = set.spec!;
    const cached = [
      ...this.#revisions.store.byIndex(BY_CONTROLLER, uid!),
      ...this.#revisions.store.byIndex(BY_CONTROLLER, orphanKey(namespace)),
    ];
    const all = (
      await claim<ControllerRevision>(
        { transport, ownerResource: statefulSets, resource: controllerRevisions, owner: set, matches: labelMatcher(selector) },
        cached,
      )
    ).toSorted(byRevision);
    const newest = all.at(-1);
    const number = (newest?.revision ?? 0) + 1;
    const same = all.findLast((revision) => recordsTemplate(revision, template));
    let update: ControllerRevision;
    if (same !== undefined) update = same === newest ? same : await renumber(transport, same, number);
    else {
      const outcome = await createRevision({
        transport,
        ownerResource: statefulSets,
        owner: set,
        template,
        revision: number,
        collisionCount: set.status?.collisionCount || undefined,
        hashLabel: HASH_LABEL,
        annotations,
      });
      if (!('created' in outcome)) {
        await this.#writeStatus(set, {
          replicas: 0,
          availableReplicas: 0,
          ...set.status,
          collisionCount: (set.status?.collisionCount ?? 0) + 1,
        });
        throw new LongshoreError(
          'conflict',
          `the name of the next revision of StatefulSet ${objectKey(set)} is taken; another one is tried`,
          { object: `StatefulSet ${objectKey(set)}` },
        );
      }
      update = outcome.created;
    }
    const current = all.find((revision) => revision.metadata!.name === set.status?.currentRevision) ?? update;
    return { current, update, all };
  }
}
