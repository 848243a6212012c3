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
}

/** A pod as the runtime has it. */
export interface PodView {
  /** The newest sandbox. */
  readonly sandbox: PodSandboxStatus | undefined;
  readonly olderSandboxes: readonly string[];
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
  for (const { id, metadata } of containers) {
    const status = await cri.containerStatus(id);
    const list = runs.get(metadata.name);
    if (list) list.push(status);
    else runs.set(metadata.name, [status]);
  }
  const views = new Map<string, ContainerView>();
  const stale: string[] = [];
  for (const [name, list] of runs) {
    list.sort((a, b) => b.metadata.attempt - a.metadata.attempt || Number(b.createdAt - a.createdAt));
    views.set(name, { latest: list[0]!, previous: list[1] });
    stale.push(...list.slice(2).map(({ id }) => id));
  }
  return { sandbox: newestFirst[0] && (await cri.podSandboxStatus(newestFirst[0].id)), olderSandboxes: newestFirst.slice(1).map(({ id }) => id), containers: views, stale };
}
