import { readFile } from 'node:fs/promises';
import { availableParallelism, hostname, release, totalmem } from 'node:os';
import { messageOf } from '../../../lib/errors.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';

/** `GET /info`. */
export async function info(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const containers = deps.containers.list();
  const count = (statuses: readonly string[]): number => containers.filter((container) => statuses.includes(container.status)).length;
  const warnings: string[] = [];
  const runtime = await deps.runtime.probe().catch((error: unknown) => {
    warnings.push(`WARNING: ${messageOf(error)}`);
    return undefined;
  });
  warnings.push(...(runtime?.warnings ?? []).map((warning) => `WARNING: ${warning}`));
  const [images, os, abilities] = await Promise.all([deps.images.list(), osRelease(), deps.abilities()]);
  if (!abilities.swap) warnings.push('WARNING: No swap limit support');
  if (abilities.cpus === undefined) warnings.push('WARNING: No cpuset support');
  return {
    body: {
      ID: deps.engineId,
      Containers: containers.length,
      ContainersRunning: count(['running', 'restarting']),
      ContainersPaused: count(['paused']),
      ContainersStopped: count(['created', 'exited', 'dead', 'removing']),
      Images: images.length,
      Driver: 'overlay2',
      DriverStatus: [['Supports d_type', 'true'], ['Native Overlay Diff', 'true']],
      Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'null'], Authorization: null, Log: ['json-file', 'local', 'none'] },
      MemoryLimit: true,
      SwapLimit: abilities.swap,
      CpuCfsPeriod: true,
      CpuCfsQuota: true,
      CPUShares: true,
      CPUSet: abilities.cpus !== undefined,
      PidsLimit: true,
      // Told until 1.49: whether a bridge's packets pass iptables. Ours are nftables' own.
      ...(request.minor < 50 ? { BridgeNfIptables: false, BridgeNfIp6tables: false } : {}),
      IPv4Forwarding: true, Debug: false, NFd: 0, OomKillDisable: abilities.oomKillDisable, NGoroutines: 0,
      SystemTime: new Date(deps.clock.now()).toISOString(),
      LoggingDriver: 'json-file',
      CgroupDriver: 'cgroupfs',
      CgroupVersion: String(deps.cgroupVersion),
      NEventsListener: 0,
      KernelVersion: release(),
      OperatingSystem: os['PRETTY_NAME'] ?? 'Linux',
      OSVersion: os['VERSION_ID'] ?? '',
      OSType: 'linux',
      Architecture: ({ x64: 'x86_64', arm64: 'aarch64' } as Record<string, string>)[process.arch] ?? process.arch,
      IndexServerAddress: 'https://index.docker.io/v1/',
      RegistryConfig: {
        IndexConfigs: { 'docker.io': { Mirrors: [], Name: 'docker.io', Official: true, Secure: true } },
        InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
        Mirrors: [],
      },
      NCPU: availableParallelism(),
      MemTotal: totalmem(),
      GenericResources: null,
      DockerRootDir: deps.rootFolder,
      HttpProxy: '', HttpsProxy: '', NoProxy: '',
      Name: hostname(),
      Labels: [],
      ExperimentalBuild: false,
      ServerVersion: deps.version,
      Runtimes: runtime === undefined ? {} : { [runtime.name]: { path: runtime.path } },
      DefaultRuntime: runtime?.name ?? 'runc',
      Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
      LiveRestoreEnabled: true,
      Isolation: '',
      InitBinary: 'tini',
      ContainerdCommit: { ID: '' },
      RuncCommit: { ID: runtime?.commit ?? '' },
      InitCommit: { ID: '' },
      CDISpecDirs: [],
      FirewallBackend: { Driver: 'nftables' },
      SecurityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
      Warnings: warnings.length === 0 ? null : warnings,
    },
  };
}

async function osRelease(): Promise<Record<string, string>> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => ''); // not every system has it
  return Object.fromEntries([...text.matchAll(/^(\w+)=(?:"(.*)"|(.*))$/gm)].map((found) => [found[1]!, found[2] ?? found[3] ?? '']));
}
