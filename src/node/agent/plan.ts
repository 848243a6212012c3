import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus } from '../cri/cri.ts';
import type { PodView } from './view.ts';

/** What probes and hooks say of a running container; by container id, so that a new run starts afresh. */
export interface HealthView {
  /** The startup probe has passed, or there is none. */
  started(containerId: string): boolean;
  /** Why a probe or a failed hook wants the container killed. */
  mustRestart(containerId: string): string | undefined;
}

/** When a container that ended may start again, in milliseconds since the epoch; undefined: at once. */
export interface BackoffView {
  readyAt(container: string, latest: CriContainerStatus): number | undefined;
}

/** Ephemeral containers are started once, and never again. They have nearly all fields of others. */
export function ephemeralContainers(pod: Pod): readonly Container[] {
  return pod.spec?.ephemeralContainers ?? [];
}

/** Every container of a pod, by whatever list it is in. */
export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? []), ...ephemeralContainers(pod)];
}

/** What is to be done for a pod now. */
export interface PodPlan {
  /** A new sandbox is needed first; with this attempt number. */
  readonly sandbox: number | undefined;
  /** Containers to start, in order. */
  readonly start: readonly ContainerStart[];
  readonly kill: readonly { readonly container: string; readonly id: string; readonly why: string }[];
  /** Containers that wait for their back-off. */
  readonly backingOff: ReadonlyMap<string, number>;
  /** All that was to run has ended for good. */
  readonly finished: 'Succeeded' | 'Failed' | undefined;
  readonly initialized: boolean;
}

export interface ContainerStart {
  readonly container: Container;
  readonly attempt: number;
  readonly init: boolean;
}

const NOTHING = { sandbox: undefined, start: [], kill: [], backingOff: new Map<string, number>(), finished: undefined, initialized: false } as const;

/** True for init containers that go on running beside the others (KEP-753). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/**
 * Decides the next steps of a pod: a pure function of what is wanted and what
 * is there. Called again after each step and each event, so it never plans further than it can see.
 */
export function planPod(pod: Pod, view: PodView, health: HealthView, backoff: BackoffView, nowMs: number): PodPlan {
  const policy = pod.spec?.restartPolicy ?? 'Always';
  const containers = pod.spec?.containers ?? [];
  const inits = pod.spec?.initContainers ?? [];
  const done = outcome(pod, view, policy);
  if (done) return { ...NOTHING, finished: done, initialized: true };
  const { sandbox } = view;
  if (!sandbox || sandbox.state !== 'SANDBOX_READY') return { ...NOTHING, sandbox: (sandbox?.metadata.attempt ?? -1) + 1 };

  const start: ContainerStart[] = [];
  const kill: { container: string; id: string; why: string }[] = [];
  const backingOff = new Map<string, number>();
  const current = (name: string): CriContainerStatus | undefined => {
    const latest = view.containers.get(name)?.latest;
    return latest;
  };
  /** Starts the container unless it runs, has to wait, or may not run again. */
  const ensure = (container: Container, init: boolean, mayRestart: (exitCode: number) => boolean): void => {
    const latest = current(container.name);
    if (!latest) {
      start.push({ container, attempt: 0, init });
      return;
    }
    if (latest.state === 'CONTAINER_RUNNING') {
      const why = health.mustRestart(latest.id);
      if (why !== undefined) kill.push({ container: container.name, id: latest.id, why });
      return;
    }
    if (latest.state === 'CONTAINER_CREATED') {
      // A crash of ours came between: it never ran, so this is its first start and no restart.
      start.push({ container, attempt: latest.metadata.attempt, init });
      return;
    }
    if (latest.state === 'CONTAINER_EXITED' && !mayRestart(latest.exitCode)) return;
    const readyAt = backoff.readyAt(container.name, latest);
    if (readyAt !== undefined && readyAt > nowMs) backingOff.set(container.name, readyAt);
    else start.push({ container, attempt: latest.metadata.attempt + 1, init });
  };

  for (const container of ephemeralContainers(pod)) if ((current(container.name)?.state ?? 'CONTAINER_CREATED') === 'CONTAINER_CREATED') start.push({ container, attempt: 0, init: false });

  let initialized = true;
  const appsBegan = containers.some(({ name }) => view.containers.has(name));
  for (const container of inits) {
    const latest = current(container.name);
    if (isSidecar(container)) {
      ensure(container, true, () => true);
      const running = latest?.state === 'CONTAINER_RUNNING';
      if (!appsBegan && !(running && health.started(latest.id))) {
        initialized = false;
        break;
      }
      continue;
    }
    // What the app containers' start has shown to be done is not done again, even if its record is gone.
    if (appsBegan || (latest?.state === 'CONTAINER_EXITED' && latest.exitCode === 0)) continue;
    ensure(container, true, () => policy !== 'Never');
    initialized = false;
    break;
  }
  if (initialized) {
    for (const container of containers) {
      ensure(container, false, (exitCode) => policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0));
    }
  }
  return { sandbox: undefined, start, kill, backingOff, finished: undefined, initialized };
}

/** How the pod ended; undefined while something runs or will run. */
function outcome(pod: Pod, view: PodView, policy: string): PodPlan['finished'] {
  const known = pod.status?.phase;
  if (known === 'Succeeded' || known === 'Failed') return known;
  const ended = (name: string): CriContainerStatus | undefined => {
    const latest = view.containers.get(name)?.latest;
    return latest?.state === 'CONTAINER_EXITED' ? latest : undefined;
  };
  if (policy === 'Never' && (pod.spec?.initContainers ?? []).some((container) => !isSidecar(container) && (ended(container.name)?.exitCode ?? 0) !== 0)) return 'Failed';
  if (policy === 'Always') return undefined;
  const exits = (pod.spec?.containers ?? []).map(({ name }) => ended(name));
  if (exits.length === 0 || exits.some((exit) => exit === undefined)) return undefined;
  if (exits.every((exit) => exit!.exitCode === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : undefined;
}
