import type { Container } from '../../engine/containers/containers.ts';
import { readOpaque } from './container-spec.ts';
import type { CriContainer, CriContainerState, CriContainerStatus } from './cri.ts';

const STATES: Readonly<Record<Container['status'], CriContainerState>> = {
  created: 'CONTAINER_CREATED', running: 'CONTAINER_RUNNING', paused: 'CONTAINER_RUNNING', restarting: 'CONTAINER_EXITED',
  exited: 'CONTAINER_EXITED', removing: 'CONTAINER_EXITED', dead: 'CONTAINER_EXITED',
};

function nanos(ms: number | undefined): bigint {
  return ms === undefined ? 0n : BigInt(Math.round(ms * 1e6));
}

export function containerSummary(container: Container): CriContainer {
  const { podSandboxId, metadata, annotations } = readOpaque(container);
  return {
    id: container.id,
    podSandboxId,
    metadata,
    image: container.spec.image.name,
    imageRef: container.spec.image.id,
    imageId: container.spec.image.id,
    state: STATES[container.status],
    createdAt: nanos(container.createdMs),
    labels: container.spec.labels,
    annotations,
  };
}

/** `user`: that of the process, where it is known. */
export function containerStatus(container: Container, user?: CriContainerStatus['user']): CriContainerStatus {
  const { podSandboxId: _, ...summary } = containerSummary(container);
  const { exit } = container;
  return {
    ...summary,
    // A start that failed leaves a created container with an error: to CRI it has ended.
    state: container.error !== undefined && container.status === 'created' ? 'CONTAINER_EXITED' : summary.state,
    startedAt: nanos(container.startedMs),
    finishedAt: nanos(exit?.finishedMs || (container.error === undefined ? undefined : container.createdMs)),
    exitCode: exit?.code ?? (container.error === undefined ? 0 : 128),
    reason: container.error !== undefined ? 'StartError' : exit === undefined ? '' : exit.oomKilled ? 'OOMKilled' : exit.code === 0 ? 'Completed' : 'Error',
    message: container.error ?? '',
    mounts: readOpaque(container).mounts,
    logPath: container.logPath ?? '',
    ...(user && { user }),
  };
}
