import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LongshoreError } from '../../lib/errors.ts';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { ContainerConfig, CriImage, CriMount, NamespaceOption, PodSandboxConfig } from '../cri/cri.ts';
import { podFolder, type MountedVolume } from '../volumes/volumes.ts';
import type { AgentContext } from './context.ts';
import { environmentOf } from './environment.ts';
import { expand } from './expand.ts';
import { dnsConfig, kernelHostname } from './pod-names.ts';
import { linuxResources, qosClass } from './resources.ts';
import { LABEL } from './view.ts';

/** Folder of the pod's logs, named as the kubelet names it. */
export function logFolder(root: string, pod: Pod): string {
  return join(root, 'logs', `${pod.metadata?.namespace}_${pod.metadata?.name}_${pod.metadata?.uid}`);
}

/** What the pod's sandbox is to be. */
export async function sandboxConfig(context: AgentContext, pod: Pod, attempt: number): Promise<PodSandboxConfig> {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  const { spec } = pod;
  if (spec?.hostUsers === false) {
    throw new LongshoreError('not-implemented', 'user namespaces (hostUsers: false) are not supported', {
      object: `pod ${namespace}/${name}`,
      remedy: 'Leave hostUsers out, and give the containers a user that is not root.',
    });
  }
  const qos = qosClass(pod);
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: spec?.hostNetwork ? context.nodeName : kernelHostname(pod, context.clusterDomain),
    logDirectory: logFolder(context.folder, pod),
    dnsConfig: await dnsConfig(context, pod),
    portMappings: spec?.hostNetwork
      ? []
      : (spec?.containers ?? []).flatMap((container) =>
          (container.ports ?? [])
            .filter(({ hostPort }) => hostPort)
            .map((port) => ({
              protocol: (port.protocol ?? 'TCP') as 'TCP',
              containerPort: port.containerPort,
              hostPort: port.hostPort ?? 0,
              hostIp: port.hostIP ?? '',
            })),
        ),
    labels: { ...pod.metadata?.labels, [LABEL.podName]: name, [LABEL.podNamespace]: namespace, [LABEL.podUid]: uid },
    annotations: pod.metadata?.annotations ?? {},
    linux: {
      cgroupParent: `kubepods/${qos === 'Guaranteed' ? '' : `${qos.toLowerCase()}/`}pod${uid}`,
      sysctls: Object.fromEntries((spec?.securityContext?.sysctls ?? []).map((sysctl) => [sysctl.name, sysctl.value])),
      securityContext: {
        namespaceOptions: namespaceOptions(pod),
        privileged: (spec?.containers ?? []).some(({ securityContext }) => securityContext?.privileged),
        supplementalGroups: spec?.securityContext?.supplementalGroups ?? [],
        ...(spec?.securityContext?.fsGroup !== undefined && { fsGroup: spec.securityContext.fsGroup }),
      },
    },
  };
}

function namespaceOptions({ spec }: Pod): NamespaceOption {
  return {
    network: spec?.hostNetwork ? 'NODE' : 'POD',
    pid: spec?.hostPID ? 'NODE' : spec?.shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: spec?.hostIPC ? 'NODE' : 'POD',
  };
}

/**
 * What one container is to be. `targetId`: the container whose processes it is to see, as an ephemeral one may ask.
 * @throws LongshoreError `not-found`, `invalid`: the waiting reason is CreateContainerConfigError
 */
