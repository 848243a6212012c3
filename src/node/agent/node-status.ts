import { readFile } from 'node:fs/promises';
import { arch, availableParallelism, freemem, release, totalmem } from 'node:os';
import { statfs } from 'node:fs/promises';
import { rfc3339 } from '../../lib/clock.ts';
import { isErrno } from '../../lib/errors.ts';
import type { Node, NodeCondition, NodeStatus } from '../../types/kubernetes/generated/core-v1.ts';
import type { Cri } from '../cri/cri.ts';

export interface NodeFacts {
  readonly name: string;
  readonly address: string;
  /** Port of the node's API. */
  readonly port: number;
  readonly kubeletVersion: string;
  readonly runtimeVersion: string;
  readonly folder: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxPods: number;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** GOARCH's name of this machine. */
export function architecture(): string {
  return ARCHITECTURES[arch()] ?? arch();
}

/** What is registered when the node is new. */
export function nodeObject(facts: NodeFacts): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: facts.name,
      labels: {
        'kubernetes.io/hostname': facts.name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': architecture(),
        'beta.kubernetes.io/os': 'linux', 'beta.kubernetes.io/arch': architecture(), ...facts.labels,
      },
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: {},
  };
}

/** CPUs in thousandths and memory in bytes that pods may have: all of the machine's, less a reserve. */
export function allocatable(): { readonly milliCpu: number; readonly memory: number } {
  return { milliCpu: availableParallelism() * 1000, memory: Math.max(0, totalmem() - 100 * 2 ** 20) };
}

/** The node's status as of now. Conditions keep the time of their last change. */
export async function nodeStatus(facts: NodeFacts, cri: Cri, before: NodeStatus | undefined, nowMs: number): Promise<NodeStatus> {
  const [runtime, images, disk, machineId, bootId, os] = await Promise.all([
    cri.status(), cri.listImages(), statfs(facts.folder), readText('/etc/machine-id'), readText('/proc/sys/kernel/random/boot_id'), readText('/etc/os-release'),
  ]);
  const memory = totalmem();
  const can = allocatable();
  const diskBytes = disk.blocks * disk.bsize;
  const freeBytes = disk.bavail * disk.bsize;
  const capacity = (cpu: string, memoryBytes: number, storage: number): Record<string, string> => ({
    cpu,
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(storage / 1024)}Ki`,
    pods: String(facts.maxPods),
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
  });
  const condition = (
    type: string,
    holds: boolean,
    [reasonTrue, messageTrue]: readonly [string, string],
    [reasonFalse, messageFalse]: readonly [string, string],
  ): NodeCondition => {
    const status = holds ? 'True' : 'False';
    const old = before?.conditions?.find((each) => each.type === type);
    return {
      type,
      status,
      reason: holds ? reasonTrue : reasonFalse,
      message: holds ? messageTrue : messageFalse,
      lastHeartbeatTime: rfc3339(nowMs),
      lastTransitionTime: old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : rfc3339(nowMs),
    };
  };
  const ready = runtime.runtimeReady && runtime.networkReady;
  return {
    capacity: capacity(String(availableParallelism()), memory, diskBytes),
    allocatable: capacity(String(can.milliCpu / 1000), can.memory, diskBytes * 0.9),
    conditions: [
      condition(
        'MemoryPressure',
        freemem() < 100 * 2 ** 20,
        ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
        ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
      ),
      condition(
        'DiskPressure',
        freeBytes < diskBytes * 0.02,
        ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
        ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
      ),
      condition(
        'PIDPressure',
        false,
        ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
        ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
      ),
      condition(
        'Ready',
        ready,
        ['KubeletReady', 'kubelet is posting ready status'],
        ['KubeletNotReady', runtime.message ?? 'the container runtime is not ready'],
      ),
    ],
    addresses: [
      { type: 'InternalIP', address: facts.address },
      { type: 'Hostname', address: facts.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: facts.port } },
    nodeInfo: {
      machineID: machineId.trim(),
      systemUUID: machineId.trim(),
      bootID: bootId.trim(),
      kernelVersion: release(),
      osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(os)?.[1] ?? 'Linux',
      containerRuntimeVersion: `longshore://${facts.runtimeVersion}`,
      kubeletVersion: facts.kubeletVersion,
      kubeProxyVersion: facts.kubeletVersion,
      operatingSystem: 'linux',
      architecture: architecture(),
    },
    images: images
      .filter(({ repoTags }) => repoTags.length > 0)
      .slice(0, 50)
      .map(({ repoTags, repoDigests, size }) => ({ names: [...repoDigests, ...repoTags], sizeBytes: Number(size) })),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
