import { LongshoreError } from '../../lib/errors.ts';

/**
 * What fields of a body are, so that a handler need not look: `s` string, `n` whole number, `b` boolean, `s[]` list of strings, `s{}` map of strings, `{}` any
 * object, `[]` any list, `s|s[]` either; or a nested shape, `[shape]` a list of them, `{*: shape}` a map of them. null
 * is allowed everywhere, as in Go; unknown fields are let be.
 */
export type Shape = { readonly [field: string]: Kind };
type Kind = 's' | 'n' | 'b' | 's[]' | 's{}' | '{}' | '[]' | 's|s[]' | Shape | readonly [Shape];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === 'string');

const SIMPLE: Readonly<Record<string, (value: unknown) => boolean>> = {
  s: (value) => typeof value === 'string',
  n: (value) => typeof value === 'number' && Number.isSafeInteger(value),
  b: (value) => typeof value === 'boolean',
  's[]': isStrings,
  's{}': (value) => isObject(value) && Object.values(value).every((each) => typeof each === 'string'),
  '{}': isObject,
  '[]': (value) => Array.isArray(value),
  's|s[]': (value) => typeof value === 'string' || isStrings(value),
};

const WORDS: Readonly<Record<string, string>> = {
  s: 'a string',
  n: 'a whole number',
  b: 'true or false',
  's[]': 'a list of strings',
  's{}': 'an object of strings',
  '{}': 'an object',
  '[]': 'a list',
  's|s[]': 'a string or a list of strings',
};

/** @throws `invalid`, naming the field */
export function checkShape(body: object, shape: Shape, path = ''): void {
  for (const [field, kind] of Object.entries(shape)) {
    if (field === '*') {
      for (const [key, value] of Object.entries(body)) checkValue(value, kind, `${path}${key}`);
    } else if (Object.hasOwn(body, field)) {
      checkValue((body as Record<string, unknown>)[field], kind, `${path}${field}`);
    }
  }
}

function checkValue(value: unknown, kind: Kind, path: string): void {
  if (value === null || value === undefined) return;
  if (typeof kind === 'string') {
    if (!SIMPLE[kind]!(value)) throw wrong(path, WORDS[kind]!);
    return;
  }
  if (isList(kind)) {
    if (!Array.isArray(value)) throw wrong(path, 'a list');
    for (const [index, each] of value.entries()) checkValue(each, kind[0], `${path}[${index}]`);
    return;
  }
  if (!isObject(value)) throw wrong(path, 'an object');
  checkShape(value, kind, `${path}.`);
}

function isList(kind: Shape | readonly [Shape]): kind is readonly [Shape] {
  return Array.isArray(kind);
}

function wrong(path: string, wanted: string): LongshoreError {
  return new LongshoreError('invalid', `invalid JSON: ${path} has to be ${wanted}`, { object: path });
}

const healthcheck: Shape = { Test: 's[]', Interval: 'n', Timeout: 'n', StartPeriod: 'n', StartInterval: 'n', Retries: 'n' };
const portBinding: Shape = { HostIp: 's', HostPort: 's' };

const mount: Shape = {
  Type: 's',
  Source: 's',
  Target: 's',
  ReadOnly: 'b',
  BindOptions: { Propagation: 's', CreateMountpoint: 'b' },
  VolumeOptions: { NoCopy: 'b', Labels: 's{}', Subpath: 's', DriverConfig: { Name: 's', Options: 's{}' } },
  ImageOptions: { Subpath: 's' },
  TmpfsOptions: { SizeBytes: 'n', Mode: 'n' },
};

