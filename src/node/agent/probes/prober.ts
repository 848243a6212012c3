import type { EventRecorder } from '../../../client/events.ts';
import type { Clock } from '../../../lib/clock.ts';
import { randomInt, type Random } from '../../../lib/random.ts';
import type { Container, Pod, Probe } from '../../../types/kubernetes/generated/core-v1.ts';
import type { Cri } from '../../cri/cri.ts';
import { check } from './check.ts';

export interface ProberOptions {
  readonly cri: Pick<Cri, 'execSync'>;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly userAgent: string;
}

/** A running container whose probes are to run. */
export interface ProbedContainer {
  readonly pod: Pod;
  readonly container: Container;
  readonly containerId: string;
  readonly address: string;
  readonly startedMs: number;
  /** An earlier agent found it ready: it stays so until a probe says otherwise. */
  readonly wasReady: boolean;
  readonly wasStarted: boolean;
  /** Something changed: the pod is to be looked at. */
  readonly changed: () => void;
}

interface Watched { started: boolean; ready: boolean; restart: string | undefined; stop: () => void }

/** Runs the probes of running containers, one timer a probe, from their start to their end. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  started(containerId: string): boolean {
    return this.#watched.get(containerId)?.started ?? false;
  }

  ready(containerId: string): boolean {
    return this.#watched.get(containerId)?.ready ?? false;
  }

  /** Why liveness or startup wants the container killed. */
  mustRestart(containerId: string): string | undefined {
    return this.#watched.get(containerId)?.restart;
  }

  /** Begins with a container; again for one that is watched changes nothing. */
  watch(target: ProbedContainer): void {
    if (this.#watched.has(target.containerId)) return;
    const { livenessProbe, readinessProbe, startupProbe } = target.container;
    const stops: (() => void)[] = [];
    const watched: Watched = { started: !startupProbe || target.wasStarted, ready: false, restart: undefined, stop: () => stops.forEach((stop) => stop()) };
    this.#watched.set(target.containerId, watched);
    const begin = (): void => {
      watched.started = true;
      if (!readinessProbe) watched.ready = true;
      else {
        watched.ready = target.wasReady;
        stops.push(this.#run('Readiness', readinessProbe, target, (ok) => {
          if (watched.ready === ok) return;
          watched.ready = ok;
          target.changed();
        }));
      }
      if (livenessProbe) stops.push(this.#run('Liveness', livenessProbe, target, (ok) => {
        if (ok || watched.restart !== undefined) return;
        watched.restart = `Container ${target.container.name} failed liveness probe, will be restarted`;
        target.changed();
      }));
    };
    if (watched.started) begin();
    else {
      const stop = this.#run('Startup', startupProbe!, target, (ok) => {
        if (ok) {
          stop();
          begin();
        } else watched.restart = `Container ${target.container.name} failed startup probe, will be restarted`;
        target.changed();
      });
      stops.push(stop);
    }
  }

  unwatch(containerId: string): void {
    this.#watched.get(containerId)?.stop();
    this.#watched.delete(containerId);
  }

  close(): void {
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
  }

  /** Tells each verdict: a run of successes or failures that reached its threshold. */
  #run(kind: 'Liveness' | 'Readiness' | 'Startup', probe: Probe, target: ProbedContainer, verdict: (ok: boolean) => void): () => void {
    const { cri, events, clock, random, userAgent } = this.#options;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const initialMs = Math.max(0, target.startedMs + (probe.initialDelaySeconds ?? 0) * 1000 - clock.now());
    let run = 0;
    let last: boolean | undefined;
    let everOk = false;
    let stopped = false;
    let cancel = (): void => {};
    const once = async (): Promise<void> => {
      const result = await check(cri, probe, target, userAgent);
      if (stopped) return;
      run = result.ok === last ? run + 1 : 1;
      last = result.ok;
      everOk ||= result.ok;
      // An app that just started is asked often until it first answers, so that it serves as soon as it can; those
      // failures are no news and count for nothing.
      const eager = kind !== 'Liveness' && !everOk && clock.now() - target.startedMs < EAGER_MS;
      if (eager) {
        run = 0;
        cancel = clock.after(Math.min(periodMs, EAGER_PERIOD_MS), () => void once());
        return;
      }
      if (!result.ok) {
        events.event(
          {
            apiVersion: 'v1',
            kind: 'Pod',
            ...(target.pod.metadata && { metadata: target.pod.metadata }),
            fieldPath: `spec.containers{${target.container.name}}`,
          },
          'Warning',
          'Unhealthy',
          `${kind} probe failed: ${result.output}`,
        );
      }
      if (run >= (result.ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3))) verdict(result.ok);
      if (!stopped) cancel = clock.after(periodMs, () => void once());
    };
    // A restarted agent must not ask all containers in one instant.
    const spread = clock.now() - target.startedMs > periodMs ? randomInt(random, Math.min(periodMs, 5000)) : 0;
    cancel = clock.after(initialMs + spread, () => void once());
    return () => {
      stopped = true;
      cancel();
    };
  }
}

/** How long after its start a container that is not ready yet is asked often, and how often, in milliseconds. */
const EAGER_MS = 5000;
const EAGER_PERIOD_MS = 100;
