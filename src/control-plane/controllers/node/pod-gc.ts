import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { nodes, pods } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Node, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { conditionOf, withCondition } from '../shared/conditions.ts';
import { isTerminal } from '../shared/pods.ts';
import { BY_NODE, byNode } from './lifecycle-controller.ts';
import { hasTaint } from './taints.ts';

/** A node that is not there may have been made again under its name: its pods wait so long. */
const QUARANTINE_MS = 40_000;
const TERMINATED_THRESHOLD = 12_500;
const BY_END = 'terminated';
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
/** Stands for the check of how many finished pods there are. */
const THRESHOLD_KEY = '';

/**
 * Deletes pods that nobody else will: those of nodes that are gone, those that are deleted and were never placed, and
 * the oldest finished ones when there are too many.
 */
export class PodGarbageCollector implements RunningController {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #controller: Controller;
  readonly #threshold: number;
  /** Since when a node is missed, by our clock. */
  readonly #missing = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#threshold = context.options.terminatedPodThreshold ?? TERMINATED_THRESHOLD;
    this.#nodes = context.informers.for<Node>(nodes);
    this.#pods = context.informers.for<Pod>(pods);
    this.#pods.addIndex(BY_NODE, byNode);
    this.#pods.addIndex(BY_END, (pod) => (isTerminal(pod) ? 'yes' : undefined));
    this.#controller = new Controller({
      name: 'pod-garbage-collector',
      clock: context.clock,
      logger: context.logger,
      informers: [this.#nodes, this.#pods],
      workers: 8,
      maxDelayMs: 60_000,
      sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#pods.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#nodes.on({
      add: (node) => void this.#missing.delete(node.metadata!.name!),
      update: (old, node) => outOfService(old) !== outOfService(node) && this.#wakeNode(node.metadata!.name!),
      delete: (node) => this.#wakeNode(node.metadata!.name!),
    });
    this.#pods.on({ add: (pod) => this.#podChanged(pod), update: (_old, pod) => this.#podChanged(pod) });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #wakeNode(name: string): void {
    for (const pod of this.#pods.store.byIndex(BY_NODE, name)) this.#controller.enqueue(objectKey(pod));
  }

  #podChanged(pod: Pod): void {
    const node = pod.spec?.nodeName;
    if (isTerminal(pod) && this.#threshold > 0 && this.#pods.store.countByIndex(BY_END, 'yes') > this.#threshold) {
      this.#controller.enqueue(THRESHOLD_KEY);
    }
    if (pod.metadata!.deletionTimestamp !== undefined || (node && !this.#nodes.store.get(node))) this.#controller.enqueue(objectKey(pod));
  }

  async #sync(key: string): Promise<void> {
    if (key === THRESHOLD_KEY) return this.#deleteOldest();
    const pod = this.#pods.store.get(key);
    if (pod === undefined) return;
    const nodeName = pod.spec?.nodeName;
    const leaving = pod.metadata!.deletionTimestamp !== undefined;
    if (!nodeName) {
      if (leaving) await this.#delete(pod, undefined);
      return;
    }
    const node = this.#nodes.store.get(nodeName);
    if (node !== undefined) {
      if (leaving && outOfService(node) && conditionOf(node.status?.conditions, 'Ready')?.status !== 'True') {
        await this.#delete(pod, undefined);
      }
      return;
    }
    const nowMs = this.#context.clock.monotonic();
    const sinceMs = this.#missing.get(nodeName) ?? nowMs;
    this.#missing.set(nodeName, sinceMs);
    if (nowMs - sinceMs < QUARANTINE_MS) return this.#controller.enqueueAfter(key, sinceMs + QUARANTINE_MS - nowMs);
    if (await this.#nodeExists(nodeName)) return;
    await this.#delete(pod, 'PodGC: node no longer exists');
  }

  async #nodeExists(name: string): Promise<boolean> {
    try {
      await this.#context.transport.get(nodes, undefined, name);
      return true;
    } catch (error) {
      if (isCode(error, 'not-found')) return false;
      throw error;
    }
  }

  async #deleteOldest(): Promise<void> {
    const finished = [...this.#pods.store.byIndex(BY_END, 'yes')];
    const excess = finished.length - this.#threshold;
    if (excess <= 0) return;
    const rank = (pod: Pod): string => `${pod.status?.reason === 'Evicted' ? 0 : 1} ${pod.metadata!.creationTimestamp} ${pod.metadata!.name}`;
    finished.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    for (const pod of finished.slice(0, excess)) await this.#delete(pod, undefined);
  }

  /** Deletes at once, without grace: no kubelet will answer. @param disruption why a pod that might still run is failed first */
  async #delete(pod: Pod, disruption: string | undefined): Promise<void> {
    const { transport, clock } = this.#context;
    const { namespace, name, uid } = pod.metadata!;
    try {
      if (!isTerminal(pod)) {
        const conditions =
          disruption === undefined
            ? pod.status?.conditions
            : withCondition(pod.status?.conditions, {
                type: 'DisruptionTarget',
                status: 'True',
                reason: 'DeletionByPodGC',
                message: disruption,
                lastTransitionTime: rfc3339(clock.now()),
              });
        await transport.patch(
          pods,
          namespace,
          name!,
          'merge',
          { metadata: { uid }, status: { phase: 'Failed', ...(conditions && { conditions }) } },
          { subresource: 'status' },
        );
      }
      await transport.delete(pods, namespace, name!, { gracePeriodSeconds: 0, preconditions: { uid: uid! } });
    } catch (error) {
      if (!isCode(error, 'not-found') && !isCode(error, 'conflict')) throw error;
    }
  }
}

function outOfService(node: Node): boolean {
  return hasTaint(node, OUT_OF_SERVICE, 'NoExecute') || hasTaint(node, OUT_OF_SERVICE, 'NoSchedule');
}
