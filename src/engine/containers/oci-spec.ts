import { arch } from 'node:process';
import type { Cgroups } from '../../host/host.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { OciSpec } from '../runtime/runtime.ts';
import { capabilities } from './capabilities.ts';
import type { ContainerSpec } from './containers.ts';
import { deviceLimits, deviceRule, hostDevices, requestedDevices } from './devices.ts';
import type { DeviceRule, OciDevice } from './devices.ts';
import { rlimits } from './machine.ts';
import type { Machine } from './machine.ts';
import { ociMounts, rootfsPropagation } from './oci-mounts.ts';
import type { ResolvedMount } from './oci-mounts.ts';
import { customSeccomp, defaultSeccomp } from './seccomp.ts';
import type { ResolvedUser } from './users.ts';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Hidden from containers. */
export const MASKED: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
/** Not to be written by containers. */
export const READONLY: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Where the engine finds a first process that reaps orphans, for --init. */
const INIT_TARGET = '/sbin/docker-init';

export interface SpecInputs {
  readonly spec: ContainerSpec;
  readonly hostname: string;
  readonly rootfs: string;
  readonly user: ResolvedUser;
  readonly cwd: string;
  readonly mounts: readonly ResolvedMount[];
  readonly files: readonly { readonly source: string; readonly target: string }[];
  /** Path of the network namespace; `host`: the host's; undefined: a new one that nobody else uses. */
  readonly netns: string | undefined;
  readonly namespaces: { readonly ipc: string; readonly pid: string; readonly uts: string };
  /** A folder of the host that is its shared memory; undefined: one of its own; `none`: none. */
  readonly shm: string | undefined;
  /** Relative to the cgroup root. */
  readonly cgroupPath: string;
  /** 32-bit programs may run as well. */
  readonly narrow: boolean;
  /** Path on the host of the program for --init. */
  readonly initPath: string | undefined;
  readonly machine: Machine;
  readonly cgroups: Pick<Cgroups, 'version' | 'ociResources'>;
}

/** The OCI config (runtime-spec 1.0.2) that a container's spec means on this machine. @throws `invalid` */
export async function ociSpec(inputs: SpecInputs): Promise<OciSpec> {
  const { spec, machine } = inputs;
  const { privileged } = spec.security;
  const bounding = capabilities(spec.security, machine.capabilities);
  const active = inputs.user.uid === 0 ? bounding : [];
  const requested = await requestedDevices(spec.devices ?? []);
  const devices: OciDevice[] = privileged ? await hostDevices() : requested.devices;
  const deviceRules: DeviceRule[] = privileged
    ? [{ allow: true, access: 'rwm' }]
    : [{ allow: false, access: 'rwm' }, ...requested.rules, ...(spec.deviceRules ?? []).flatMap((text) => deviceRule(text) ?? [])];
  const blockIo =
    spec.deviceLimits === undefined ? spec.limits.blockIo : { ...spec.limits.blockIo, ...(await deviceLimits(spec.deviceLimits)) };
  const seccomp = seccompOf(inputs, bounding);
  const propagation = rootfsPropagation(inputs.mounts);
  const sysctl = sysctls(inputs);
  const oomScoreAdj =
    spec.oomScoreAdj === undefined || spec.oomScoreAdj === 0
      ? undefined
      : Math.max(spec.oomScoreAdj, machine.capabilities.includes('CAP_SYS_RESOURCE') ? -1000 : machine.oomScoreAdj);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: spec.process.terminal,
      ...(spec.process.terminal && spec.process.consoleSize !== undefined
        ? { consoleSize: { height: spec.process.consoleSize.rows, width: spec.process.consoleSize.columns } }
        : {}),
      user: { uid: inputs.user.uid, gid: inputs.user.gid, additionalGids: inputs.user.additionalGids },
      args: inputs.initPath === undefined ? spec.process.args : [INIT_TARGET, '--', ...spec.process.args],
      env: environment(spec, inputs.hostname, inputs.user.home),
      cwd: inputs.cwd,
      capabilities: { bounding, effective: active, permitted: active },
      noNewPrivileges: spec.security.noNewPrivileges,
      ...(spec.ulimits === undefined || spec.ulimits.length === 0 ? {} : { rlimits: rlimits(spec.ulimits, machine) }),
      ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    },
    root: { path: inputs.rootfs, readonly: spec.security.readOnlyRoot },
    ...(inputs.namespaces.uts === 'private' ? { hostname: inputs.hostname } : {}),
    mounts: [
      ...ociMounts({
        privileged,
        cgroupVersion: inputs.cgroups.version,
        ipc: inputs.namespaces.ipc,
        shm: inputs.shm,
        shmBytes: spec.shmBytes,
        writableCgroups: spec.security.writableCgroups === true,
        recursiveReadOnly: inputs.machine.recursiveReadOnly,
        files: inputs.files,
        mounts: inputs.mounts,
        readOnlyRoot: spec.security.readOnlyRoot,
      }),
      ...(inputs.initPath === undefined
        ? []
        : [{ destination: INIT_TARGET, type: 'bind', source: inputs.initPath, options: ['bind', 'ro'] }]),
    ],
    ...(spec.annotations === undefined || Object.keys(spec.annotations).length === 0 ? {} : { annotations: spec.annotations }),
    linux: {
      cgroupsPath: `/${inputs.cgroupPath}`,
      resources: { ...(inputs.cgroups.ociResources({ ...spec.limits, ...(blockIo === undefined ? {} : { blockIo }) }) as object), devices: deviceRules },
      namespaces: namespaces(inputs),
      ...(devices.length === 0 ? {} : { devices }),
      ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      maskedPaths: privileged ? [] : (spec.security.maskedPaths ?? MASKED),
      readonlyPaths: privileged ? [] : (spec.security.readonlyPaths ?? READONLY),
    },
  };
}

