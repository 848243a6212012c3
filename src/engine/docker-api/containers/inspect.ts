import type { Container, MountSpec } from '../../containers/containers.ts';
import { MASKED, READONLY } from '../../containers/oci-spec.ts';
import type { Endpoint } from '../../network/network.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { HOST_DEFAULTS } from './config.ts';
import type { Config, EndpointSettings, HostConfig, Kept } from './config.ts';

/** Go's zero time, which clients take for never. */
export const NEVER = '0001-01-01T00:00:00Z';

export function timeOf(ms: number | undefined): string {
  return ms === undefined || ms === 0 ? NEVER : new Date(ms).toISOString().replace(/Z$/, '000000Z');
}

/** `GET /containers/{name}/json`. */
export async function inspectContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const container = deps.containers.get(request.params['name']!);
  return { body: await details(deps, container, request.flag('size'), request.minor) };
}

async function details(deps: Deps, container: Container, size: boolean, minor: number): Promise<Record<string, unknown>> {
  const { spec } = container;
  const kept = keptOf(container);
  // These files are made by the first start.
  const started = container.startedMs !== undefined;
  const file = (name: string): string => (started ? container.rootfs.replace(/rootfs$/, name) : '');
  const [networkSettings, mounts, layers] = await Promise.all([
    networks(deps, container, kept, minor),
    mountPoints(deps, container),
    deps.images.snapshots.layers(container.id),
  ]);
  const [path = '', ...args] = spec.process.args;
  return {
    Id: container.id,
    Created: timeOf(container.createdMs),
    Path: path,
    Args: args,
    State: stateOf(container),
    Image: spec.image.id,
    ResolvConfPath: file('resolv.conf'),
    HostnamePath: file('hostname'),
    HostsPath: file('hosts'),
    LogPath: started ? (container.logPath ?? '') : '',
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: spec.security.privileged ? 'unconfined' : '',
    ExecIDs: deps.execs.idsOf(container.id),
    HostConfig: { ...hostConfigOf(container, kept), Links: linksOf(deps, container) },
    GraphDriver: {
      Data: {
        ID: container.id,
        LowerDir: layers.lower.join(':'),
        MergedDir: container.rootfs,
        UpperDir: layers.upper,
        WorkDir: layers.work,
      },
      Name: 'overlay2',
    },
    ...(size
      ? {
          SizeRw: await deps.images.snapshots.usage(container.id),
          SizeRootFs: (await sizeOfImage(deps, spec.image.id)) + (await deps.images.snapshots.usage(container.id)),
        }
      : {}),
    Mounts: mounts,
    Config: { ...kept.Config, Hostname: kept.Config.Hostname || spec.hostname || container.id.slice(0, 12) },
    NetworkSettings: networkSettings,
  };
}

export async function sizeOfImage(deps: Deps, id: string): Promise<number> {
  return (await deps.images.get(id).catch(() => undefined))?.sizeBytes ?? 0; // its name may be gone, the container stays
}

/** The JSON of the container's creation; for one that came by another door (a pod's), as if it had come by this one. */
export function keptOf(container: Container): Kept {
  const { spec } = container;
  if (spec.owner === 'docker' && spec.opaque !== undefined) return spec.opaque as Kept;
  const config: Config = {
    Hostname: spec.hostname ?? '',
    Domainname: spec.domainname ?? '',
    User: spec.process.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: spec.process.terminal,
    OpenStdin: spec.openStdin,
    StdinOnce: spec.stdinOnce,
    Env: [...spec.process.env],
    Cmd: [...spec.process.args],
    Image: spec.image.name,
    Volumes: null,
    WorkingDir: spec.process.cwd,
    Entrypoint: null,
    OnBuild: null,
    Labels: { ...spec.labels },
  };
  const network =
    spec.network.mode === 'namespace'
      ? spec.network.container === undefined
        ? 'none'
        : `container:${spec.network.container}`
      : spec.network.mode === 'networks'
        ? 'bridge'
        : spec.network.mode;
  const host: HostConfig = {
    ...HOST_DEFAULTS,
    NetworkMode: network,
    Privileged: spec.security.privileged,
    ReadonlyRootfs: spec.security.readOnlyRoot,
    CapAdd: [...spec.security.capAdd],
    CapDrop: [...spec.security.capDrop],
    Memory: spec.limits.memoryBytes ?? 0,
    NanoCpus: spec.limits.nanoCpus ?? 0,
    CpuShares: spec.limits.cpuShares ?? 0,
    CpuQuota: spec.limits.cpuQuota ?? 0,
    CpuPeriod: spec.limits.cpuPeriod ?? 0,
    CgroupParent: spec.cgroupParent ?? '',
    Binds: spec.mounts.filter((mount) => mount.type === 'bind').map((mount) => `${mount.source}:${mount.target}${mount.readOnly ? ':ro' : ''}`),
  };
  return { Config: config, HostConfig: host, Endpoints: {} };
}

