import type { Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus } from '../cri/cri.ts';

/** Restarts: at once the first time, then after 10 s, 20 s, … up to 5 minutes; forgotten after 10 minutes of running. */
export const FIRST_RESTART_MS = 10_000;
const LONGEST_RESTART_MS = 300_000;
const FORGET_RESTART_MS = 600_000;

/** When a pod's containers may start again. */
export class RestartBackoff {
  readonly #delays = new Map<string, number>();

  /** A container is started again. */
  raise(name: string): void {
    const before = this.#delays.get(name);
    this.#delays.set(name, before === undefined ? FIRST_RESTART_MS : Math.min(LONGEST_RESTART_MS, before * 2));
  }

  /** The wait before the next start, in milliseconds; 0 before the first restart. */
  delayMs(name: string): number {
    return this.#delays.get(name) ?? 0;
  }

  /** When a container that ended may start again, in milliseconds since the epoch; undefined: at once. */
  readyAt(name: string, latest: CriContainerStatus): number | undefined {
    const delay = this.#delays.get(name);
    if (delay === undefined) return undefined;
    const finishedMs = Number(latest.finishedAt / 1_000_000n);
    if (finishedMs - Number(latest.startedAt / 1_000_000n) > FORGET_RESTART_MS) {
      this.#delays.delete(name);
      return undefined;
    }
    return finishedMs + delay;
  }

  /** As in the waiting state. */
  message(name: string, { metadata }: Pod): string {
    const seconds = Math.round((this.delayMs(name) || FIRST_RESTART_MS) / 1000);
    const text = seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
    return `back-off ${text} restarting failed container=${name} pod=${metadata?.name}_${metadata?.namespace}(${metadata?.uid})`;
  }
}
