import type { Cri } from '../cri/cri.ts';

/**
 * CRI for steps that end when the agent stops: from then on no call begins, and nobody waits for a container to end within
 * its grace any more. Calls that make or remove something are waited for, since whoever comes next relies on what they leave.
 */
export function untilStopped(cri: Cri, stopping: AbortSignal): Cri {
  return new Proxy(cri, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function' || name === 'onContainerEvent') return member;
      return (...args: unknown[]): Promise<unknown> => {
        if (stopping.aborted) return Promise.reject(stopping.reason as Error);
        const work = Reflect.apply(member, target, args) as Promise<unknown>;
        return name === 'stopContainer' ? orAbort(work, stopping) : work;
      };
    },
  });
}

/** What `work` comes to, or the signal's reason if that aborts first; the work goes on then, and nobody hears of its failure. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