/** `/other:/own/alias`, by the names of now; null when there are none. */
function linksOf(deps: Deps, container: Container): string[] | null {
  if ((container.spec.links ?? []).length === 0) return null;
  const others = new Map(deps.containers.list().map((each) => [each.id, each.name]));
  const links = (container.spec.links ?? []).flatMap((link) =>
    others.has(link.container) ? [`/${others.get(link.container)!}:/${container.name}/${link.alias}`] : [],
  );
  return links.length === 0 ? null : links;
}

function hostConfigOf(container: Container, kept: Kept): HostConfig {
  const { limits, restart, security } = container.spec;
  return {
    ...kept.HostConfig,
    // What `docker update` may have changed since.
    Memory: limits.memoryBytes ?? 0,
    MemorySwap: limits.memorySwapBytes ?? kept.HostConfig.MemorySwap ?? 0,
    NanoCpus: limits.nanoCpus ?? 0,
    CpuShares: limits.cpuShares ?? 0,
    CpuQuota: limits.cpuQuota ?? 0,
    CpuPeriod: limits.cpuPeriod ?? 0,
    CpusetCpus: limits.cpusetCpus ?? '',
    CpusetMems: limits.cpusetMems ?? '',
    MemoryReservation: limits.memoryReservationBytes ?? 0,
    BlkioWeight: limits.blockIo?.weight ?? 0,
    PidsLimit: limits.pids === -1 ? 0 : (limits.pids ?? null),
    RestartPolicy: { Name: restart.name, MaximumRetryCount: restart.maximumRetryCount ?? 0 },
    MaskedPaths: security.privileged ? null : [...(security.maskedPaths ?? MASKED)],
    ReadonlyPaths: security.privileged ? null : [...(security.readonlyPaths ?? READONLY)],
  };
}

export function stateOf(container: Container): Record<string, unknown> {
  const { status, health, exit } = container;
  return {
    Status: status,
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: exit?.oomKilled ?? false,
    Dead: status === 'dead',
    Pid: container.pid ?? 0,
    ExitCode: exit?.code ?? 0,
    Error: container.error ?? '',
    StartedAt: timeOf(container.startedMs),
    FinishedAt: timeOf(exit?.finishedMs),
    ...(health === undefined ? {} : {
      Health: {
        Status: health.status,
        FailingStreak: health.failingStreak,
        Log: health.log.map((result) => ({ Start: timeOf(result.startMs), End: timeOf(result.endMs), ExitCode: result.exitCode, Output: result.output })),
      },
    }),
  };
}

/** `NetworkSettings.Ports`: exposed ones with null, published ones with where. */
function portMap(container: Container, exposed: readonly string[]): Record<string, { HostIp: string; HostPort: string }[] | null> {
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of exposed) ports[port.includes('/') ? port : `${port}/tcp`] = null;
  for (const endpoint of container.endpoints) {
    for (const port of endpoint.ports) {
      const key = `${port.containerPort}/${port.protocol}`;
      const list = ports[key] ?? [];
      list.push({ HostIp: port.hostIp || '0.0.0.0', HostPort: String(port.hostPort) });
      if (!port.hostIp) list.push({ HostIp: '::', HostPort: String(port.hostPort) });
      ports[key] = list;
    }
  }
  return ports;
}

async function networks(deps: Deps, container: Container, kept: Kept, minor: number): Promise<Record<string, unknown>> {
  const bridge = container.endpoints.find((endpoint) => endpoint.linkName === 'eth0');
  const running = container.pid !== undefined;
  return {
    Bridge: '',
    SandboxID: running ? container.id : '',
    SandboxKey: running ? `/proc/${container.pid}/ns/net` : '',
    Ports: running ? portMap(container, Object.keys(kept.Config.ExposedPorts ?? {})) : {},
    ...(minor >= 52
      ? {}
      : {
          HairpinMode: false,
          LinkLocalIPv6Address: '',
          LinkLocalIPv6PrefixLen: 0,
          SecondaryIPAddresses: null,
          SecondaryIPv6Addresses: null,
          EndpointID: bridge?.id ?? '',
          Gateway: bridge?.gateway ?? '',
          GlobalIPv6Address: '',
          GlobalIPv6PrefixLen: 0,
          IPAddress: bridge?.address ?? '',
          IPPrefixLen: bridge?.prefixLength ?? 0,
          IPv6Gateway: '',
          MacAddress: bridge?.mac ?? '',
        }),
    Networks: await endpointMap(deps, container, kept),
  };
}