/** PATH, HOSTNAME, TERM and HOME, unless the image or the user say otherwise; a name without `=` is left out. */
function environment(spec: ContainerSpec, hostname: string, home: string): string[] {
  const merged = new Map<string, string>();
  const put = (entry: string): void => {
    const equals = entry.indexOf('=');
    if (equals <= 0) return;
    if (entry.includes('\0')) throw new LongshoreError('invalid', `environment variable ${entry.slice(0, equals)} holds a NUL character`);
    merged.set(entry.slice(0, equals), entry);
  };
  put(DEFAULT_PATH);
  if (hostname !== '') put(`HOSTNAME=${hostname}`);
  if (spec.process.terminal) put('TERM=xterm');
  for (const entry of spec.process.env) put(entry);
  if (!merged.has('HOME')) put(`HOME=${home}`);
  return [...merged.values()];
}

function namespaces(inputs: SpecInputs): { type: string; path?: string }[] {
  const list: { type: string; path?: string }[] = [{ type: 'mount' }];
  if (inputs.netns === undefined) list.push({ type: 'network' });
  else if (inputs.netns !== 'host') list.push({ type: 'network', path: inputs.netns });
  for (const type of ['uts', 'pid', 'ipc'] as const) {
    const choice = inputs.namespaces[type];
    if (choice === 'private') list.push({ type });
    else if (choice !== 'host') list.push({ type, path: choice });
  }
  const cgroup = inputs.spec.namespaces?.cgroup ?? (inputs.cgroups.version === 2 && !inputs.spec.security.privileged ? 'private' : 'host');
  if (cgroup === 'private') list.push({ type: 'cgroup' });
  return list;
}

function sysctls(inputs: SpecInputs): Record<string, string> {
  const ownNetwork = inputs.netns !== 'host' && inputs.spec.network.mode !== 'namespace';
  return {
    // Any user of the container may listen on low ports and send pings: the namespace is its own.
    ...(ownNetwork ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
    ...(inputs.spec.domainname ? { 'kernel.domainname': inputs.spec.domainname } : {}),
    ...inputs.spec.sysctls,
  };
}

function seccompOf(inputs: SpecInputs, bounding: readonly string[]): object | undefined {
  const { seccomp, privileged } = inputs.spec.security;
  if (seccomp === 'unconfined' || (privileged && seccomp === 'default')) return undefined;
  if (seccomp === 'default' || seccomp === '') return defaultSeccomp(bounding, inputs.narrow, arch);
  try {
    return customSeccomp(seccomp, bounding, inputs.machine.kernel, arch);
  } catch (error) {
    throw new LongshoreError('invalid', `Decoding seccomp profile failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
