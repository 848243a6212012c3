import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Node, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import { isReason } from '../../types/kubernetes/status.ts';
import { ClassPlanner } from './class-plan.ts';
import { explain, explainPreemption } from './explain.ts';
import type { SchedulingContext } from './filter.ts';
import { podInfo, type PodInfo } from './model.ts';
import { preempt } from './preempt.ts';
import { SchedulingQueue } from './queue.ts';
import { Snapshot } from './snapshot.ts';

/** How many bindings may be under way at once. */
const MAX_BINDINGS = 64;
/** How long plans may be made before other work gets its turn, in milliseconds. */
const SLICE_MS = 8;
const TERMINAL = new Set(['Succeeded', 'Failed']);

/** The scheduler's way out: what it writes through the API. */
export interface SchedulerActions {
  bind(pod: Pod, node: string): Promise<void>;
  /** Sets the condition PodScheduled=False, reason Unschedulable, and (where given) status.nominatedNodeName. */
  markUnschedulable(pod: Pod, message: string, nominatedNode: string | undefined): Promise<void>;
  evict(victim: Pod, by: Pod): Promise<void>;
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, action: string): void;
}

export interface SchedulerOptions {
  readonly name?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly actions: SchedulerActions;
  readonly context: Omit<SchedulingContext, 'snapshot'>;
}

/**
 * The scheduling loop: takes pods that wait, plans (pure), assumes the place at
 * once, and binds in the background, many at a time. Fed by watch events.
 */
export class Scheduler {
  readonly snapshot = new Snapshot();
  readonly #name: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #actions: SchedulerActions;
  readonly #context: SchedulingContext;
  readonly #planner: ClassPlanner;
  readonly #queue: SchedulingQueue;
  /** Pods whose binding is under way or not yet seen in the watch: key to node. */
  readonly #assumed = new Map<string, string>();
  /** The newest version of every pod that waits, with what was last said of it. */
  readonly #waiting = new Map<string, { pod: PodInfo; message: string | undefined }>();
  #bindings = 0;
  #scheduled = false;
  #closed = false;

  constructor(options: SchedulerOptions) {
    this.#name = options.name ?? 'default-scheduler';
    this.#clock = options.clock;
    this.#log = options.logger;
    this.#actions = options.actions;
    this.#context = { ...options.context, snapshot: this.snapshot };
    this.#planner = new ClassPlanner(this.#context);
    this.#queue = new SchedulingQueue(options.clock, () => this.#soon());
  }

  /** A pod was added or changed. */
  podChanged(pod: Pod): void {
    const key = `${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`;
    if (TERMINAL.has(pod.status?.phase ?? '')) {
      this.#gone(key);
      return;
    }
    const node = pod.spec?.nodeName;
    if (node) {
      this.#waiting.delete(key);
      this.#queue.remove(key);
      this.#assumed.delete(key);
      this.snapshot.place(podInfo(pod), node);
      return;
    }
    if ((pod.spec?.schedulerName ?? 'default-scheduler') !== this.#name || pod.metadata?.deletionTimestamp || this.#assumed.has(key)) {
      if (pod.metadata?.deletionTimestamp) this.#queue.remove(key);
      return;
    }
    const before = this.#waiting.get(key);
    const info = podInfo(pod);
    this.#waiting.set(key, { pod: info, message: before?.message });
    if ((pod.spec?.schedulingGates ?? []).length > 0) return;
    // A status update (our own condition, most of the time) must not bring the pod back into the queue.
    const same = before !== undefined && before.pod.uid === info.uid && sameDemand(before.pod, info);
    if (same) this.#queue.refresh(info);
    else this.#queue.add(info);
  }

  podDeleted(pod: Pod): void {
    this.#gone(`${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`);
  }

  nodeChanged(node: Node): void {
    const before = this.snapshot.node(node.metadata?.name ?? '');
    const relevant = !before || nodeDemand(before.node) !== nodeDemand(node);
    this.snapshot.setNode(node);
    if (relevant) this.#queue.wake();
  }

  nodeDeleted(node: Node): void {
    this.snapshot.removeNode(node.metadata?.name ?? '');
  }

  /** Something else changed that filters look at: claims, volumes, namespaces. */
  wake(): void {
    this.#queue.wake();
  }