/** `NetworkSettings.Networks`, by name. */
export async function endpointMap(deps: Deps, container: Container, kept: Kept): Promise<Record<string, unknown>> {
  const { network } = container.spec;
  if (network.mode === 'host' || network.mode === 'none') {
    const id = await deps.networks.get(network.mode).then((found) => found.id, () => ''); // an engine may lack the predefined ones
    return { [network.mode]: endpointJson(id, undefined, undefined, container) };
  }
  if (network.mode !== 'networks') return {};
  const map: Record<string, unknown> = {};
  for (const attachment of network.endpoints) {
    const found = await deps.networks.get(attachment.networkId).catch(() => undefined); // removed under a stopped container
    const name = found?.name ?? attachment.networkId;
    const endpoint = container.endpoints.find((each) => each.networkId === attachment.networkId);
    map[name] = endpointJson(
      container.startedMs === undefined ? '' : attachment.networkId,
      endpoint,
      kept.Endpoints[name] ?? { Aliases: [...(attachment.aliases ?? [])] },
      container,
      attachment.embeddedDns === true,
    );
  }
  return map;
}

function endpointJson(
  networkId: string,
  endpoint: Endpoint | undefined,
  settings: EndpointSettings | undefined,
  container: Container,
  userDefined = false,
): Record<string, unknown> {
  const aliases = settings?.Aliases ?? null;
  return {
    IPAMConfig: settings?.IPAMConfig ?? null,
    Links: settings?.Links ?? null,
    Aliases: aliases,
    DriverOpts: settings?.DriverOpts ?? null,
    GwPriority: settings?.GwPriority ?? 0,
    NetworkID: networkId,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    MacAddress: endpoint?.mac ?? '',
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames:
      endpoint === undefined || !userDefined
        ? null
        : [
            ...new Set([
              container.name,
              ...(aliases ?? []),
              container.id.slice(0, 12),
              ...(container.spec.hostname === undefined ? [] : [container.spec.hostname]),
            ]),
          ],
  };
}

export async function mountPoints(deps: Deps, container: Container): Promise<unknown[]> {
  // Of the tmpfs ones those of --mount are told, those of --tmpfs are not.
  const tmpfs = Object.keys(keptOf(container).HostConfig.Tmpfs ?? {});
  return Promise.all(
    container.spec.mounts
      .filter((mount) => mount.type !== 'tmpfs' || !tmpfs.includes(mount.target))
      .map(async (mount) => {
        if (mount.type === 'tmpfs') {
          return { Type: 'tmpfs', Source: '', Destination: mount.target, Mode: '', RW: mount.readOnly !== true, Propagation: '' };
        }
        const readWrite = { Mode: mount.readOnly ? 'ro' : '', RW: !mount.readOnly };
        if (mount.type === 'bind') {
          return {
            Type: 'bind',
            Source: mount.source,
            Destination: mount.target,
            ...readWrite,
            Propagation: mount.propagation ?? 'rprivate',
          };
        }
        if (mount.type === 'image') {
          return {
            Type: 'image',
            Name: mount.name,
            Source: mount.image,
            Destination: mount.target,
            Mode: 'ro',
            RW: false,
            Propagation: '',
          };
        }
        const source = await deps.volumes.get(mount.volume).then(
          (volume) => volume.mountpoint,
          () => '',
        ); // removed by force
        return {
          Type: 'volume',
          Name: mount.volume,
          Source: source,
          Destination: mount.target,
          Driver: 'local',
          Mode: mount.readOnly ? 'ro' : 'z',
          RW: !mount.readOnly,
          Propagation: '',
        };
      }),
  );
}

/** Where a mount leads, for filters of lists. */
export function mountNames(mount: MountSpec): string[] {
  if (mount.type === 'volume') return [mount.volume, mount.target];
  if (mount.type === 'image') return [mount.name, mount.image, mount.target];
  return mount.type === 'bind' ? [mount.source, mount.target] : [mount.target];
}
