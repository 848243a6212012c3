import { access, writeFile } from 'node:fs/promises';
import { LongshoreError, isErrno, messageOf } from '../../lib/errors.ts';
import type { Endpoint, EndpointOptions } from '../network/network.ts';
import { startFailureCode } from '../runtime/messages.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import { runs32Bit } from './compatibility.ts';
import { cgroupOf } from './context.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { hostHosts, hostResolvConf, hostsFile, ownResolvConf, resolvConf } from './etc-files.ts';
import { linkLines } from './links.ts';
import { watch } from './exit.ts';
import { startHealthChecks } from './health.ts';
import { namespacePath, resolveMounts, sharedMemory } from './mounts.ts';
import { ociSpec } from './oci-spec.ts';
import { removeEntry } from './remove.ts';
import { mountRoot } from './root.ts';
import { tidy } from './tidy.ts';
import { resolveUser } from './users.ts';
import { prepareWorkingDirectory } from './working-directory.ts';

/** Names under which init programs for --init are known, tried in this order; static ones, since an image may have no C library or another. */
const INIT_PROGRAMS = ['/usr/bin/docker-init', '/usr/libexec/docker/docker-init', '/usr/bin/tini-static'];

/**
 * Brings a container from `created` or `exited` to `running`. To be called within the entry's exclusive section.
 * @throws with the reason, after everything half-made was undone and noted in the state
 */
export async function startEntry(context: Context, entry: Entry, options: { readonly byPolicy: boolean } = { byPolicy: false }): Promise<void> {
  const moved = context.host.cgroups.expectMove?.();
  await entry.tidying;
  const { spec } = entry;
  let runtime: RuntimeContainer | undefined;
  let network: StartingNetwork | undefined;
  try {
    // The root's mount and the network don't depend on each other, and the container is made while its network is.
    const hostname = spec.namespaces?.uts === 'host' ? '' : (spec.hostname ?? entry.short);
    const beginning = beginNetwork(context, entry, hostname);
    const [mounted, begun] = await Promise.allSettled([mountRoot(context, entry), beginning]);
    if (begun.status === 'fulfilled') network = begun.value;
    if (mounted.status === 'rejected') throw mounted.reason;
    if (begun.status === 'rejected') throw begun.reason;
    const { setUp, files } = begun.value;
    const [user, cwd, mounts, machine, initPath, narrow, shm] = await Promise.all([
      resolveUser(entry.rootfs, spec.process.user, spec.process.additionalGids, spec.process.strictGroups),
      prepareWorkingDirectory(entry.rootfs, spec.process.cwd),
      resolveMounts(context, entry),
      context.machine(),
      spec.init === true ? findInit() : undefined,
      narrowOf(context, entry),
      sharedMemory(context, entry),
    ]);
    const oci = await ociSpec({
      spec, hostname, rootfs: entry.rootfs, user, cwd, mounts, files,
      netns: setUp.path,
      namespaces: {
        ipc: namespacePath(context, spec.namespaces?.ipc, 'ipc'),
        pid: namespacePath(context, spec.namespaces?.pid, 'pid'),
        uts: namespacePath(context, spec.namespaces?.uts, 'uts'),
      },
      shm,
      cgroupPath: cgroupOf(context, entry),
      initPath, machine, narrow,
      cgroups: context.host.cgroups,
    });
    runtime = await context.runtime.create({
      id: entry.id, bundle: entry.bundle, spec: oci, terminal: spec.process.terminal, openStdin: spec.openStdin, stdinOnce: spec.stdinOnce,
      ...(spec.logging === 'none' ? {} : { logPath: entry.logPath }),
      ...(spec.runtime === undefined ? {} : { runtime: spec.runtime }),
    });
    moved?.();
    // What the program finds in its files is written before it runs.
    entry.change({ endpoints: await begun.value.connected });
    await bindPending(entry, runtime);
    await runtime.start();
  } catch (error) {
    moved?.();
    await network?.connected.catch(() => undefined); // it is taken down in a moment, however it went
    await undoStart(context, entry, runtime, error);
    throw error;
  }
  const running = runtime;
  const netns = network?.setUp.path;
  entry.change({
    status: 'running',
    netns,
    pid: running.pid,
    startedMs: context.clock.now(),
    error: undefined,
    exit: undefined,
    ...(options.byPolicy ? {} : { stoppedByUser: false }),
  });
  watch(context, entry, running, netns);
  await entry.save();
  context.emit(entry, 'start');
  startHealthChecks(context, entry);
}

