import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { leases, nodes, pods } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Lease } from '../../../types/kubernetes/generated/coordination-v1.ts';
import type { Node, NodeCondition, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { conditionOf } from '../shared/conditions.ts';
import { semanticEqual } from '../shared/equal.ts';
import { isReady } from '../shared/pods.ts';
import { eventTarget } from '../shared/target.ts';
import { Heartbeats } from './heartbeats.ts';
import { desiredTaints, evictionTaint, hasTaint } from './taints.ts';
import { Zones } from './zones.ts';

const LEASE_NAMESPACE = 'kube-node-lease';
const GRACE_MS = 40_000;
/** A node that never said whether it is ready gets more time. */
const STARTUP_GRACE_MS = 60_000;
/** What a kubelet reports, and hence what nobody knows when it is silent. */
const REPORTED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
export const BY_NODE = 'node';

export function byNode(pod: Pod): string | undefined {
  return pod.spec?.nodeName || undefined;
}

/**
 * Watches over nodes: one that is silent too long becomes Unknown, its pods
 * not ready, and taints follow its conditions. What the taints lead to is
 * the business of scheduler and taint eviction.
 */
export class NodeLifecycleController implements RunningController {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #leases: Informer<Lease>;
  readonly #controller: Controller;
  readonly #heartbeats: Heartbeats;
  readonly #zones = new Zones();
  readonly #graceMs: number;
  /** Nodes that were ready when they were looked at last. */
  readonly #wereReady = new Set<string>();
  readonly #known = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#graceMs = context.options.nodeMonitorGraceMs ?? GRACE_MS;
    this.#heartbeats = new Heartbeats(() => context.clock.monotonic());
    this.#nodes = context.informers.for<Node>(nodes);
    this.#pods = context.informers.for<Pod>(pods);
    this.#leases = context.informers.for<Lease>(leases);
    this.#pods.addIndex(BY_NODE, byNode);
    this.#controller = new Controller({
      name: 'node-lifecycle-controller', clock: context.clock, logger: context.logger, informers: [this.#nodes, this.#pods, this.#leases],
      workers: 8, maxDelayMs: 10_000, sync: (name) => this.#sync(name), resync: () => this.#enqueueAll(),
    });
    this.#nodes.on({
      add: (node) => {
        this.#heartbeats.sawNode(node);
        this.#controller.enqueue(node.metadata!.name!);
      },
      update: (old, node) => {
        this.#heartbeats.sawNode(node);
        if (matters(old, node)) this.#controller.enqueue(node.metadata!.name!);
      },
      delete: (node) => this.#nodeGone(node),
    });
    const sawLease = (lease: Lease): void => {
      if (lease.metadata!.namespace === LEASE_NAMESPACE) this.#heartbeats.sawLease(lease.metadata!.name!, lease.spec?.renewTime);
    };
    this.#leases.on({ add: sawLease, update: (_old, lease) => sawLease(lease) });
    // A pod that appears ready on a node that is not heard of: a late echo.
    this.#pods.on({
      update: (old, pod) =>
        !isReady(old) && isReady(pod) && !this.#wereReady.has(pod.spec?.nodeName ?? '') && pod.spec?.nodeName
          ? this.#controller.enqueue(pod.spec.nodeName)
          : undefined,
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #enqueueAll(): void {
    for (const name of this.#nodes.store.keys()) this.#controller.enqueue(name);
  }

  #nodeGone(node: Node): void {
    const name = node.metadata!.name!;
    this.#heartbeats.forget(name);
    this.#wereReady.delete(name);
    this.#event(node, 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
    this.#known.delete(name);
    if (this.#zones.forget(name)) this.#enqueueAll();
  }

  #event(node: Node, reason: string, message: string): void {
    this.#context.events.event(eventTarget(nodes, node), 'Normal', reason, message);
  }

  async #sync(name: string): Promise<void> {
    let node = this.#nodes.store.get(name);
    if (node === undefined) return;
    if (!this.#known.has(name)) {
      this.#known.add(name);
      this.#event(node, 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
    }
    node = await this.#judge(node);
    const status = conditionOf(node.status?.conditions, 'Ready')?.status;
    const wasReady = this.#wereReady.has(name);
    if (status === 'True') this.#wereReady.add(name);
    else this.#wereReady.delete(name);
    if (this.#zones.note(node, status === 'True')) {
      // We were cut off and are back, or the reverse: what was decided about the others no longer holds.
      if (!this.#zones.allAway) this.#heartbeats.forgive();
      this.#enqueueAll();
    }
    if (wasReady && status !== 'True' && status !== undefined) {
      this.#event(node, 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    }
    await this.#taint(node);
    // A silent kubelet can't speak for its pods; one that only says it is not ready can, and is told once.
    if (status === 'Unknown' || (wasReady && status === 'False')) await this.#markPodsNotReady(node);
  }

  /** Sets the conditions of a node that is silent to Unknown, and sees to it that a node that speaks is looked at again when it may have become so. */
  async #judge(node: Node): Promise<Node> {
    const name = node.metadata!.name!;
    const { conditions = [] } = node.status ?? {};
    const graceMs = conditionOf(conditions, 'Ready') === undefined ? STARTUP_GRACE_MS : this.#graceMs;
    const leftMs = graceMs - this.#heartbeats.silentMs(name);
    if (leftMs > 0) {
      this.#controller.enqueueAfter(name, leftMs + 1);
      return node;
    }
    const now = rfc3339(this.#context.clock.now());
    let changed = false;
    const unknown = (type: string): NodeCondition => {
      const known = conditionOf(conditions, type);
      if (known?.status === 'Unknown') return known;
      changed = true;
      if (known !== undefined) {
        return {
          ...known,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime: now,
        };
      }
      return {
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        ...(node.metadata!.creationTimestamp && { lastHeartbeatTime: node.metadata!.creationTimestamp }),
        lastTransitionTime: now,
      };
    };
    const judged = [
      ...conditions.map((condition) => (REPORTED.includes(condition.type) ? unknown(condition.type) : condition)),
      ...REPORTED.filter((type) => conditionOf(conditions, type) === undefined).map(unknown),
    ];
    if (!changed) return node;
    this.#context.logger.info('a node is silent', { node: name, graceMs });
    return this.#context.transport.update<Node>(nodes, undefined, name, { ...node, status: { ...node.status, conditions: judged } }, { subresource: 'status' });
  }

  async #taint(node: Node): Promise<void> {
    const { transport, clock } = this.#context;
    const name = node.metadata!.name!;
    let evict = evictionTaint(node);
    const tainted = hasTaint(node, 'node.kubernetes.io/not-ready', 'NoExecute') || hasTaint(node, 'node.kubernetes.io/unreachable', 'NoExecute');
    if (this.#zones.allAway) evict = undefined;
    else if (evict !== undefined && !tainted) {
      // Swapping one for the other is no new eviction; a first one waits for its turn.
      const waitMs = this.#zones.turn(name, clock.monotonic());
      if (waitMs !== 0) evict = undefined;
      if (waitMs !== 0) this.#controller.enqueueAfter(name, waitMs ?? this.#graceMs);
    }
    const taints = desiredTaints(node, evict, rfc3339(clock.now()));
    if (semanticEqual(taints, node.spec?.taints)) return;
    await transport.update<Node>(nodes, undefined, name, { ...node, spec: { ...node.spec, taints } });
  }

  async #markPodsNotReady(node: Node): Promise<void> {
    const { transport, events, clock } = this.#context;
    const now = rfc3339(clock.now());
    const ready = [...this.#pods.store.byIndex(BY_NODE, node.metadata!.name!)].filter(isReady);
    const results = await Promise.allSettled(
      ready.map(async (pod) => {
        const conditions = pod.status!.conditions!.map((condition) =>
          condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: now } : condition,
        );
        try {
          await transport.update<Pod>(
            pods,
            pod.metadata!.namespace,
            pod.metadata!.name!,
            { ...pod, status: { ...pod.status, conditions } },
            { subresource: 'status' },
          );
        } catch (error) {
          if (isCode(error, 'not-found')) return;
          throw error;
        }
        events.event(eventTarget(pods, pod), 'Warning', 'NodeNotReady', 'Node is not ready');
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      this.#wereReady.add(node.metadata!.name!); // so that the next try marks them, too
      throw failed.reason;
    }
  }
}

/** A mere heartbeat needs no look. */
function matters(old: Node, node: Node): boolean {
  const brief = ({ status }: Node): unknown => status?.conditions?.map(({ type, status: value }) => [type, value]);
  return !semanticEqual(brief(old), brief(node)) || !semanticEqual(old.spec, node.spec) || !semanticEqual(old.metadata?.labels, node.metadata?.labels);
}