  /** The reasons of each node for a waiting pod, newest state: what `longshore why` shows. */
  get queueSizes(): { readonly active: number; readonly backoff: number; readonly unschedulable: number } {
    return this.#queue.size;
  }

  close(): void {
    this.#closed = true;
    this.#queue.close();
  }

  #gone(key: string): void {
    this.#waiting.delete(key);
    this.#queue.remove(key);
    this.#assumed.delete(key);
    if (!this.snapshot.placed(key)) return;
    this.snapshot.unplace(key);
    this.#queue.wake();
  }

  #soon(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const until = this.#clock.monotonic() + SLICE_MS;
    while (!this.#closed && this.#bindings < MAX_BINDINGS) {
      const pod = this.#queue.pop();
      if (!pod) return;
      this.#schedule(pod);
      if (this.#clock.monotonic() > until) {
        this.#soon();
        return;
      }
    }
  }

  #schedule(pod: PodInfo): void {
    const wakes = this.#queue.wakes;
    const result = this.#planner.plan(pod);
    if (result.node === undefined) {
      this.#unschedulable(pod, result.refusals, wakes);
      return;
    }
    const { node } = result;
    this.snapshot.place(pod, node);
    this.#assumed.set(pod.key, node);
    this.#bindings++;
    this.#actions.bind(pod.pod, node).then(
      () => {
        this.#waiting.delete(pod.key);
        this.#queue.forget(pod.key);
        this.#actions.event(pod.pod, 'Normal', 'Scheduled', `Successfully assigned ${pod.key} to ${node}`, 'Binding');
      },
      (error: unknown) => this.#bindFailed(pod, node, error),
    ).finally(() => {
      this.#bindings--;
      this.#soon();
    });
  }

  #bindFailed(pod: PodInfo, node: string, error: unknown): void {
    // The watch may have told us meanwhile that somebody else bound it.
    if (this.#assumed.delete(pod.key)) this.snapshot.unplace(pod.key);
    if (isReason(error, 'NotFound') || isReason(error, 'Conflict')) {
      this.#log.debug('pod went away while it was bound', { pod: pod.key, error: messageOf(error) });
      this.#waiting.delete(pod.key);
      return;
    }
    this.#log.warn('binding failed, trying again', { pod: pod.key, node, error: messageOf(error) });
    this.#actions.event(pod.pod, 'Warning', 'FailedScheduling', `binding rejected: ${messageOf(error)}`, 'Scheduling');
    // Back-off, since nothing that could wake it needs to happen.
    this.#queue.unschedulable(pod, -1);
  }

  #unschedulable(pod: PodInfo, refusals: Parameters<typeof explain>[0], wakes: number): void {
    const preemption = preempt(pod, this.#context, refusals);
    const message = explain(refusals, preemption || refusals.size === 0 ? undefined : explainPreemption(refusals));
    const waiting = this.#waiting.get(pod.key);
    if (!waiting) return; // deleted meanwhile
    this.#queue.unschedulable(pod, wakes);
    if (preemption) {
      for (const victim of preemption.victims) {
        this.#actions.event(victim.pod, 'Normal', 'Preempted', `Preempted by pod ${pod.uid} on node ${preemption.node}`, 'Preempting');
        this.#actions
          .evict(victim.pod, pod.pod)
          .catch((error: unknown) => this.#log.warn('eviction for preemption failed', { pod: victim.key, error: messageOf(error) }));
      }
    }
    if (waiting.message === message && !preemption) return;
    waiting.message = message;
    this.#actions.event(pod.pod, 'Warning', 'FailedScheduling', message, 'Scheduling');
    this.#actions.markUnschedulable(pod.pod, message, preemption?.node).catch((error: unknown) => {
      if (!isReason(error, 'NotFound')) this.#log.warn('could not write why the pod is pending', { pod: pod.key, error: messageOf(error) });
    });
  }
}

function sameDemand(a: PodInfo, b: PodInfo): boolean {
  return JSON.stringify([a.labels, a.pod.spec]) === JSON.stringify([b.labels, b.pod.spec]);
}

/** What of a node matters to waiting pods; heartbeats do not. */
function nodeDemand(node: Node): string {
  return JSON.stringify([node.metadata?.labels, node.spec?.taints, node.spec?.unschedulable, node.status?.allocatable]);
}