export async function containerConfig(
  context: AgentContext,
  pod: Pod,
  container: Container,
  attempt: number,
  imageId: string,
  podIp: string,
  volumes: ReadonlyMap<string, MountedVolume>,
  hosts: string | undefined,
  targetId?: string,
): Promise<ContainerConfig> {
  const envs = await environmentOf(context.environment, pod, podIp, container);
  const lookup = (name: string): string | undefined => envs.find(({ key }) => key === name)?.value;
  const security = container.securityContext;
  const podSecurity = pod.spec?.securityContext;
  const user = security?.runAsUser ?? podSecurity?.runAsUser;
  const group = security?.runAsGroup ?? podSecurity?.runAsGroup;
  const seccomp = security?.seccompProfile ?? podSecurity?.seccompProfile;
  const image = await context.cri.imageStatus(imageId);
  if (security?.runAsNonRoot ?? podSecurity?.runAsNonRoot) assertNonRoot(user, image, container);
  const fsGroup = podSecurity?.fsGroup;
  return {
    metadata: { name: container.name, attempt },
    image: { image: imageId, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs,
    mounts: await mountsOf(context, pod, container, volumes, lookup, hosts),
    devices: [],
    labels: {
      [LABEL.podName]: pod.metadata?.name ?? '',
      [LABEL.podNamespace]: pod.metadata?.namespace ?? '',
      [LABEL.podUid]: pod.metadata?.uid ?? '',
      [LABEL.containerName]: container.name,
    },
    annotations: {
      'io.kubernetes.container.restartCount': String(attempt),
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath ?? '/dev/termination-log',
    },
    logPath: join(container.name, `${attempt}.log`),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    linux: {
      resources: linuxResources(pod, container, context.nodeMemoryBytes),
      securityContext: {
        capabilities: { addCapabilities: security?.capabilities?.add ?? [], dropCapabilities: security?.capabilities?.drop ?? [] },
        privileged: security?.privileged ?? false,
        namespaceOptions: { ...namespaceOptions(pod), ...(targetId !== undefined && { pid: 'TARGET' as const, targetId }) },
        ...(user !== undefined && { runAsUser: user }),
        ...(group !== undefined && { runAsGroup: group }),
        readonlyRootfs: security?.readOnlyRootFilesystem ?? false,
        supplementalGroups: [...(fsGroup === undefined ? [] : [fsGroup]), ...(podSecurity?.supplementalGroups ?? [])],
        ...(podSecurity?.supplementalGroupsPolicy === 'Strict' && { supplementalGroupsPolicy: 'STRICT' as const }),
        noNewPrivs: security?.allowPrivilegeEscalation === false,
        ...(seccomp && {
          seccomp: {
            profileType: seccomp.type as 'RuntimeDefault',
            ...(seccomp.localhostProfile !== undefined && {
              localhostRef: seccompPath(context.folder, seccomp.localhostProfile, container),
            }),
          },
        }),
      },
    },
  };
}

/** A profile's file in the node's folder. @throws LongshoreError `invalid` for a path that leads out of it */
function seccompPath(folder: string, profile: string, container: Container): string {
  if (profile.startsWith('/') || profile.split('/').includes('..')) {
    throw new LongshoreError('invalid', `seccomp profile "${profile}" must be relative and without ".."`, {
      object: `container ${container.name}`,
    });
  }
  return join(folder, 'seccomp', profile);
}

function assertNonRoot(user: number | undefined, image: CriImage | undefined, container: Container): void {
  if (user === 0) {
    throw new LongshoreError('invalid', "container's runAsUser breaks non-root policy", { object: `container ${container.name}` });
  }
  if (user !== undefined) return;
  if (image?.username && image.username !== '0') {
    throw new LongshoreError(
      'invalid',
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
      { object: `container ${container.name}`, remedy: 'Set securityContext.runAsUser.' },
    );
  }
  if (!image?.uid) {
    throw new LongshoreError('invalid', 'container has runAsNonRoot and image will run as root', {
      object: `container ${container.name}`,
      remedy: 'Set securityContext.runAsUser, or USER in the image.',
    });
  }
}

async function mountsOf(
  context: AgentContext,
  pod: Pod,
  container: Container,
  volumes: ReadonlyMap<string, MountedVolume>,
  lookup: (name: string) => string | undefined,
  hosts: string | undefined,
): Promise<CriMount[]> {
  const kinds = { None: 'PRIVATE', HostToContainer: 'HOST_TO_CONTAINER', Bidirectional: 'BIDIRECTIONAL' } as const;
  const mounts: CriMount[] = [];
  for (const [at, { name, mountPath, readOnly, subPath, subPathExpr, mountPropagation }] of (container.volumeMounts ?? []).entries()) {
    const volume = volumes.get(name);
    if (!volume) {
      throw new LongshoreError('not-found', `volume "${name}" is not among the pod's volumes`, { object: `container ${container.name}` });
    }
    const sub = subPathExpr ? expand(subPathExpr, lookup) : subPath;
    const hostPath = sub ? await context.volumes.subPath(pod, volume, sub, `${container.name}-${at}`) : volume.path;
    mounts.push({
      containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`,
      hostPath,
      readonly: (readOnly ?? false) || volume.readOnly,
      propagation: kinds[(mountPropagation ?? 'None') as 'None'],
    });
  }
  if (hosts !== undefined && !mounts.some(({ containerPath }) => containerPath === '/etc/hosts')) {
    mounts.push({ containerPath: '/etc/hosts', hostPath: hosts, readonly: false, propagation: 'PRIVATE' });
  }
  const message = await terminationMessageFile(context, pod, container);
  mounts.push({ containerPath: container.terminationMessagePath || '/dev/termination-log', hostPath: message, readonly: false, propagation: 'PRIVATE' });
  return mounts;
}

/** The file to which a container writes its last words; emptied for each run. */
async function terminationMessageFile(context: Pick<AgentContext, 'folder'>, pod: Pod, container: Container): Promise<string> {
  const folder = join(podFolder(context.folder, pod.metadata?.uid ?? ''), 'containers', container.name);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const path = join(folder, 'termination-log');
  await writeFile(path, '');
  // For whatever user the container runs as; our umask would have taken that away.
  await chmod(path, 0o666);
  return path;
}
