import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { createServer } from 'node:net';
import { basename, join, resolve } from 'node:path';
import type { Links } from '../host/host.ts';
import { LongshoreError } from '../lib/errors.ts';
import { hexId, type Random } from '../lib/random.ts';
import { readInstance, saveInstance, type InstanceConfig } from './instance.ts';
import { dropRange, holdRange, takeRange } from './ranges.ts';

/**
 * LONGSHORE_HOME holds one instance's everything; any number of instances live
 * side by side. All paths below it are named here and nowhere else.
 */
export interface Home {
  readonly root: string;
  /** Sockets, pid and status of the running daemon. */
  readonly run: string;
  readonly dockerSocket: string;
  readonly statusFile: string;
  readonly daemonLog: string;
  readonly configFile: string;
  readonly kubeconfig: string;
  readonly store: string;
  readonly pki: string;
  readonly engine: string;
  readonly node: string;
}

/** The home that `LONGSHORE_HOME` names, else /var/lib/longshore. */
export function homeAt(path: string | undefined): Home {
  const root = resolve(path || '/var/lib/longshore');
  const run = join(root, 'run');
  return {
    root, run,
    dockerSocket: join(run, 'docker.sock'),
    statusFile: join(run, 'status.json'),
    daemonLog: join(root, 'daemon.log'),
    configFile: join(root, 'instance.json'),
    kubeconfig: join(root, 'kubeconfig'),
    store: join(root, 'state'),
    pki: join(root, 'pki'),
    engine: join(root, 'engine'),
    node: join(root, 'node'),
  };
}

/** Not 5000 or 5001, on which people start registries of their own. */
const REGISTRY_PORT = 5050;

/** Longest path of a unix socket that Linux takes (sun_path is 108 bytes with its NUL). */
const LONGEST_SOCKET_PATH = 107;

/**
 * Reads the instance's decisions, or makes them: free ports and address ranges that no link of this machine uses.
 * @param used addresses and destinations of routes that this machine has
 * @throws LongshoreError `invalid` when the home's path is too long for a socket, `forbidden` when it can't be written,
 * `internal` when what it decided is damaged, `conflict` when another instance holds its addresses
 */
export async function openInstance(
  home: Home,
  random: Random,
  nodeName: string,
  used: () => Promise<readonly string[]>,
  listen?: string,
): Promise<InstanceConfig> {
  if (Buffer.byteLength(home.dockerSocket) > LONGEST_SOCKET_PATH) {
    throw new LongshoreError('invalid', `${home.dockerSocket} is too long for a unix socket (${LONGEST_SOCKET_PATH} bytes at most)`, {
      object: `home ${home.root}`,
      remedy: 'Set LONGSHORE_HOME to a shorter path.',
    });
  }
  try {
    await mkdir(home.root, { recursive: true, mode: 0o711 });
    await mkdir(home.run, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new LongshoreError('forbidden', `can't make the folder ${home.root}: ${(error as Error).message}`, {
      object: `home ${home.root}`,
      remedy: 'Run as root, or set LONGSHORE_HOME to a folder that you may write.',
      cause: error,
    });
  }
  const kept = await readInstance(home);
  if (kept) {
    await holdRange({ home: home.root, configName: basename(home.configFile) }, kept.clusterCidr);
    // Instances of earlier versions have no registry.
    const registryPort = kept.registryPort ?? (await freePort(REGISTRY_PORT));
    if ((listen === undefined || listen === kept.listen) && registryPort === kept.registryPort) return { ...kept, registryPort };
    return saveInstance(home, { ...kept, registryPort, ...(listen !== undefined && { listen }) });
  }
  return takeRange({ used, home: home.root, configName: basename(home.configFile) }, async (range, ports) => saveInstance(home, {
    id: hexId(random, 4),
    nodeName,
    apiPort: await freePort(ports.has(6443) ? 0 : 6443),
    nodePort: await freePort(10250),
    registryPort: await freePort(ports.has(REGISTRY_PORT) ? 0 : REGISTRY_PORT),
    ...(listen !== undefined && { listen }),
    clusterCidr: `10.${range}.0.0/16`,
    serviceCidr: `10.${range + 1}.0.0/16`,
    dnsAddress: `10.${range + 1}.0.10`,
    innerAddress: `10.${range + 2}.0.1`,
    nodeAddress: machineAddress() ?? `10.${range + 2}.0.1`,
  }));
}

/** Gives back what an instance holds beside its home. Safe to call twice. */
export async function releaseRange(home: Home): Promise<void> {
  const config = await readInstance(home);
  if (config) await dropRange(home.root, config.clusterCidr);
}

/** The first address of a link that is not a loopback, nor one that an engine made. */
export function machineAddress(): string | undefined {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (/^(lo|docker|br-|veth|ls[0-9a-f]{4}|cni|flannel)/.test(name)) continue;
    const address = addresses?.find(({ family, internal }) => family === 'IPv4' && !internal);
    if (address) return address.address;
  }
  return undefined;
}

/** What this machine's links and routes use already, also of links that are down. */
export async function usedAddresses(links: Pick<Links, 'addresses' | 'routes'>): Promise<string[]> {
  const [addresses, routes] = await Promise.all([links.addresses(), links.routes()]);
  return [...addresses.map(({ cidr }) => cidr), ...routes.map(({ destination }) => destination)];
}

/** `wanted` if nothing listens there, else a port that the kernel gives. */
async function freePort(wanted: number): Promise<number> {
  const tryPort = (port: number): Promise<number | undefined> => new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(undefined));
    server.listen(port, '0.0.0.0', () => {
      const { port: got } = server.address() as { port: number };
      server.close(() => done(got));
    });
  });
  return (await tryPort(wanted)) ?? (await tryPort(0))!;
}
