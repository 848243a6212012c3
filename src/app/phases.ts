import type { Clock } from '../lib/clock.ts';

/** Times named phases of a start or stop, and tells each as it ends. */
export interface PhaseTimer {
  time<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Milliseconds by phase, so far. */
  readonly taken: Readonly<Record<string, number>>;
}

export function createPhaseTimer(clock: Clock, onPhase: (name: string, ms: number) => void): PhaseTimer {
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
