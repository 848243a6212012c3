import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { nodes, pods } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Node, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { withCondition } from '../shared/conditions.ts';
import { semanticEqual } from '../shared/equal.ts';
import { eventTarget } from '../shared/target.ts';
import { BY_NODE, byNode } from './lifecycle-controller.ts';
import { toleratedForMs } from './taints.ts';

/** Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer. */
export class TaintEvictionController implements RunningController {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #controller: Controller;
  /** Pods whose time runs. */
  readonly #doomed = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#nodes = context.informers.for<Node>(nodes);
    this.#pods = context.informers.for<Pod>(pods);
    this.#pods.addIndex(BY_NODE, byNode);
    this.#controller = new Controller({
      name: 'taint-eviction-controller',
      clock: context.clock,
      logger: context.logger,
      informers: [this.#nodes, this.#pods],
      workers: 8,
      sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#pods.store.keys()) this.#controller.enqueue(key);
      },
    });
    const wakeAll = (node: Node): void => {
      for (const pod of this.#pods.store.byIndex(BY_NODE, node.metadata!.name!)) this.#controller.enqueue(objectKey(pod));
    };
    this.#nodes.on({
      add: (node) => noExecute(node).length > 0 && wakeAll(node),
      update: (old, node) => !semanticEqual(noExecute(old), noExecute(node)) && wakeAll(node),
    });
    this.#pods.on({
      add: (pod) => this.#podChanged(pod),
      update: (old, pod) =>
        (old.spec?.nodeName !== pod.spec?.nodeName || !semanticEqual(old.spec?.tolerations, pod.spec?.tolerations)) &&
        this.#podChanged(pod),
      delete: (pod) => void this.#doomed.delete(objectKey(pod)),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #podChanged(pod: Pod): void {
    const node = pod.spec?.nodeName ? this.#nodes.store.get(pod.spec.nodeName) : undefined;
    if (node !== undefined && noExecute(node).length > 0) this.#controller.enqueue(objectKey(pod));
  }

  async #sync(key: string): Promise<void> {
    const pod = this.#pods.store.get(key);
    const node = pod?.spec?.nodeName ? this.#nodes.store.get(pod.spec.nodeName) : undefined;
    if (pod === undefined || node === undefined || pod.metadata!.deletionTimestamp !== undefined) return void this.#doomed.delete(key);
    const taints = noExecute(node);
    const mayStayMs = toleratedForMs(taints, pod.spec!.tolerations);
    if (mayStayMs === Number.POSITIVE_INFINITY) {
      if (this.#doomed.delete(key)) {
        this.#context.events.event(eventTarget(pods, pod), 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${key}`);
      }
      return;
    }
    // It counts from when both were there: the taint and the pod.
    const nowMs = this.#context.clock.now();
    const since = Math.max(
      ...taints.map(({ timeAdded }) => (timeAdded ? Date.parse(timeAdded) : nowMs)),
      Date.parse(pod.status?.startTime ?? pod.metadata!.creationTimestamp ?? '') || 0,
    );
    const leftMs = Math.min(since, nowMs) + mayStayMs - nowMs;
    if (mayStayMs > 0 && leftMs > 0) {
      this.#doomed.add(key);
      this.#controller.enqueueAfter(key, leftMs);
      return;
    }
    await this.#evict(key, pod, nowMs);
    this.#doomed.delete(key);
  }

  async #evict(key: string, pod: Pod, nowMs: number): Promise<void> {
    const { transport, events } = this.#context;
    const { namespace, name, uid } = pod.metadata!;
    events.event(eventTarget(pods, pod), 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    const conditions = withCondition(pod.status?.conditions, {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: rfc3339(nowMs),
    });
    try {
      await transport.update<Pod>(pods, namespace, name!, { ...pod, status: { ...pod.status, conditions } }, { subresource: 'status' });
      await transport.delete(pods, namespace, name!, { preconditions: { uid: uid! } });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
}

function noExecute(node: Node): NonNullable<NonNullable<Node['spec']>['taints']> {
  return node.spec?.taints?.filter(({ effect }) => effect === 'NoExecute') ?? [];
}