async function undoStart(context: Context, entry: Entry, runtime: RuntimeContainer | undefined, error: unknown): Promise<void> {
  for (const attachment of entry.pending) attachment.abandon();
  entry.pending.clear();
  if (runtime !== undefined) {
    await runtime
      .remove()
      .catch((failure: unknown) =>
        context.logger.warn('a container that did not start was not removed', { container: entry.short, error: messageOf(failure) }),
      );
  }
  entry.run = undefined;
  await tidy(context, entry, undefined);
  const message = messageOf(error);
  entry.change({
    status: entry.state.status === 'restarting' ? 'exited' : entry.state.status,
    pid: undefined,
    endpoints: [],
    error: message,
    exit: { code: startFailureCode(message), oomKilled: false, finishedMs: entry.state.exit?.finishedMs ?? 0 },
  });
  await entry.save();
  if (entry.spec.autoRemove) await removeEntry(context, entry, { volumes: true });
  else entry.tell('exit');
}

/** Whether the filter of system calls has to know 32-bit programs. Nobody asks where there is no filter of ours. */
async function narrowOf(context: Context, entry: Entry): Promise<boolean> {
  const { process: { args, env }, image, security } = entry.spec;
  if (security.seccomp !== 'default' || security.privileged) return false;
  const found = entry.spec.rootfs === undefined ? await context.images.get(image.id).catch(() => undefined) : undefined; // removed by force: its files tell
  const path = env.find((each) => each.startsWith('PATH='))?.slice('PATH='.length) ?? '/usr/local/bin:/usr/bin:/bin';
  return runs32Bit(entry.rootfs, { program: args[0] ?? '', path, architecture: found?.document.architecture });
}

interface NetworkSetUp {
  readonly path: string | undefined;
  /** True when the namespace was made for this container. */
  readonly own: boolean;
  readonly hostsPath?: string;
  readonly resolvConfPath?: string;
  readonly hostnamePath?: string;
}

/** A network on its way: the namespace and the files are there, the rest is being made. */
interface StartingNetwork {
  readonly setUp: NetworkSetUp;
  readonly files: readonly { readonly source: string; readonly target: string }[];
  /** Settles when it is connected, and /etc/hosts tells of it. */
  readonly connected: Promise<readonly Endpoint[]>;
}

async function beginNetwork(context: Context, entry: Entry, hostname: string): Promise<StartingNetwork> {
  const setUp = await prepareNamespace(context, entry);
  const files = await writeEtcFiles(entry, hostname, setUp);
  const connected = connect(context, entry, setUp).then(async (endpoints) => {
    await finishEtcFiles(entry, hostname, setUp, endpoints, linkLines(context, entry));
    return endpoints;
  });
  connected.catch(() => undefined); // whoever starts the container awaits it
  return { setUp, files, connected };
}

async function prepareNamespace(context: Context, entry: Entry): Promise<NetworkSetUp> {
  const { network } = entry.spec;
  if (network.mode === 'host') return { path: 'host', own: false };
  if (network.mode === 'namespace') {
    if (network.container === undefined) {
      return {
        path: network.path,
        own: false,
        ...(network.hostsPath === undefined ? {} : { hostsPath: network.hostsPath }),
        ...(network.resolvConfPath === undefined ? {} : { resolvConfPath: network.resolvConfPath }),
      };
    }
    const other = owner(context, network.container);
    if (other.run === undefined) {
      throw new LongshoreError('conflict', `cannot join network namespace of a non running container: ${other.name}`, {
        object: `container ${other.name}`,
        remedy: `Start it first: docker start ${other.name}`,
      });
    }
    return {
      path: other.run.netns,
      own: false,
      hostsPath: `${other.folder}/hosts`,
      resolvConfPath: `${other.folder}/resolv.conf`,
      hostnamePath: `${other.folder}/hostname`,
    };
  }
  return { path: await context.networks.createNamespace(entry.id), own: true };
}

/** @throws `not-found`, `conflict` */
function owner(context: Context, container: string): Entry {
  try {
    return context.find(container);
  } catch (error) {
    if (!(error instanceof LongshoreError)) throw error;
    throw new LongshoreError(error.code, `joining network namespace of container: ${error.message}`, { object: `container ${container}`, cause: error });
  }
}

