import type { Container, EphemeralContainer, Pod, PodSpec, SecurityContext, Volume } from '../../../../types/kubernetes/generated/core-v1.ts';
import { containersOf } from '../plugin.ts';

/** Why a pod breaks a standard: what, and where. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type Check = (pod: Pick<Pod, 'metadata'>, spec: PodSpec) => Violation | undefined;

type AnyContainer = Container | EphemeralContainer;

const quoted = (values: Iterable<string>): string => [...values].map((value) => JSON.stringify(value)).join(', ');
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();
const plural = (one: string, many: string, count: number): string => (count === 1 ? one : many);
const named = (containers: readonly string[]): string => `${plural('container', 'containers', containers.length)} ${quoted(containers)}`;
const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';

/** Names of the containers of which something holds. */
function which(spec: PodSpec, bad: (context: SecurityContext | undefined, container: AnyContainer) => boolean): string[] {
  return containersOf(spec).filter((container) => bad(container.securityContext, container)).map((container) => container.name);
}

/** `pod`, `containers "a", "b"`, or both. */
function setters(pod: boolean, containers: readonly string[]): string {
  return [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [named(containers)] : [])].join(' and ');
}

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT',
]);

export const capabilitiesBaseline: Check = (_pod, spec) => {
  const bad = (context: SecurityContext | undefined): string[] => (context?.capabilities?.add ?? []).filter((one) => !DEFAULT_CAPABILITIES.has(one));
  const containers = which(spec, (context) => bad(context).length > 0);
  if (containers.length === 0) return undefined;
  const all = sorted(containersOf(spec).flatMap((container) => bad(container.securityContext)));
  return { reason: 'non-default capabilities', detail: `${named(containers)} must not include ${quoted(all)} in securityContext.capabilities.add` };
};

