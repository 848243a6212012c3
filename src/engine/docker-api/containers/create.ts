import { mkdir, stat } from 'node:fs/promises';
import { hostname as machineName } from 'node:os';
import { LongshoreError, isErrno } from '../../../lib/errors.ts';
import { ALL_CAPABILITIES } from '../../containers/capabilities.ts';
import { isLimit } from '../../containers/machine.ts';
import type { ContainerSpec, RestartPolicy, SecuritySpec } from '../../containers/containers.ts';
import type { Image } from '../../images/images.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { CONFIG, CREATE, checkPortBindings } from '../shapes.ts';
import { HOST_DEFAULTS } from './config.ts';
import type { CreateBody, HostConfig, Kept } from './config.ts';
import { withImage } from './image-config.ts';
import { limitsOf, refuseUnsupported } from './limits.ts';
import { translateMounts } from './mounts.ts';
import { parsePort, translateNetwork } from './networks.ts';
import { checkNamespaceOwner, linkOf, mountsFrom } from './others.ts';
import { checkEnv, healthOf } from './process-checks.ts';
import { parseSignal } from './signals.ts';

/** `POST /containers/create`. */
export async function createContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = await request.requiredJson<CreateBody>(CREATE);
  if (!Object.keys(CONFIG).some((field) => Object.hasOwn(body, field))) throw new LongshoreError('invalid', 'config cannot be empty in order to create a container');
  checkPortBindings(body.HostConfig?.PortBindings);
  if (!body.Image) throw new LongshoreError('invalid', 'no image specified', { remedy: 'Name an image.' });
  if (request.minor < 44 && Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {}).length > 1) throw new LongshoreError('invalid', 'Container cannot be created with multiple network endpoints', { remedy: 'Connect it to the others once it is there.' });
  const platform = request.query.get('platform');
  const image = await deps.images.get(body.Image);
  const warnings: string[] = [];
  if (platform && !matchesPlatform(image, platform)) {
    throw new LongshoreError('not-found', `image with reference ${body.Image} was found but does not provide the specified platform (${platform})`, { object: `image ${body.Image}` });
  }
  const spec = await specOf(deps, body, image, request.query.get('name') ?? undefined, warnings);
  const container = await deps.containers.create(spec);
  return { status: 201, body: { Id: container.id, Warnings: warnings } };
}

