import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LongshoreError } from '../../lib/errors.ts';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { ContainerConfig, CriImage, CriMount, NamespaceOption, PodSandboxConfig } from '../cri/cri.ts';
import { podFolder, type MountedVolume } from '../volumes/volumes.ts';
import type { AgentContext } from './context.ts';
import { environmentOf } from './environment.ts';
import { expand } from './expand.ts';
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
  const qos = qosClass(pod);
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: spec?.hostNetwork ? context.nodeName : hostname(pod),
    logDirectory: logFolder(context.folder, pod),
    dnsConfig: await dnsConfig(context, pod),
    portMappings: spec?.hostNetwork ? [] : (spec?.containers ?? []).flatMap((container) => (container.ports ?? []).filter(({ hostPort }) => hostPort).map((port) => ({
      protocol: (port.protocol ?? 'TCP') as 'TCP', containerPort: port.containerPort, hostPort: port.hostPort ?? 0, hostIp: port.hostIP ?? '',
    }))),
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
  return { network: spec?.hostNetwork ? 'NODE' : 'POD', pid: spec?.hostPID ? 'NODE' : spec?.shareProcessNamespace ? 'POD' : 'CONTAINER', ipc: spec?.hostIPC ? 'NODE' : 'POD' };
}

/** spec.hostname, else the pod's name, cut to what a host name may be. */
export function hostname(pod: Pod): string {
  return (pod.spec?.hostname || pod.metadata?.name || '').slice(0, 63).replace(/[-.]+$/, '');
}

const MAX_SEARCHES = 32;

async function dnsConfig(context: AgentContext, pod: Pod): Promise<NonNullable<PodSandboxConfig['dnsConfig']>> {
  const host = await context.hostResolv();
  const own = pod.spec?.dnsConfig;
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  const cluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork);
  const domain = context.clusterDomain;
  const base = policy === 'None' ? { servers: [], searches: [], options: [] }
    : cluster ? { servers: context.clusterDns, searches: [`${pod.metadata?.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches], options: ['ndots:5'] }
    : host;
  const ownOptions = (own?.options ?? []).map(({ name, value }) => (value === undefined ? name ?? '' : `${name}:${value}`));
  const overridden = new Set(ownOptions.map((option) => option.split(':')[0]));
  return {
    servers: [...new Set([...base.servers, ...(own?.nameservers ?? [])])].slice(0, 3),
    searches: [...new Set([...base.searches, ...(own?.searches ?? [])])].slice(0, MAX_SEARCHES),
    options: [...base.options.filter((option) => !overridden.has(option.split(':')[0])), ...ownOptions],
  };
}

/** Writes the pod's /etc/hosts and returns its path; undefined where the host's own is used. */
export async function hostsFile(context: AgentContext, pod: Pod, address: string): Promise<string | undefined> {
  if (pod.spec?.hostNetwork) return undefined;
  const folder = podFolder(context.folder, pod.metadata?.uid ?? '');
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const own = hostname(pod);
  const fqdn = pod.spec?.subdomain ? `${own}.${pod.spec.subdomain}.${pod.metadata?.namespace}.svc.${context.clusterDomain}\t` : '';
  const aliases = (pod.spec?.hostAliases ?? []).map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`).join('');
  const path = join(folder, 'etc-hosts');
  await writeFile(path, `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n${address}\t${fqdn}${own}\n${aliases}`);
  return path;
}

/** What one container is to be. `targetId`: the container whose processes it is to see, as an ephemeral one may ask. @throws LongshoreError `not-found`, `invalid`: the waiting reason is CreateContainerConfigError */
export async function containerConfig(context: AgentContext, pod: Pod, container: Container, attempt: number, imageId: string, podIp: string, volumes: ReadonlyMap<string, MountedVolume>, hosts: string | undefined, targetId?: string): Promise<ContainerConfig> {
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
    labels: { [LABEL.podName]: pod.metadata?.name ?? '', [LABEL.podNamespace]: pod.metadata?.namespace ?? '', [LABEL.podUid]: pod.metadata?.uid ?? '', [LABEL.containerName]: container.name },
    annotations: { 'io.kubernetes.container.restartCount': String(attempt), 'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath ?? '/dev/termination-log' },
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
        supplementalGroups: [...(podSecurity?.supplementalGroups ?? []), ...(fsGroup === undefined ? [] : [fsGroup])],
        noNewPrivs: security?.allowPrivilegeEscalation === false,
        ...(seccomp && { seccomp: { profileType: seccomp.type as 'RuntimeDefault', ...(seccomp.localhostProfile !== undefined && { localhostRef: seccomp.localhostProfile }) } }),
      },
    },
  };
}

function assertNonRoot(user: number | undefined, image: CriImage | undefined, container: Container): void {
  if (user === 0) throw new LongshoreError('invalid', "container's runAsUser breaks non-root policy", { object: `container ${container.name}` });
  if (user !== undefined) return;
  if (image?.username && image.username !== '0') {
    throw new LongshoreError('invalid', `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`, { object: `container ${container.name}`, remedy: 'Set securityContext.runAsUser.' });
  }
  if (!image?.uid) throw new LongshoreError('invalid', 'container has runAsNonRoot and image will run as root', { object: `container ${container.name}`, remedy: 'Set securityContext.runAsUser, or USER in the image.' });
}

async function mountsOf(context: AgentContext, pod: Pod, container: Container, volumes: ReadonlyMap<string, MountedVolume>, lookup: (name: string) => string | undefined, hosts: string | undefined): Promise<CriMount[]> {
  const kinds = { None: 'PRIVATE', HostToContainer: 'HOST_TO_CONTAINER', Bidirectional: 'BIDIRECTIONAL' } as const;
  const mounts: CriMount[] = [];
  for (const [at, { name, mountPath, readOnly, subPath, subPathExpr, mountPropagation }] of (container.volumeMounts ?? []).entries()) {
    const volume = volumes.get(name);
    if (!volume) throw new LongshoreError('not-found', `volume "${name}" is not among the pod's volumes`, { object: `container ${container.name}` });
    const sub = subPathExpr ? expand(subPathExpr, lookup) : subPath;
    const hostPath = sub ? await context.volumes.subPath(pod, volume, sub, `${container.name}-${at}`) : volume.path;
    mounts.push({ containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`, hostPath, readonly: (readOnly ?? false) || volume.readOnly, propagation: kinds[(mountPropagation ?? 'None') as 'None'] });
  }
  if (hosts !== undefined && !mounts.some(({ containerPath }) => containerPath === '/etc/hosts')) mounts.push({ containerPath: '/etc/hosts', hostPath: hosts, readonly: false, propagation: 'PRIVATE' });
  const message = await terminationMessageFile(context, pod, container);
  mounts.push({ containerPath: container.terminationMessagePath || '/dev/termination-log', hostPath: message, readonly: false, propagation: 'PRIVATE' });
  return mounts;
}

/** The file to which a container writes its last words; emptied for each run. */
export async function terminationMessageFile(context: Pick<AgentContext, 'folder'>, pod: Pod, container: Container): Promise<string> {
  const folder = join(podFolder(context.folder, pod.metadata?.uid ?? ''), 'containers', container.name);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const path = join(folder, 'termination-log');
  await writeFile(path, '');
  // For whatever user the container runs as; our umask would have taken that away.
  await chmod(path, 0o666);
  return path;
}
