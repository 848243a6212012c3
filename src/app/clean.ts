import { access, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openNetworks } from '../engine/network/open.ts';
import { contains, parseSubnet } from '../engine/network/subnets.ts';
import type { Host } from '../host/host.ts';
import { openHost } from '../host/open.ts';
import { systemClock } from '../lib/clock.ts';
import { isErrno } from '../lib/errors.ts';
import { silentLogger } from '../lib/log.ts';
import { systemRandom } from '../lib/random.ts';
import { unlinkDockerSocket } from './docker-link.ts';
import type { Home } from './home.ts';
import { readInstance, type KeptInstance } from './instance.ts';
import { lockInstance } from './instance-lock.ts';

/**
 * Takes away whatever an instance left on the host, found by its mark: processes and control groups, links, nft tables,
 * mounts and kept namespaces. What a clean stop took away already is success. No daemon can start meanwhile.
 * @returns how many things there were
 * @throws LongshoreError `conflict` while its daemon runs, `internal` when what it decided at its first start is damaged, and nothing tells its mark
 */
export async function cleanInstance(home: Home): Promise<number> {
  if (!(await exists(home.root))) return 0;
  const unlock = await lockInstance(home);
  try {
    return await clean(home);
  } finally {
    await unlock();
  }
}

async function clean(home: Home): Promise<number> {
  const host = await openHost();
  let found = 0;
  for (const pid of await supervisors(home)) {
    process.kill(pid, 'SIGKILL');
    found++;
  }
  // A disk that somebody mounted to hold one of the home's folders is not ours.
  for (const folder of [home.engine, home.node]) {
    for (const target of await host.mounts.beneath(folder)) {
      if (target === folder) continue;
      await host.mounts.unmount(target);
      found++;
    }
  }
  const instance = await readInstance(home);
  if (instance) found += await cleanMarked(home, host, instance);
  await unlinkDockerSocket(home.dockerSocket);
  await rm(home.run, { recursive: true, force: true });
  return found;
}

/** What bears the instance's mark. */
async function cleanMarked(home: Home, host: Host, instance: KeptInstance): Promise<number> {
  let found = 0;
  const cgroup = `longshore-${instance.id}`;
  if ((await host.cgroups.processes(cgroup)).length > 0) found++;
  await host.cgroups.remove(cgroup);

  // The network room knows best what it made: links, rules in chains that are not ours, kernel parameters.
  let failure: { readonly error: unknown } | undefined;
  try {
    const networks = await openNetworks({
      host,
      folder: join(home.engine, 'networks'),
      instance: instance.id,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    await networks.destroy();
  } catch (error) {
    failure = { error }; // told when all else is gone
  }
  const prefix = `ls${instance.id.slice(0, 4)}`;
  for (const { name } of await host.links.list()) {
    if (!name.startsWith(prefix)) continue;
    await host.links.remove(name);
    found++;
  }
  const listed = (await host.nft.list('list tables')) as {
    readonly nftables?: readonly { readonly table?: { readonly family: string; readonly name: string } }[];
  };
  for (const { table } of listed.nftables ?? []) {
    if (!table?.name.startsWith(`longshore-${instance.id}`)) continue;
    await host.nft.apply(`delete table ${table.family} ${table.name}\n`);
    found++;
  }
  found += await cleanRoutes(host, instance);
  if (failure) throw failure.error;
  return found;
}

/** The routes to the pods of other nodes, and what their links let through for them. */
async function cleanRoutes({ links, nft, sysctl }: Host, { clusterCidr }: KeptInstance): Promise<number> {
  const cluster = parseSubnet(clusterCidr);
  const ours = (destination: string): boolean => {
    if (destination === 'default' || destination.includes(':')) return false;
    const pods = parseSubnet(destination);
    return pods.prefixLength > cluster.prefixLength && contains(cluster, pods.base);
  };
  const left = (await links.routes()).filter(({ destination, via }) => via !== undefined && ours(destination));
  for (const route of left) await (await links.addRoute(route))(); // it is there, so this undo is all that is done
  const { nftables } = (await nft.list('list tables')) as { readonly nftables?: readonly { readonly table?: { readonly name: string } }[] };
  // Another instance on the machine may need the same link for its own routes.
  if (nftables?.some(({ table }) => table?.name.startsWith('longshore-'))) return left.length;
  for (const link of new Set(left.map((route) => route.link))) {
    if (link !== undefined) {
      await sysctl.set(`net/ipv4/conf/${link}/route_localnet`, '0');
    }
  }
  return left.length;
}

/** Supervisors of this home's containers: processes whose command line names a path in it and whose program is a supervisor. */
async function supervisors(home: Home): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = (await readFile(join('/proc', name, 'cmdline'), 'utf8')).split('\0');
      if (/(^|\/)conmon$/.test(words[0] ?? '') && words.some((word) => word.startsWith(home.root + '/'))) pids.push(Number(name));
    } catch (error) {
      if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ESRCH')) throw error; // it ended while we looked
    }
  }
  return pids;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}
