import { mkdir, stat } from 'node:fs/promises';
import { hostname as machineName } from 'node:os';
import { LongshoreError, isErrno } from '../../../lib/errors.ts';
import type { ContainerSpec, RestartPolicy } from '../../containers/containers.ts';
import type { Image } from '../../images/images.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { CONFIG, CREATE, checkPortBindings } from '../shapes.ts';
import { HOST_DEFAULTS } from './config.ts';
import type { CreateBody, HostConfig, Kept } from './config.ts';
import { withImage } from './image-config.ts';
import { deviceLimitsOf, keptLimits, limitsOf } from './limits.ts';
import { logRotation } from './logging.ts';
import { RUNC_SHIM, checkModes } from './modes.ts';
import { translateMounts } from './mounts.ts';
import { parsePort, translateNetwork } from './networks.ts';
import { checkNamespaceOwner, linkOf, mountsFrom } from './others.ts';
import { checkEnv, healthOf } from './process-checks.ts';
import { refuseUnsupported } from './refusals.ts';
import { securityOf } from './security.ts';
import { parseSignal } from './signals.ts';

/** `POST /containers/create`. */
export async function createContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = await request.requiredJson<CreateBody>(CREATE);
  if (!Object.keys(CONFIG).some((field) => Object.hasOwn(body, field))) {
    throw new LongshoreError('invalid', 'config cannot be empty in order to create a container');
  }
  checkPortBindings(body.HostConfig?.PortBindings);
  if (!body.Image) throw new LongshoreError('invalid', 'no image specified', { remedy: 'Name an image.' });
  if (request.minor < 44 && Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {}).length > 1) {
    throw new LongshoreError('invalid', 'Container cannot be created with multiple network endpoints', {
      remedy: 'Connect it to the others once it is there.',
    });
  }
  const platform = request.query.get('platform');
  const image = await deps.images.get(body.Image);
  const warnings: string[] = [];
  if (platform && !matchesPlatform(image, platform)) {
    throw new LongshoreError(
      'not-found',
      `image with reference ${body.Image} was found but does not provide the specified platform (${platform})`,
      { object: `image ${body.Image}` },
    );
  }
  const spec = await specOf(deps, body, image, request.query.get('name') ?? undefined, warnings);
  const container = await deps.containers.create(spec);
  return { status: 201, body: { Id: container.id, Warnings: warnings } };
}

/** What the JSON of a create means. Volumes without a name are made on the way. @throws `invalid`, `not-found`, `not-implemented` */
async function specOf(deps: Deps, body: CreateBody, image: Image, name: string | undefined, warnings: string[]): Promise<ContainerSpec> {
  const host: HostConfig = { ...HOST_DEFAULTS, ...withoutNulls(body.HostConfig ?? {}) };
  const config = withImage(body, image.document.config);
  refuseUnsupported(host);
  checkModes(deps, config, host);
  const security = securityOf(host, warnings);
  checkNamespaceOwner(deps, host.PidMode);
  checkEnv(config.Env);
  const health = healthOf(config.Healthcheck);
  for (const port of Object.keys(config.ExposedPorts ?? {})) {
    parsePort(port.replace(/\/sctp$/i, ''));
  } // which can't be published, but told of
  if (config.WorkingDir && !config.WorkingDir.startsWith('/')) {
    throw new LongshoreError('invalid', `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  const kernel = { abilities: await deps.abilities(), warnings };
  const limits = limitsOf(host, kernel);
  const deviceLimits = deviceLimitsOf(host, kernel);
  const network = await translateNetwork(body, host, deps.networks);
  const { mounts, make } = await translateMounts(config, host, deps, mountsFrom(deps, host.VolumesFrom ?? []));
  await makeBindSources(make);
  if (network.mode === 'host' && Object.keys(host.PortBindings ?? {}).length > 0) {
    warnings.push('Published ports are discarded when using host network mode');
  }
  const restart = restartPolicy(host);
  const args = [...words(config.Entrypoint), ...words(config.Cmd)];
  if (args.length === 0) {
    throw new LongshoreError('invalid', 'no command specified', { object: `image ${body.Image ?? ''}`, remedy: 'Give a command to run.' });
  }
  const kept: Kept = {
    Config: { ...config, Image: body.Image ?? '' },
    HostConfig: {
      ...host,
      ...keptLimits(host, limits, deviceLimits),
      NetworkMode: network.mode,
      IpcMode: host.IpcMode || 'private',
      CgroupnsMode: cgroupNamespace(deps, host),
    },
    Endpoints: network.endpoints,
  };
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
    namespaces: {
      ipc: host.IpcMode || 'private',
      pid: host.PidMode || 'private',
      uts: host.UTSMode || (network.mode === 'host' ? 'host' : 'private'),
      cgroup: cgroupNamespace(deps, host),
    },
    limits,
    ...(deviceLimits.length === 0 ? {} : { deviceLimits }),
    ...(host.CgroupParent ? { cgroupParent: safeParent(host.CgroupParent) } : {}),
    security,
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
    ...((host.Dns?.length ?? 0) + (host.DnsSearch?.length ?? 0) + (host.DnsOptions?.length ?? 0) > 0
      ? { dns: { servers: host.Dns ?? [], search: host.DnsSearch ?? [], options: host.DnsOptions ?? [] } }
      : {}),
    devices: (host.Devices ?? []).map((device) => ({
      hostPath: device.PathOnHost ?? '',
      containerPath: device.PathInContainer || (device.PathOnHost ?? ''),
      permissions: device.CgroupPermissions || 'rwm',
    })),
    ...(host.DeviceCgroupRules?.length ? { deviceRules: host.DeviceCgroupRules } : {}),
    ...(Object.keys(host.Annotations ?? {}).length > 0 ? { annotations: host.Annotations! } : {}),
    ...(host.ShmSize ? { shmBytes: host.ShmSize } : {}),
    ...(host.OomScoreAdj ? { oomScoreAdj: host.OomScoreAdj } : {}),
    ...(host.Runtime && host.Runtime !== 'runc' && host.Runtime !== RUNC_SHIM ? { runtime: host.Runtime } : {}),
    ...(host.LogConfig?.Type === 'none' ? { logging: 'none' as const } : {}),
    ...logRotation(host),
    opaque: kept,
  };
}

/** Docker's default: one of its own, where the kernel's groups are of version 2 and the container is not privileged. */
function cgroupNamespace(deps: Deps, { CgroupnsMode: mode, Privileged: privileged }: HostConfig): 'host' | 'private' {
  if (mode === 'host' || mode === 'private') return mode;
  return deps.cgroupVersion === 2 && privileged !== true ? 'private' : 'host';
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
    throw new LongshoreError(
      'invalid',
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (count !== 0 && name !== 'on-failure') {
    throw new LongshoreError('invalid', "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (count < 0) throw new LongshoreError('invalid', 'invalid restart policy: maximum retry count cannot be negative');
  if (host.AutoRemove === true && name !== '' && name !== 'no') {
    throw new LongshoreError('invalid', "can't create 'AutoRemove' container with restart policy");
  }
  return { name: name === '' ? 'no' : name, ...(count > 0 ? { maximumRetryCount: count } : {}) };
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
  if (clean === '' || clean.split('/').some((part) => part === '..' || part === '.' || part === '')) {
    throw new LongshoreError('invalid', `invalid cgroup parent "${parent}"`);
  }
  return clean;
}

function matchesPlatform(image: Image, platform: string): boolean {
  const [os, architecture] = platform.split('/');
  return os === image.document.os && (architecture === undefined || architecture === image.document.architecture);
}

