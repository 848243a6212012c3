import type { Clock } from '../lib/clock.ts';

/** Told of each phase as it ends, with its length in milliseconds. */
export type OnPhase = (name: string, ms: number) => void;

/** Times named phases of a start or stop, and tells each as it ends. */
export interface PhaseTimer {
  time<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Milliseconds by phase, so far. */
  readonly taken: Readonly<Record<string, number>>;
}

export function createPhaseTimer(clock: Clock, onPhase: OnPhase): PhaseTimer {
  const taken: Record<string, number> = {};
  return {
    taken,
    async time(name, work) {
      const start = clock.monotonic();
      const result = await work();
      taken[name] = clock.monotonic() - start;
      onPhase(name, taken[name]);
      return result;
    },
  };
}