/** What the JSON of a create means. Volumes without a name are made on the way. @throws `invalid`, `not-found`, `not-implemented` */
async function specOf(deps: Deps, body: CreateBody, image: Image, name: string | undefined, warnings: string[]): Promise<ContainerSpec> {
  const host: HostConfig = { ...HOST_DEFAULTS, ...withoutNulls(body.HostConfig ?? {}) };
  const config = withImage(body, image.document.config);
  refuseUnsupported(host, warnings);
  checkModes(deps, host);
  checkNamespaceOwner(deps, host.PidMode);
  checkEnv(config.Env);
  const health = healthOf(config.Healthcheck);
  for (const port of Object.keys(config.ExposedPorts ?? {})) parsePort(port);
  if (config.WorkingDir && !config.WorkingDir.startsWith('/')) throw new LongshoreError('invalid', `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  const network = await translateNetwork(body, host, deps.networks);
  const { mounts, make } = await translateMounts(config, host, deps.volumes, mountsFrom(deps, host.VolumesFrom ?? []));
  await makeBindSources(make);
  const restart = restartPolicy(host);
  const args = [...words(config.Entrypoint), ...words(config.Cmd)];
  if (args.length === 0) throw new LongshoreError('invalid', 'no command specified', { object: `image ${body.Image ?? ''}`, remedy: 'Give a command to run.' });
  const kept: Kept = { Config: { ...config, Image: body.Image ?? '' }, HostConfig: { ...host, NetworkMode: network.mode }, Endpoints: network.endpoints };
  const hostname = config.Hostname || (network.mode === 'host' ? machineName() : undefined);
  return {
    owner: 'docker',
    ...(name === undefined || name === '' ? {} : { name }),
    image: { name: body.Image ?? '', id: image.id },
    process: {
      args,
      env: config.Env ?? [],
      cwd: config.WorkingDir || '/',
      user: config.User ?? '',
      additionalGids: (host.GroupAdd ?? []).map((group) => (/^\d+$/.test(group) ? Number(group) : group)),
      terminal: config.Tty ?? false,
      ...(host.ConsoleSize !== undefined && host.ConsoleSize[0] > 0 ? { consoleSize: { rows: host.ConsoleSize[0], columns: host.ConsoleSize[1] } } : {}),
    },
    labels: config.Labels ?? {},
    ...(hostname === undefined ? {} : { hostname }),
    ...(config.Domainname ? { domainname: config.Domainname } : {}),
    mounts,
    network: network.spec,
    namespaces: { ipc: host.IpcMode === 'none' ? 'private' : host.IpcMode || 'private', pid: host.PidMode || 'private', uts: host.UTSMode || (network.mode === 'host' ? 'host' : 'private') },
    limits: limitsOf(host),
    ...(host.CgroupParent ? { cgroupParent: safeParent(host.CgroupParent) } : {}),
    security: securityOf(host),
    restart,
    ...(health === undefined ? {} : { health }),
    ...(config.StopSignal ? { stopSignal: parseSignal(config.StopSignal) } : {}),
    ...(typeof config.StopTimeout === 'number' ? { stopTimeoutSeconds: config.StopTimeout } : {}),
    autoRemove: host.AutoRemove ?? false,
    openStdin: config.OpenStdin ?? false,
    stdinOnce: config.StdinOnce ?? false,
    init: host.Init ?? false,
    sysctls: host.Sysctls ?? {},
    ulimits: (host.Ulimits ?? []).map((limit) => ({ name: limit.Name ?? '', soft: limit.Soft ?? 0, hard: limit.Hard ?? 0 })),
    extraHosts: host.ExtraHosts ?? [],
    links: (host.Links ?? []).map((link) => linkOf(deps, link)),
    ...((host.Dns?.length ?? 0) + (host.DnsSearch?.length ?? 0) + (host.DnsOptions?.length ?? 0) > 0 ? { dns: { servers: host.Dns ?? [], search: host.DnsSearch ?? [], options: host.DnsOptions ?? [] } } : {}),
    devices: (host.Devices ?? []).map((device) => ({ hostPath: device.PathOnHost ?? '', containerPath: device.PathInContainer || (device.PathOnHost ?? ''), permissions: device.CgroupPermissions || 'rwm' })),
    ...(host.ShmSize ? { shmBytes: host.ShmSize } : {}),
    ...(host.OomScoreAdj ? { oomScoreAdj: host.OomScoreAdj } : {}),
    ...(host.Runtime && host.Runtime !== 'runc' ? { runtime: host.Runtime } : {}),
    ...(host.LogConfig?.Type === 'none' ? { logging: 'none' as const } : {}),
    ...logRotation(host),
    opaque: kept,
  };
}

/** What the kernel or the runtime would refuse at the start, told at once. @throws `invalid` */
function checkModes(deps: Deps, host: HostConfig): void {
  const modes: readonly (readonly [value: string | undefined, allowed: RegExp, what: string])[] = [
    [host.IpcMode, /^(none|private|shareable|host|container:.+)?$/, 'IPC'],
    [host.PidMode, /^(private|host|container:.+)?$/, 'PID'],
    [host.UTSMode, /^(host)?$/, 'UTS'],
    [host.CgroupnsMode, /^(private|host)?$/, 'cgroup namespace'],
  ];
  for (const [value, allowed, what] of modes) if (!allowed.test(value ?? '')) throw new LongshoreError('invalid', `invalid ${what} mode: ${value}`);
  checkCapabilities('CapAdd', host.CapAdd);
  checkCapabilities('CapDrop', host.CapDrop);
  if (host.Runtime && deps.runtime.names !== undefined && !deps.runtime.names.includes(host.Runtime)) throw new LongshoreError('invalid', `unknown or invalid runtime name: ${host.Runtime}`);
  for (const { Name: name = '' } of host.Ulimits ?? []) if (!isLimit(name)) throw new LongshoreError('invalid', `invalid ulimit type: ${name}`);
}

function checkCapabilities(field: string, names: readonly string[] | null | undefined): void {
  for (const name of names ?? []) {
    const full = `CAP_${name.toUpperCase().replace(/^CAP_/, '')}`;
    if (full !== 'CAP_ALL' && !ALL_CAPABILITIES.includes(full)) throw new LongshoreError('invalid', `invalid ${field}: unknown capability: "${full}"`);
  }
}

function words(value: readonly string[] | string | null | undefined): readonly string[] {
  if (value === null || value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** A null stands for a default, as an absent field does. */
function withoutNulls(host: HostConfig): HostConfig {
  return Object.fromEntries(Object.entries(host).filter(([, value]) => value !== null && value !== undefined)) as HostConfig;
}

function restartPolicy(host: HostConfig): RestartPolicy {
  const { Name: name = '', MaximumRetryCount: count = 0 } = host.RestartPolicy ?? {};
  if (name !== '' && name !== 'no' && name !== 'always' && name !== 'on-failure' && name !== 'unless-stopped') {
    throw new LongshoreError('invalid', `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  }
  if (count !== 0 && name !== 'on-failure') throw new LongshoreError('invalid', "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  if (count < 0) throw new LongshoreError('invalid', 'invalid restart policy: maximum retry count cannot be negative');
  if (host.AutoRemove === true && name !== '' && name !== 'no') throw new LongshoreError('invalid', "can't create 'AutoRemove' container with restart policy");
  return { name: name === '' ? 'no' : name, ...(count > 0 ? { maximumRetryCount: count } : {}) };
}

function securityOf(host: HostConfig): SecuritySpec {
  let noNewPrivileges = false;
  let seccomp = 'default';
  let unmasked = false;
  for (const option of host.SecurityOpt ?? []) {
    const [key, value = ''] = split(option);
    if (key === 'no-new-privileges') noNewPrivileges = value === '' || value === 'true';
    else if (key === 'seccomp') seccomp = value === 'builtin' ? 'default' : value;
    else if (key === 'systempaths' && value === 'unconfined') unmasked = true;
    else if (!(key === 'apparmor' || key === 'label' || key === 'writable-cgroups')) throw new LongshoreError('invalid', `invalid --security-opt 2: "${option}"`, { remedy: 'Use no-new-privileges, seccomp=… or systempaths=unconfined.' });
  }
  return {
    privileged: host.Privileged ?? false,
    readOnlyRoot: host.ReadonlyRootfs ?? false,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    noNewPrivileges,
    seccomp,
    ...(unmasked ? { maskedPaths: [], readonlyPaths: [] } : {}),
    ...(host.MaskedPaths ? { maskedPaths: host.MaskedPaths } : {}),
    ...(host.ReadonlyPaths ? { readonlyPaths: host.ReadonlyPaths } : {}),
  };
}

function split(option: string): [string, string?] {
  const at = /[=:]/.exec(option)?.index;
  return at === undefined ? [option] : [option.slice(0, at), option.slice(at + 1)];
}

/** `-v /folder:…` makes the folder where there is nothing, as Docker does; --mount doesn't. */
async function makeBindSources(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await stat(path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      await mkdir(path, { recursive: true });
    }
  }
}

