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
  /** The newest run in this sandbox. */
  const current = (name: string): CriContainerStatus | undefined => {
    const run = view.containers.get(name);
    return run?.older ? undefined : run?.latest;
  };
  /** Starts the container unless it runs, has to wait, or may not run again. `again`: what ended well is started too. */
  const ensure = (container: Container, init: boolean, again = false): void => {
    const latest = current(container.name);
    if (!latest) {
      // A new sandbox takes up what the one before had, but not what was done for good there.
      const before = view.containers.get(container.name)?.latest;
      if (before && !init && !mayRestart(container, policy, before.exitCode)) return;
      start.push({ container, attempt: before ? before.metadata.attempt + 1 : 0, init });
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
    if (latest.state === 'CONTAINER_EXITED' && !again && !mayRestart(container, policy, latest.exitCode)) return;
    const readyAt = backoff.readyAt(container.name, latest);
    if (readyAt !== undefined && readyAt > nowMs) backingOff.set(container.name, readyAt);
    else start.push({ container, attempt: latest.metadata.attempt + 1, init });
  };

  for (const container of ephemeralContainers(pod)) {
    if ((view.containers.get(container.name)?.latest.state ?? 'CONTAINER_CREATED') === 'CONTAINER_CREATED') {
      start.push({ container, attempt: 0, init: false });
    }
  }

  let initialized = true;
  const appsBegan = containers.some(({ name }) => current(name) !== undefined);
  for (const container of inits) {
    const latest = current(container.name);
    if (isSidecar(container)) {
      ensure(container, true, true);
      const running = latest?.state === 'CONTAINER_RUNNING';
      if (!appsBegan && !(running && health.started(latest.id))) {
        initialized = false;
        break;
      }
      continue;
    }
    // What the app containers' start has shown to be done is not done again, even if its record is gone.
    if (appsBegan || (latest?.state === 'CONTAINER_EXITED' && latest.exitCode === 0)) continue;
    ensure(container, true);
    initialized = false;
    break;
  }
  if (initialized) {
    for (const container of containers) ensure(container, false);
  }
  return { sandbox: undefined, start, kill, backingOff, finished: undefined, initialized };
}

/**
 * Whether a container that ended with this code runs again: its own rules come first (KEP-5307), then its own policy, then
 * the pod's. An init container that failed is tried again unless that is Never.
 */
function mayRestart(container: Container, podPolicy: string, exitCode: number): boolean {
  const rule = container.restartPolicyRules?.find(
    ({ exitCodes }) => exitCodes !== undefined && (exitCodes.values ?? []).includes(exitCode) === (exitCodes.operator === 'In'),
  );
  if (rule?.action === 'Restart') return true;
  const policy = container.restartPolicy ?? podPolicy;
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** How the pod ended; undefined while something runs or will run. */
function outcome(pod: Pod, view: PodView, policy: string): PodPlan['finished'] {
  const known = pod.status?.phase;
  if (known === 'Succeeded' || known === 'Failed') return known;
  const exitCode = ({ name }: Container): number | undefined => {
    const latest = view.containers.get(name)?.latest;
    return latest?.state === 'CONTAINER_EXITED' ? latest.exitCode : undefined;
  };
  const isDone = (container: Container): boolean => {
    const code = exitCode(container);
    return code !== undefined && !mayRestart(container, policy, code);
  };
  if ((pod.spec?.initContainers ?? []).some((container) => !isSidecar(container) && exitCode(container) !== 0 && isDone(container))) {
    return 'Failed';
  }
  const containers = pod.spec?.containers ?? [];
  if (containers.length === 0 || !containers.every(isDone)) return undefined;
  return containers.every((container) => exitCode(container) === 0) ? 'Succeeded' : 'Failed';
}
