import { rfc3339 } from '../../lib/clock.ts';
import type { Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus } from '../cri/cri.ts';
import type { PodFailure } from './admission.ts';
import { ephemeralContainers, isSidecar, type PodPlan } from './plan.ts';
import { qosClass } from './resources.ts';
import type { ContainerView, PodView } from './view.ts';

/** What the worker knows beyond the runtime. */
export interface StatusInputs {
  readonly pod: Pod;
  readonly view: PodView;
  readonly plan: Pick<PodPlan, 'finished' | 'initialized'>;
  /** Why a container is not running, where it is not for its own exit: `ErrImagePull`, `CreateContainerConfigError`, `CrashLoopBackOff`, … */
  readonly waiting: ReadonlyMap<string, { readonly reason: string; readonly message?: string }>;
  readonly started: (containerId: string) => boolean;
  readonly ready: (containerId: string) => boolean;
  readonly nodeAddress: string;
  readonly nowMs: number;
  /** Set while the pod is being taken down, and for pods that the agent refuses. */
  readonly terminating?: boolean;
  readonly failed?: PodFailure;
}

/** The pod's status as the API shows it. Pure: times of conditions are kept from the old status where nothing changed. */
export function podStatus(inputs: StatusInputs): PodStatus {
  const { pod, view, plan, nodeAddress, nowMs } = inputs;
  const before = pod.status;
  const statuses = (containers: readonly Container[] | undefined, init: boolean): ContainerStatus[] =>
    (containers ?? []).map((container) => containerStatus(inputs, container, init));
  const inits = statuses(pod.spec?.initContainers, true);
  const apps = statuses(pod.spec?.containers, false);
  const ephemeral = ephemeralContainers(pod).map((container): ContainerStatus => ({ ...containerStatus(inputs, container, true), ready: false }));
  const ready = apps.every((status) => status.ready) && inits.every((status, at) => !isSidecar(pod.spec!.initContainers![at]!) || status.ready);
  const phase = inputs.failed ? 'Failed' : phaseOf(inputs, apps, inits);
  const ip = pod.spec?.hostNetwork
    ? nodeAddress
    : view.sandbox?.state === 'SANDBOX_READY' || inputs.terminating
      ? view.sandbox?.network.ip || before?.podIP
      : undefined;
  const ended = phase === 'Succeeded' || phase === 'Failed';
  const unready = apps.filter((status) => !status.ready).map(({ name }) => name);
  const notReady = ended
    ? { reason: phase === 'Failed' ? 'PodFailed' : 'PodCompleted' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const waitingInits = inits
    .filter((status, at) => (isSidecar(pod.spec!.initContainers![at]!) ? !status.started : status.state?.terminated?.exitCode !== 0))
    .map(({ name }) => name);
  const initialized = phase === 'Succeeded' || (ended ? waitingInits.length === 0 : plan.initialized);
  const gates = (pod.spec?.readinessGates ?? []).every(
    ({ conditionType }) => before?.conditions?.find(({ type }) => type === conditionType)?.status === 'True',
  );
  const condition = (type: string, holds: boolean, detail: { reason?: string; message?: string } = {}): PodCondition => {
    const old = before?.conditions?.find((each) => each.type === type);
    const status = holds ? 'True' : 'False';
    const generation = pod.metadata?.generation;
    return {
      type,
      status,
      lastProbeTime: null as unknown as string,
      lastTransitionTime: old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : rfc3339(nowMs),
      ...detail,
      ...(generation !== undefined && { observedGeneration: generation }),
    };
  };
  return {
    ...(pod.metadata?.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: [
      condition('PodReadyToStartContainers', view.sandbox?.state === 'SANDBOX_READY' && !ended),
      condition(
        'Initialized',
        initialized,
        initialized
          ? phase === 'Succeeded'
            ? { reason: 'PodCompleted' }
            : {}
          : { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${waitingInits.join(' ')}]` },
      ),
      condition(
        'Ready',
        ready && gates && !ended,
        ready && gates && !ended
          ? {}
          : ready && !ended
            ? { reason: 'ReadinessGatesNotReady', message: 'a readiness gate does not hold' }
            : notReady,
      ),
      condition('ContainersReady', ready && !ended, ready && !ended ? {} : notReady),
      condition('PodScheduled', true),
      ...(inputs.failed?.disrupted ? [{ ...condition('DisruptionTarget', true), reason: 'TerminationByKubelet', message: inputs.failed.message }] : []),
    ],
    ...(inputs.failed && { reason: inputs.failed.reason, message: inputs.failed.message }),
    ...(!inputs.failed &&
      ended &&
      before?.phase === phase && { ...(before.reason && { reason: before.reason }), ...(before.message && { message: before.message }) }),
    hostIP: nodeAddress,
    hostIPs: [{ ip: nodeAddress }],
    ...(ip ? { podIP: ip, podIPs: [{ ip }] } : {}),
    startTime: before?.startTime ?? rfc3339(nowMs),
    ...(inits.length > 0 && { initContainerStatuses: inits }),
    containerStatuses: apps,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: before?.qosClass ?? qosClass(pod),
  };
}

function phaseOf({ plan, view, pod, terminating }: StatusInputs, apps: readonly ContainerStatus[], inits: readonly ContainerStatus[]): string {
  if (plan.finished) return plan.finished;
  if (terminating && apps.every(({ state }) => state?.terminated) && view.containers.size > 0) {
    return apps.every(({ state }) => state!.terminated!.exitCode === 0) ? 'Succeeded' : 'Failed';
  }
  if (!plan.initialized && !apps.some(({ state }) => state?.running ?? state?.terminated)) return 'Pending';
  if (apps.some(({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated)) return 'Running';
  return inits.length === 0 && apps.length > 0 && pod.status?.phase === 'Running' ? 'Running' : 'Pending';
}

function containerStatus({ pod, view, waiting, started, ready }: StatusInputs, container: Container, init: boolean): ContainerStatus {
  const run = view.containers.get(container.name);
  const wait = waiting.get(container.name);
  const before = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.ephemeralContainerStatuses ?? []),
  ].find(({ name }) => name === container.name);
  const base = {
    name: container.name,
    image: run?.latest.image || container.image || '',
    imageID: run?.latest.imageRef ?? '',
    restartCount: run?.latest.metadata.attempt ?? 0,
    ...(run && given(container, run.latest, before)),
  };
  if (!run) {
    const state: ContainerState = { waiting: wait ?? { reason: (pod.spec?.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating' } };
    return { ...base, state, lastState: {}, ready: false, started: false };
  }
  const { latest } = run;
  const containerID = `longshore://${latest.id}`;
  if (latest.state === 'CONTAINER_RUNNING') {
    const isStarted = started(latest.id);
    return {
      ...base,
      containerID,
      state: { running: { startedAt: time(latest.startedAt) } },
      lastState: lastState(run),
      ready: isStarted && ready(latest.id),
      started: isStarted,
    };
  }
  if (latest.state === 'CONTAINER_CREATED') {
    return {
      ...base,
      containerID,
      state: { waiting: wait ?? { reason: 'ContainerCreating' } },
      lastState: lastState(run),
      ready: false,
      started: false,
    };
  }
  const terminated = { terminated: terminatedState(latest) };
  const endedWell = init && !isSidecar(container) && latest.exitCode === 0;
  // A container that is going to run again shows what it waits for; its end moves to lastState.
  if (wait) return { ...base, containerID, state: { waiting: wait }, lastState: terminated, ready: false, started: false };
  return { ...base, containerID, state: terminated, lastState: lastState(run), ready: endedWell, started: false };
}

/**
 * What a container was given: as it asked, as nothing of it changes while the container is there. The user of one that
 * has ended may be known from `before` alone.
 */
function given(
  { resources, volumeMounts }: Container,
  { id, user: found }: CriContainerStatus,
  before: ContainerStatus | undefined,
): Pick<ContainerStatus, 'allocatedResources' | 'resources' | 'volumeMounts' | 'user'> {
  const { limits, requests } = resources ?? {};
  const user = found ?? (before?.containerID === `longshore://${id}` ? before.user?.linux : undefined);
  return {
    ...(requests && { allocatedResources: requests }),
    resources: { ...(limits && { limits }), ...(requests && { requests }) },
    ...(volumeMounts &&
      volumeMounts.length > 0 && {
        volumeMounts: volumeMounts.map(({ name, mountPath, readOnly }) => ({
          mountPath,
          name,
          ...(readOnly && { readOnly, recursiveReadOnly: 'Disabled' }),
        })),
      }),
    ...(user && { user: { linux: { gid: user.gid, supplementalGroups: user.supplementalGroups ?? [], uid: user.uid } } }),
  };
}

function lastState({ previous }: ContainerView): ContainerState {
  return previous?.state === 'CONTAINER_EXITED' ? { terminated: terminatedState(previous) } : {};
}

function terminatedState(run: CriContainerStatus): NonNullable<ContainerState['terminated']> {
  return {
    exitCode: run.exitCode, reason: run.reason || 'Error', ...(run.message && { message: run.message }),
    startedAt: time(run.startedAt || run.finishedAt), finishedAt: time(run.finishedAt), containerID: `longshore://${run.id}`,
  };
}

function time(nanos: bigint): string {
  return rfc3339(Number(nanos / 1_000_000n));
}