export const HOST_CONFIG: Shape = {
  Binds: 's[]',
  ContainerIDFile: 's',
  LogConfig: { Type: 's', Config: 's{}' },
  NetworkMode: 's',
  RestartPolicy: { Name: 's', MaximumRetryCount: 'n' },
  AutoRemove: 'b',
  VolumeDriver: 's',
  VolumesFrom: 's[]',
  ConsoleSize: '[]',
  Annotations: 's{}',
  CapAdd: 's[]',
  CapDrop: 's[]',
  CgroupnsMode: 's',
  Dns: 's[]',
  DnsOptions: 's[]',
  DnsSearch: 's[]',
  ExtraHosts: 's[]',
  GroupAdd: 's[]',
  IpcMode: 's',
  Cgroup: 's',
  Links: 's[]',
  OomScoreAdj: 'n',
  PidMode: 's',
  Privileged: 'b',
  PublishAllPorts: 'b',
  ReadonlyRootfs: 'b',
  SecurityOpt: 's[]',
  StorageOpt: 's{}',
  Tmpfs: 's{}',
  UTSMode: 's',
  UsernsMode: 's',
  ShmSize: 'n',
  Sysctls: 's{}',
  Runtime: 's',
  Isolation: 's',
  CpuShares: 'n',
  Memory: 'n',
  NanoCpus: 'n',
  CgroupParent: 's',
  BlkioWeight: 'n',
  BlkioWeightDevice: '[]',
  BlkioDeviceReadBps: '[]',
  BlkioDeviceWriteBps: '[]',
  BlkioDeviceReadIOps: '[]',
  BlkioDeviceWriteIOps: '[]',
  CpuPeriod: 'n',
  CpuQuota: 'n',
  CpuRealtimePeriod: 'n',
  CpuRealtimeRuntime: 'n',
  CpusetCpus: 's',
  CpusetMems: 's',
  Devices: [{ PathOnHost: 's', PathInContainer: 's', CgroupPermissions: 's' }],
  DeviceCgroupRules: 's[]',
  DeviceRequests: '[]',
  MemoryReservation: 'n',
  MemorySwap: 'n',
  MemorySwappiness: 'n',
  OomKillDisable: 'b',
  PidsLimit: 'n',
  Ulimits: [{ Name: 's', Soft: 'n', Hard: 'n' }],
  Mounts: [mount],
  MaskedPaths: 's[]',
  ReadonlyPaths: 's[]',
  Init: 'b',
};

export const CONFIG: Shape = {
  Hostname: 's',
  Domainname: 's',
  User: 's',
  AttachStdin: 'b',
  AttachStdout: 'b',
  AttachStderr: 'b',
  ExposedPorts: { '*': '{}' },
  Tty: 'b',
  OpenStdin: 'b',
  StdinOnce: 'b',
  Env: 's[]',
  Cmd: 's|s[]',
  Healthcheck: healthcheck,
  Image: 's',
  Volumes: { '*': '{}' },
  WorkingDir: 's',
  Entrypoint: 's|s[]',
  NetworkDisabled: 'b',
  MacAddress: 's',
  OnBuild: 's[]',
  Labels: 's{}',
  StopSignal: 's',
  StopTimeout: 'n',
  Shell: 's[]',
};

const ENDPOINT: Shape = {
  IPAMConfig: { IPv4Address: 's', IPv6Address: 's', LinkLocalIPs: 's[]' },
  Links: 's[]',
  Aliases: 's[]',
  DriverOpts: 's{}',
  MacAddress: 's',
  NetworkID: 's',
  GwPriority: 'n',
};

export const CREATE: Shape = { ...CONFIG, HostConfig: { ...HOST_CONFIG }, NetworkingConfig: { EndpointsConfig: { '*': ENDPOINT } } };

export const AUTH: Shape = {
  username: 's',
  password: 's',
  auth: 's',
  email: 's',
  serveraddress: 's',
  identitytoken: 's',
  registrytoken: 's',
};
export const EXEC: Shape = {
  AttachStdin: 'b',
  AttachStdout: 'b',
  AttachStderr: 'b',
  DetachKeys: 's',
  Tty: 'b',
  Env: 's[]',
  Cmd: 's[]',
  Privileged: 'b',
  User: 's',
  WorkingDir: 's',
  ConsoleSize: '[]',
};
export const EXEC_START: Shape = { Detach: 'b', Tty: 'b', ConsoleSize: '[]' };
export const VOLUME_CREATE: Shape = { Name: 's', Driver: 's', DriverOpts: 's{}', Labels: 's{}' };
export const NETWORK_CREATE: Shape = {
  Name: 's',
  Driver: 's',
  Internal: 'b',
  Attachable: 'b',
  Ingress: 'b',
  ConfigOnly: 'b',
  Scope: 's',
  EnableIPv6: 'b',
  EnableIPv4: 'b',
  Options: 's{}',
  Labels: 's{}',
  IPAM: { Driver: 's', Options: 's{}', Config: [{ Subnet: 's', Gateway: 's', IPRange: 's', AuxiliaryAddresses: 's{}' }] },
};
export const NETWORK_JOIN: Shape = { Container: 's', Force: 'b', EndpointConfig: ENDPOINT };

/** PortBindings is a map of lists. @throws `invalid` */
export function checkPortBindings(bindings: unknown): void {
  if (bindings === null || bindings === undefined) return;
  if (!isObject(bindings)) throw wrong('HostConfig.PortBindings', 'an object');
  for (const [port, list] of Object.entries(bindings)) checkValue(list, [portBinding], `HostConfig.PortBindings.${port}`);
}
