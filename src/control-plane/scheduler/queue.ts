import type { Clock } from '../../lib/clock.ts';
import type { PodInfo } from './model.ts';

const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 10_000;
/** A pod that nothing woke is looked at again after this long, in case an event was missed. */
const FLUSH_MS = 5 * 60_000;

interface Waiting { readonly pod: PodInfo; attempts: number; readonly readyAt: number }

/**
 * Pods that wait for a node: **active** ones by priority, then age of arrival;
 * **unschedulable** ones until something happens that might help (`wake`), and then not before their back-off is over
 * (1 s, doubled with each attempt up to 10 s).
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #ready: () => void;
  /** One first-in first-out list a priority, highest first. */
  readonly #active = new Map<number, Map<string, PodInfo>>();
  #priorities: number[] = [];
  readonly #unschedulable = new Map<string, Waiting>();
  readonly #backoff = new Map<string, Waiting>();
  readonly #attempts = new Map<string, number>();
  /** Wakes that happen while a pod is being planned: it must not sleep through them. */
  #wakes = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;

  /** `ready` is called when there may be something to pop. */
  constructor(clock: Clock, ready: () => void) {
    this.#clock = clock;
    this.#ready = ready;
  }

  get wakes(): number {
    return this.#wakes;
  }

  get size(): { readonly active: number; readonly backoff: number; readonly unschedulable: number } {
    let active = 0;
    for (const pods of this.#active.values()) active += pods.size;
    return { active, backoff: this.#backoff.size, unschedulable: this.#unschedulable.size };
  }

  /** A new pod, or a newer version of a waiting one that may fare better now. */
  add(pod: PodInfo): void {
    this.#unschedulable.delete(pod.key);
    this.#backoff.delete(pod.key);
    this.#dropActive(pod.key);
    this.#push(pod);
  }

  /** A newer version that changes nothing for its place: keeps waiting where it waits. */
  refresh(pod: PodInfo): void {
    const waiting = this.#unschedulable.get(pod.key);
    if (waiting) this.#unschedulable.set(pod.key, { ...waiting, pod });
    const backing = this.#backoff.get(pod.key);
    if (backing) this.#backoff.set(pod.key, { ...backing, pod });
    for (const pods of this.#active.values()) if (pods.has(pod.key)) pods.set(pod.key, pod);
  }

  remove(key: string): void {
    this.#unschedulable.delete(key);
    this.#backoff.delete(key);
    this.#attempts.delete(key);
    this.#dropActive(key);
  }

  pop(): PodInfo | undefined {
    for (const priority of this.#priorities) {
      const pods = this.#active.get(priority)!;
      for (const [key, pod] of pods) {
        pods.delete(key);
        if (pods.size === 0) this.#dropPriority(priority);
        return pod;
      }
    }
    return undefined;
  }

  /** A popped pod found no node. `wakesBefore`: `wakes` when its planning began. */
  unschedulable(pod: PodInfo, wakesBefore: number): void {
    const attempts = (this.#attempts.get(pod.key) ?? 0) + 1;
    this.#attempts.set(pod.key, attempts);
    const readyAt = this.#clock.monotonic() + Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempts - 1));
    const waiting = { pod, attempts, readyAt };
    if (wakesBefore === this.#wakes) {
      this.#unschedulable.set(pod.key, waiting);
      this.#arm(this.#clock.monotonic() + FLUSH_MS);
    } else {
      this.#backoff.set(pod.key, waiting);
      this.#arm(readyAt);
    }
  }

  /** Done with a pod: it is bound. */
  forget(key: string): void {
    this.#attempts.delete(key);
  }

  /** Something happened that may make pods fit: a node came or changed, a pod went. */
  wake(mayHelp: (pod: PodInfo) => boolean = () => true): void {
    this.#wakes++;
    const now = this.#clock.monotonic();
    for (const [key, waiting] of this.#unschedulable) {
      if (!mayHelp(waiting.pod)) continue;
      this.#unschedulable.delete(key);
      if (waiting.readyAt <= now) this.#push(waiting.pod);
      else {
        this.#backoff.set(key, waiting);
        this.#arm(waiting.readyAt);
      }
    }
  }

  close(): void {
    this.#cancelTimer?.();
  }

  #push(pod: PodInfo): void {
    let pods = this.#active.get(pod.priority);
    if (!pods) {
      this.#active.set(pod.priority, (pods = new Map()));
      this.#priorities = [...this.#active.keys()].sort((a, b) => b - a);
    }
    pods.set(pod.key, pod);
    this.#ready();
  }

  #dropActive(key: string): void {
    for (const [priority, pods] of this.#active) {
      if (pods.delete(key) && pods.size === 0) this.#dropPriority(priority);
    }
  }

  #dropPriority(priority: number): void {
    this.#active.delete(priority);
    this.#priorities = this.#priorities.filter((other) => other !== priority);
  }

  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#flush());
  }

  #flush(): void {
    this.#timerAt = Infinity;
    const now = this.#clock.monotonic();
    let next = Infinity;
    for (const [key, waiting] of this.#backoff) {
      if (waiting.readyAt <= now) {
        this.#backoff.delete(key);
        this.#push(waiting.pod);
      } else next = Math.min(next, waiting.readyAt);
    }
    for (const [key, waiting] of this.#unschedulable) {
      const at = waiting.readyAt + FLUSH_MS;
      if (at <= now) {
        this.#unschedulable.delete(key);
        this.#push(waiting.pod);
      } else next = Math.min(next, at);
    }
    if (next < Infinity) this.#arm(next);
  }
}