async function connect(context: Context, entry: Entry, setUp: NetworkSetUp): Promise<readonly Endpoint[]> {
  const { network } = entry.spec;
  if (network.mode !== 'networks' || setUp.path === undefined) return [];
  const endpoints: Endpoint[] = [];
  // One after another: the first is eth0 and has the default route and the published ports.
  for (const [index, wanted] of network.endpoints.entries()) {
    endpoints.push(await connectOne(context, wanted.networkId, {
      containerId: entry.id,
      netns: setUp.path,
      linkName: wanted.linkName ?? `eth${index}`,
      ...(wanted.linkLocal === undefined ? {} : { linkLocal: wanted.linkLocal }),
      aliases: aliasesOf(entry, wanted.aliases),
      ...(wanted.address === undefined ? {} : { address: wanted.address }),
      ...(wanted.mac === undefined ? {} : { mac: wanted.mac }),
      ...(entry.spec.dns === undefined || entry.spec.dns.servers.length === 0 ? {} : { dnsServers: entry.spec.dns.servers }),
      ...(index === 0 ? { ports: network.ports } : {}),
    }));
  }
  return endpoints;
}

async function connectOne(context: Context, networkId: string, options: EndpointOptions): Promise<Endpoint> {
  try {
    return await context.networks.connect(networkId, options);
  } catch (error) {
    if (!(error instanceof LongshoreError)) throw error;
    const { code, object, remedy } = error;
    throw new LongshoreError(code, `failed to set up container networking: ${error.message}`, {
      cause: error,
      ...(object === undefined ? {} : { object }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
}

/** Names by which neighbours find a container: its own, its short id, what the user gave, and its host name. */
export function aliasesOf(entry: Entry, aliases: readonly string[] = []): string[] {
  const { hostname } = entry.spec;
  return [...new Set([entry.name, entry.short, ...aliases, ...(hostname === undefined ? [] : [hostname])])];
}

/** The files that are bind-mounted over /etc's. */
async function writeEtcFiles(entry: Entry, hostname: string, network: NetworkSetUp): Promise<{ source: string; target: string }[]> {
  const { folder, spec } = entry;
  if (spec.owner === 'build' && spec.network.mode === 'none') return [];
  const files = {
    '/etc/resolv.conf': network.resolvConfPath ?? `${folder}/resolv.conf`,
    '/etc/hostname': network.hostnamePath ?? `${folder}/hostname`,
    '/etc/hosts': network.hostsPath ?? `${folder}/hosts`,
  };
  const writes: Promise<void>[] = [];
  if (network.hostnamePath === undefined) writes.push(writeFile(files['/etc/hostname'], `${hostname}\n`));
  if (network.hostsPath === undefined) writes.push(writeFile(files['/etc/hosts'], ''));
  if (network.resolvConfPath === undefined) {
    const mode =
      spec.network.mode !== 'networks'
        ? 'never'
        : spec.network.endpoints.some((endpoint) => endpoint.embeddedDns === true)
          ? 'always'
          : 'for-want-of-others';
    // On the host's network its own servers can be reached, also those on its loopback.
    const text =
      spec.network.mode === 'host'
        ? ownResolvConf().then((host) => resolvConf(spec.dns, host, 'host'))
        : hostResolvConf().then((host) => resolvConf(spec.dns, host, mode));
    writes.push(text.then((lines) => writeFile(files['/etc/resolv.conf'], lines)));
  }
  await Promise.all(writes);
  return Object.entries(files).map(([target, source]) => ({ source, target }));
}

/** /etc/hosts, now that addresses are known. */
async function finishEtcFiles(entry: Entry, hostname: string, network: NetworkSetUp, endpoints: readonly Endpoint[], links: readonly string[]): Promise<void> {
  const { folder, spec } = entry;
  // Written in place: the container has the very file mounted.
  if (network.hostsPath === undefined) {
    await writeFile(`${folder}/hosts`, spec.network.mode === 'host' ? await hostHosts(spec) : hostsFile(spec, hostname, endpoints, links));
  }
}

/** Connects those who attached before the start, so that they see the first byte. */
async function bindPending(entry: Entry, runtime: RuntimeContainer): Promise<void> {
  for (const attachment of entry.pending) attachment.bind(await runtime.attach());
  entry.pending.clear();
}

async function findInit(): Promise<string> {
  for (const path of INIT_PROGRAMS) {
    try {
      await access(path);
      return path;
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  throw new LongshoreError('unavailable', '--init wants a small init program, and none is installed', {
    object: 'tini',
    remedy: 'Install it: apt-get install tini',
  });
}
