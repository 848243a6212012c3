import { mkdir, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { isErrno, LongshoreError } from '../lib/errors.ts';

/**
 * Where the instances of this machine note which ranges they hold: a link `<number>` to the holder's home. Gone after a
 * reboot, and noted anew at each start.
 */
const NOTES = '/run/longshore/ranges';
/** An abstract socket, so its scope is the network namespace, as that of addresses; and it goes with its process. */
const LOCK = '\0longshore-ranges';
const LOCK_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 20;
const FIRST = 42;
const LAST = 240;
/** Pods, Services, and the instance's own addresses; the fourth is left free. */
const STEP = 4;

export interface RangeOptions {
  /** Addresses and destinations of routes that this machine has, also of links that are down. */
  readonly used: () => Promise<readonly string[]>;
  /** The home that is to hold the range. */
  readonly home: string;
  /** Its file of decisions: a note whose home has none is void. */
  readonly configName: string;
  readonly notes?: string;
}

/**
 * Takes a run of three free ranges 10.N.0.0/16, 10.(N+1).0.0/16 and 10.(N+2).0.0/16 for an instance.
 * `keep` runs before anybody else may choose, and is to write the choice down; it learns the ports of other instances, which need not listen at the moment.
 * @throws LongshoreError `unavailable` when none is left
 */
export async function takeRange<T>(
  { used, home, configName, notes = NOTES }: RangeOptions,
  keep: (range: number, ports: ReadonlySet<number>) => Promise<T>,
): Promise<T> {
  const lock = await takeLock();
  try {
    await mkdir(notes, { recursive: true, mode: 0o755 });
    const addresses = await used();
    const holders = await Promise.all((await readdir(notes)).map((name) => holderOf(notes, Number(name), configName)));
    const ports = new Set(holders.flatMap((holder) => holder?.ports ?? []));
    for (let range = FIRST; range < LAST; range += STEP) {
      if ([0, 1, 2].some((n) => addresses.some((address) => address.startsWith(`10.${range + n}.`)))) continue;
      const holder = await holderOf(notes, range, configName);
      if (holder !== undefined && holder.home !== home) continue;
      await note(notes, range, home);
      return await keep(range, ports);
    }
  } finally {
    lock.close();
  }
  throw new LongshoreError('unavailable', `every range between 10.${FIRST}.0.0/16 and 10.${LAST}.0.0/16 is in use on this machine`, {
    object: `home ${home}`,
    remedy: 'Remove instances that are not needed (longshore uninstall).',
  });
}

/**
 * Notes again that a home holds its range: notes don't outlive a reboot.
 * @throws LongshoreError `conflict` when another instance holds it
 */
export async function holdRange({ home, configName, notes = NOTES }: Omit<RangeOptions, 'used'>, clusterCidr: string): Promise<void> {
  const range = Number(clusterCidr.split('.')[1]);
  const lock = await takeLock();
  try {
    await mkdir(notes, { recursive: true, mode: 0o755 });
    const holder = await holderOf(notes, range, configName);
    if (holder?.home === home) return;
    if (holder) {
      throw new LongshoreError('conflict', `the addresses of this instance, ${clusterCidr}, are held by the instance in ${holder.home}`, {
        object: `home ${home}`,
        remedy: `Remove one of the two: LONGSHORE_HOME=${holder.home} longshore uninstall`,
      });
    }
    await note(notes, range, home);
  } finally {
    lock.close();
  }
}

/** Gives a home's ranges back. Safe to call twice. */
export async function dropRange(home: string, clusterCidr: string, notes = NOTES): Promise<void> {
  const path = join(notes, clusterCidr.split('.')[1] ?? '');
  if ((await target(path)) === home) await rm(path, { force: true });
}

async function note(notes: string, range: number, home: string): Promise<void> {
  await rm(join(notes, String(range)), { force: true });
  await symlink(home, join(notes, String(range)));
}

/** Undefined when nobody holds it, or whoever did is gone or has decided otherwise since. */
async function holderOf(notes: string, range: number, configName: string): Promise<{ readonly home: string; readonly ports: readonly number[] } | undefined> {
  const home = await target(join(notes, String(range)));
  if (home === undefined) return undefined;
  try {
    const {
      clusterCidr,
      apiPort,
      registryPort = 0,
    } = JSON.parse(await readFile(join(home, configName), 'utf8')) as {
      readonly clusterCidr: string;
      readonly apiPort: number;
      readonly registryPort?: number;
    };
    return clusterCidr.startsWith(`10.${range}.`) ? { home, ports: [apiPort, registryPort] } : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    // Damaged, or not for us to read: it may well be in use, and concerns nobody but its owner.
    return { home, ports: [] };
  }
}

async function target(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EINVAL')) return undefined;
    throw error;
  }
}

async function takeLock(): Promise<Server> {
  for (const until = performance.now() + LOCK_TIMEOUT_MS; ;) {
    const server = createServer((socket) => socket.destroy());
    const taken = await new Promise<boolean>((resolve, reject) => {
      server.once('error', (error) => (isErrno(error, 'EADDRINUSE') ? resolve(false) : reject(error)));
      server.listen(LOCK, () => resolve(true));
    });
    if (taken) return server;
    if (performance.now() > until) {
      throw new LongshoreError('timeout', `another instance has been choosing its addresses for ${LOCK_TIMEOUT_MS / 1000} s`, {
        remedy: 'Find the process that listens at @longshore-ranges: ss -xlp',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
  }
}
