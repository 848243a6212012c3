import type { Cri, CriContainerStatus, PodSandboxStatus } from '../cri/cri.ts';

/** Labels by which the agent finds a pod's sandboxes and containers again; the names are the kubelet's. */
export const LABEL = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;

/** One container's runs, as CRI tells them. */
export interface ContainerView {
  readonly latest: CriContainerStatus;
  /** The run before, kept for `kubectl logs --previous` and lastState. */
  readonly previous: CriContainerStatus | undefined;
  /** The latest run was in a sandbox before this one: it is over, and what it did is to be done again. */
  readonly older?: boolean;
}

/** A pod as the runtime has it. */
export interface PodView {
  /** The newest sandbox. */
  readonly sandbox: PodSandboxStatus | undefined;
  readonly olderSandboxes: readonly string[];
  /** Those of them whose runs nobody needs any more. */
  readonly emptySandboxes: readonly string[];
  /** By container name. Runs in older sandboxes count too. */
  readonly containers: ReadonlyMap<string, ContainerView>;
  /** Runs that nobody needs any more. */
  readonly stale: readonly string[];
}

/** Looks at a pod in the runtime. */
export async function viewPod(cri: Cri, uid: string): Promise<PodView> {
  const labelSelector = { [LABEL.podUid]: uid };
  const [sandboxes, containers] = await Promise.all([cri.listPodSandbox({ labelSelector }), cri.listContainers({ labelSelector })]);
  const newestFirst = [...sandboxes].sort((a, b) => b.metadata.attempt - a.metadata.attempt || Number(b.createdAt - a.createdAt));
  const runs = new Map<string, CriContainerStatus[]>();
  const sandboxOf = new Map<string, string>();
  for (const { id, metadata, podSandboxId } of containers) {
    const status = await cri.containerStatus(id);
    sandboxOf.set(id, podSandboxId);
    const list = runs.get(metadata.name);
    if (list) list.push(status);
    else runs.set(metadata.name, [status]);
  }
  const views = new Map<string, ContainerView>();
  const stale: string[] = [];
  for (const [name, list] of runs) {
    list.sort((a, b) => b.metadata.attempt - a.metadata.attempt || Number(b.createdAt - a.createdAt));
    const older = newestFirst[0] !== undefined && sandboxOf.get(list[0]!.id) !== newestFirst[0].id;
    views.set(name, { latest: list[0]!, previous: list[1], ...(older && { older }) });
    stale.push(...list.slice(2).map(({ id }) => id));
  }
  const needed = new Set([...views.values()].flatMap(({ latest, previous }) => [latest, ...(previous ? [previous] : [])]).map(({ id }) => sandboxOf.get(id)));
  const olderSandboxes = newestFirst.slice(1).map(({ id }) => id);
  return {
    sandbox: newestFirst[0] && (await cri.podSandboxStatus(newestFirst[0].id)),
    olderSandboxes,
    emptySandboxes: olderSandboxes.filter((id) => !needed.has(id)),
    containers: views,
    stale,
  };
}