/** A cgroup parent beneath our own. @throws `invalid` for one that leads out */
function safeParent(parent: string): string {
  const clean = parent.replace(/^\/+|\/+$/g, '');
  if (clean === '' || clean.split('/').some((part) => part === '..' || part === '.' || part === '')) throw new LongshoreError('invalid', `invalid cgroup parent "${parent}"`);
  return clean;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Rotation by `max-size` and `max-file` of the json-file and local drivers. */
function logRotation(host: HostConfig): { logRotation?: { readonly maxBytes: number; readonly files: number } } {
  const options = host.LogConfig?.Config ?? {};
  const size = /^(\d+)([bkmg]?)b?$/i.exec(options['max-size'] ?? '');
  if (options['max-size'] !== undefined && options['max-size'] !== '-1' && size === null) throw new LongshoreError('invalid', `invalid value for max-size: "${options['max-size']}"`);
  if (size === null) return {};
  const files = Number(options['max-file'] ?? 1);
  if (!Number.isInteger(files) || files < 1) throw new LongshoreError('invalid', "max-file cannot be less than 1");
  return { logRotation: { maxBytes: Number(size[1]) * SIZE_UNITS[size[2]!.toLowerCase()]!, files } };
}

function matchesPlatform(image: Image, platform: string): boolean {
  const [os, architecture] = platform.split('/');
  return os === image.document.os && (architecture === undefined || architecture === image.document.architecture);
}