export const capabilitiesRestricted: Check = (_pod, spec) => {
  if (isWindows(spec)) return undefined;
  const missing = which(spec, (context) => !(context?.capabilities?.drop ?? []).includes('ALL'));
  const bad = (context: SecurityContext | undefined): string[] => (context?.capabilities?.add ?? []).filter((one) => one !== 'NET_BIND_SERVICE');
  const adding = which(spec, (context) => bad(context).length > 0);
  const details: string[] = [];
  if (missing.length > 0) details.push(`${named(missing)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    details.push(
      `${named(adding)} must not include ${quoted(sorted(containersOf(spec).flatMap((container) => bad(container.securityContext))))} in securityContext.capabilities.add`,
    );
  }
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

export const allowPrivilegeEscalation: Check = (_pod, spec) => {
  if (isWindows(spec)) return undefined;
  const bad = which(spec, (context) => context?.allowPrivilegeEscalation !== false);
  return bad.length === 0
    ? undefined
    : { reason: 'allowPrivilegeEscalation != false', detail: `${named(bad)} must set securityContext.allowPrivilegeEscalation=false` };
};

export const privileged: Check = (_pod, spec) => {
  const bad = which(spec, (context) => context?.privileged === true);
  return bad.length === 0 ? undefined : { reason: 'privileged', detail: `${named(bad)} must not set securityContext.privileged=true` };
};

export const hostNamespaces: Check = (_pod, spec) => {
  const bad = [
    spec.hostNetwork === true && 'hostNetwork=true',
    spec.hostPID === true && 'hostPID=true',
    spec.hostIPC === true && 'hostIPC=true',
  ].filter((one) => one !== false);
  return bad.length === 0 ? undefined : { reason: 'host namespaces', detail: bad.join(', ') };
};

export const hostPathVolumes: Check = (_pod, spec) => {
  const bad = (spec.volumes ?? []).filter((volume) => volume.hostPath !== undefined).map((volume) => volume.name);
  return bad.length === 0 ? undefined : { reason: 'hostPath volumes', detail: `${plural('volume', 'volumes', bad.length)} ${quoted(bad)}` };
};

export const hostPorts: Check = (_pod, spec) => {
  const ports = (container: AnyContainer): number[] => (container.ports ?? []).map((port) => port.hostPort ?? 0).filter((port) => port !== 0);
  const bad = which(spec, (_context, container) => ports(container).length > 0);
  if (bad.length === 0) return undefined;
  const all = sorted(containersOf(spec).flatMap((container) => ports(container).map(String)));
  return { reason: 'hostPort', detail: `${named(bad)} ${plural('uses', 'use', bad.length)} ${plural('hostPort', 'hostPorts', all.length)} ${all.join(', ')}` };
};

export const hostProbes: Check = (_pod, spec) => {
  const hosts = (container: AnyContainer): string[] => {
    const handlers = [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      container.lifecycle?.postStart,
      container.lifecycle?.preStop,
    ];
    return handlers
      .flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host])
      .filter((host): host is string => host !== undefined && host !== '');
  };
  const bad = sorted(which(spec, (_context, container) => hosts(container).length > 0));
  if (bad.length === 0) return undefined;
  const all = sorted(containersOf(spec).flatMap(hosts));
  return {
    reason: 'probe or lifecycle host',
    detail: `${named(bad)} ${plural('uses', 'use', bad.length)} ${plural('probe or lifecycle host', 'probe or lifecycle hosts', all.length)} ${quoted(all)}`,
  };
};

export const hostProcess: Check = (_pod, spec) => {
  const own = spec.securityContext?.windowsOptions?.hostProcess === true;
  const bad = which(spec, (context) => context?.windowsOptions?.hostProcess === true);
  return !own && bad.length === 0
    ? undefined
    : { reason: 'hostProcess', detail: `${setters(own, bad)} must not set securityContext.windowsOptions.hostProcess=true` };
};

export const procMount: Check = (_pod, spec) => {
  const odd = (context: SecurityContext | undefined): boolean => context?.procMount !== undefined && context.procMount !== 'Default';
  const bad = which(spec, odd);
  if (bad.length === 0) return undefined;
  const types = sorted(containersOf(spec).filter((container) => odd(container.securityContext)).map((container) => container.securityContext!.procMount!));
  return { reason: 'procMount', detail: `${named(bad)} must not set securityContext.procMount to ${quoted(types)}` };
};

const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';

export const appArmor: Check = (pod, spec) => {
  const odd = (type: string | undefined): boolean => type !== undefined && type !== 'RuntimeDefault' && type !== 'Localhost';
  const own = odd(spec.securityContext?.appArmorProfile?.type);
  const bad = which(spec, (context) => odd(context?.appArmorProfile?.type));
  const annotations = Object.entries(pod.metadata?.annotations ?? {})
    .filter(([key, value]) => key.startsWith(APPARMOR) && value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const who = [setters(own, bad), annotations.length > 0 ? plural('annotation', 'annotations', annotations.length) : '']
    .filter((part) => part !== '')
    .join(' and ');
  if (who === '') return undefined;
  const values = [
    ...sorted(
      [
        spec.securityContext?.appArmorProfile?.type,
        ...containersOf(spec).map((container) => container.securityContext?.appArmorProfile?.type),
      ].filter((type): type is string => odd(type)),
    ),
    ...annotations,
  ];
  return {
    reason: plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', values.length),
    detail: `${who} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const SELINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']);

export const seLinux: Check = (_pod, spec) => {
  const odd = (options: { type?: string; user?: string; role?: string } | undefined): boolean =>
    options !== undefined && (!SELINUX_TYPES.has(options.type ?? '') || !!options.user || !!options.role);
  const own = odd(spec.securityContext?.seLinuxOptions);
  const bad = which(spec, (context) => odd(context?.seLinuxOptions));
  if (!own && bad.length === 0) return undefined;
  const all = [
    spec.securityContext?.seLinuxOptions,
    ...containersOf(spec).map((container) => container.securityContext?.seLinuxOptions),
  ].filter((options) => options !== undefined);
  const types = sorted(all.map((options) => options.type ?? '').filter((type) => !SELINUX_TYPES.has(type)));
  const data = [
    ...(types.length > 0 ? [`${plural('type', 'types', types.length)} ${quoted(types)}`] : []),
    ...(all.some((options) => options.user) ? ['user may not be set'] : []), ...(all.some((options) => options.role) ? ['role may not be set'] : []),
  ];
  return { reason: 'seLinuxOptions', detail: `${setters(own, bad)} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}` };
};

const goodSeccomp = (type: string): boolean => type === 'RuntimeDefault' || type === 'Localhost';

export const seccompBaseline: Check = (_pod, spec) => {
  const odd = (type: string | undefined): boolean => type !== undefined && !goodSeccomp(type);
  const own = odd(spec.securityContext?.seccompProfile?.type);
  const bad = which(spec, (context) => odd(context?.seccompProfile?.type));
  if (!own && bad.length === 0) return undefined;
  const types = sorted(
    [
      spec.securityContext?.seccompProfile?.type,
      ...containersOf(spec).map((container) => container.securityContext?.seccompProfile?.type),
    ].filter((type): type is string => odd(type)),
  );
  return { reason: 'seccompProfile', detail: `${setters(own, bad)} must not set securityContext.seccompProfile.type to ${quoted(types)}` };
};

export const seccompRestricted: Check = (pod, spec) => {
  if (isWindows(spec)) return undefined;
  const explicit = seccompBaseline(pod, spec);
  if (explicit !== undefined) return explicit;
  if (spec.securityContext?.seccompProfile !== undefined) return undefined;
  const missing = which(spec, (context) => context?.seccompProfile === undefined);
  return missing.length === 0
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `pod or ${named(missing)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      };
};

const SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

export const sysctls: Check = (_pod, spec) => {
  const bad = (spec.securityContext?.sysctls ?? []).map((one) => one.name).filter((name) => !SYSCTLS.has(name));
  return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
};

const VOLUMES: readonly (keyof Volume)[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

export const restrictedVolumes: Check = (_pod, spec) => {
  const bad = (spec.volumes ?? []).filter((volume) => !VOLUMES.some((type) => volume[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'));
  return {
    reason: 'restricted volume types',
    detail: `${plural('volume', 'volumes', bad.length)} ${quoted(bad.map((volume) => volume.name))} ${plural('uses', 'use', bad.length)} ${plural('restricted volume type', 'restricted volume types', types.length)} ${quoted(types)}`,
  };
};

export const runAsNonRoot: Check = (_pod, spec) => {
  const own = spec.securityContext?.runAsNonRoot;
  const explicit = which(spec, (context) => context?.runAsNonRoot === false);
  if (own === false || explicit.length > 0) {
    return {
      reason: 'runAsNonRoot != true',
      detail: `${setters(own === false, explicit)} must not set securityContext.runAsNonRoot=false`,
    };
  }
  const missing = own === true ? [] : which(spec, (context) => context?.runAsNonRoot === undefined);
  return missing.length === 0 ? undefined : { reason: 'runAsNonRoot != true', detail: `pod or ${named(missing)} must set securityContext.runAsNonRoot=true` };
};

export const runAsUser: Check = (_pod, spec) => {
  const own = spec.securityContext?.runAsUser === 0;
  const bad = which(spec, (context) => context?.runAsUser === 0);
  return !own && bad.length === 0 ? undefined : { reason: 'runAsUser=0', detail: `${setters(own, bad)} must not set runAsUser=0` };
};
