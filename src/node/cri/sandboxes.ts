import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Networks, PortBinding } from '../../engine/network/network.ts';
import type { Clock } from '../../lib/clock.ts';
import { isCode, isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { hexId, type Random } from '../../lib/random.ts';
import { UndoStack, type Undo } from '../../lib/undo.ts';
import { pauseProgram } from './pause.ts';
import type { PodSandbox, PodSandboxConfig, PodSandboxState, PodSandboxStatus } from './cri.ts';

/** A pod's surroundings, as kept on disk. */
export interface SandboxRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdMs: number;
  readonly state: PodSandboxState;
  /** Path of its kept network namespace; undefined when it uses the host's. */
  readonly netns: string | undefined;
  readonly address: string | undefined;
  readonly resolvConf: string;
  /** What the containers share besides the network; a record of before has none of it. */
  readonly shared?: SharedPlaces;
}

/** Paths of kept namespaces and of the folder for shared memory; undefined: the host's. */
export interface SharedPlaces {
  readonly ipc: string | undefined;
  readonly uts: string | undefined;
  readonly shm: string | undefined;
}

/** The part of the host that sandboxes need: namespaces kept by a bind mount each, and memory to share. */
export interface SandboxHost {
  readonly namespaces: {
    create(paths: { readonly ipc?: string; readonly uts?: string }, hostname: string): Promise<Undo>;
    isKept(path: string): Promise<boolean>;
    remove(path: string): Promise<void>;
  };
  readonly mounts: {
    tmpfs(target: string, options: { readonly sizeBytes: number; readonly mode: number }): Promise<Undo>;
    unmount(target: string): Promise<void>;
  };
}

export interface SandboxesOptions {
  readonly networks: Networks;
  readonly host: SandboxHost;
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Of a pod's /dev/shm, as containerd has it. */
const SHM_BYTES = 64 * 2 ** 20;

/** Name of the engine network that pods are on. */
const POD_NETWORK = 'longshore-pods';

/** Makes, keeps and removes pod sandboxes. Each change is on disk before it is told. */
export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #turns = new Map<string, Promise<unknown>>();
  #networkId: string | undefined;
  #podCidr: string | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  get networkReady(): boolean {
    return this.#networkId !== undefined;
  }

  /** Reads what an earlier daemon made. @returns the ids of sandboxes that have a network */
  async load(): Promise<readonly string[]> {
    for (const name of await readdir(this.#options.folder)) {
      const record = await this.#read(name);
      if (record === undefined) {
        await this.#removeLeftover(name);
        continue;
      }
      this.#sandboxes.set(record.id, record);
      // After a restart of the machine there is the record, and nothing else.
      if (record.state === 'SANDBOX_READY' && !(await this.#isThere(record))) await this.#save({ ...record, state: 'SANDBOX_NOTREADY' });
    }
    return [...this.#sandboxes.values()].filter(({ state, netns }) => state === 'SANDBOX_READY' && netns !== undefined).map(({ id }) => id);
  }

  /** Gives the node's pod range; the same again changes nothing. @throws `conflict` when pods run in another range */
  async setPodCidr(podCidr: string): Promise<void> {
    if (podCidr === this.#podCidr) return;
    const { networks } = this.#options;
    try {
      const network = await networks.get(POD_NETWORK);
      if (network.subnet === podCidr) this.#networkId = network.id;
      else await networks.remove(network.id);
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
    if (this.#networkId === undefined) {
      // Traffic between pods of the cluster keeps its addresses; a pod may reach itself through its Service.
      const network = await networks.create({
        name: POD_NETWORK,
        driver: 'bridge',
        subnet: podCidr,
        labels: { 'longshore.io/purpose': 'pods' },
        options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed', 'io.longshore.hairpin': 'true' },
      });
      this.#networkId = network.id;
    }
    this.#podCidr = podCidr;
  }

  has(id: string): boolean {
    return this.#sandboxes.has(id);
  }

  /** @throws `not-found` */
  get(id: string): SandboxRecord {
    const record = this.#sandboxes.get(id);
    if (!record) throw new LongshoreError('not-found', `there is no pod sandbox ${id}`, { object: `sandbox ${id}` });
    return record;
  }

  async run(config: PodSandboxConfig): Promise<string> {
    const { networks, folder, random, clock } = this.#options;
    const id = hexId(random);
    const own = join(folder, id);
    const host = config.linux.securityContext.namespaceOptions.network === 'NODE';
    const networkId = this.#networkId;
    if (!host && networkId === undefined) {
      throw new LongshoreError('unavailable', 'this node has no pod range yet', {
        object: `pod ${config.metadata.namespace}/${config.metadata.name}`,
        remedy: 'Wait until the node is Ready.',
      });
    }
    const undo = new UndoStack();
    try {
      await mkdir(own, { mode: 0o700 });
      undo.push(() => rm(own, { recursive: true, force: true }));
      const resolvConf = join(own, 'resolv.conf');
      await mkdir(config.logDirectory, { recursive: true, mode: 0o755 });
      const written = config.dnsConfig && writeFile(resolvConf, resolvText(config.dnsConfig));
      let netns: string | undefined;
      let address: string | undefined;
      const shared = await this.#share(own, config, undo);
      if (!host) {
        netns = await networks.createNamespace(id);
        undo.push(() => networks.removeNamespace(id));
        undo.push(() => networks.disconnect(networkId!, id));
        ({ address } = await networks.connect(networkId!, { containerId: id, netns, linkName: 'eth0', ports: hostPorts(config) }));
      }
      await written;
      await this.#save({
        id,
        config,
        createdMs: clock.now(),
        state: 'SANDBOX_READY',
        netns,
        address,
        resolvConf: config.dnsConfig ? resolvConf : '/etc/resolv.conf',
        shared,
      });
      undo.release();
      return id;
    } catch (error) {
      await undo.run();
      throw inWords(error);
    }
  }

  /** A root for the process that holds the sandbox's PID namespace: the program, and nothing else. @returns its path */
  async pauseRoot(id: string): Promise<string> {
    const root = join(this.#options.folder, id, 'root');
    await mkdir(root, { mode: 0o755 });
    await writeFile(join(root, 'pause'), pauseProgram(), { mode: 0o555 });
    return root;
  }

  /** Takes its network and what its containers share; they must have ended. @throws `not-found` */
  stop(id: string): Promise<void> {
    return this.#turn(id, () => this.#stop(this.get(id)));
  }

  /** Safe to call for one that is gone. */
  remove(id: string): Promise<void> {
    return this.#turn(id, async () => {
      const record = this.#sandboxes.get(id);
      if (record === undefined) return;
      await this.#stop(record);
      await rm(join(this.#options.folder, id), { recursive: true, force: true });
      this.#sandboxes.delete(id);
    });
  }

  async #stop(record: SandboxRecord): Promise<void> {
    if (record.state === 'SANDBOX_NOTREADY') return;
    await this.#takeNetwork(record);
    await this.#takeShared(record);
    await this.#save({ ...record, state: 'SANDBOX_NOTREADY' });
  }

  /** One change of a sandbox at a time. */
  #turn(id: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined).finally(() => this.#turns.get(id) === settled && this.#turns.delete(id)); // told to whoever asked for it
    this.#turns.set(id, settled);
    return turn;
  }

  list(filter: { readonly id?: string; readonly labelSelector?: Readonly<Record<string, string>> }): PodSandbox[] {
    return [...this.#sandboxes.values()]
      .filter(
        ({ id, config }) =>
          (filter.id === undefined || filter.id === id) &&
          Object.entries(filter.labelSelector ?? {}).every(([key, value]) => config.labels[key] === value),
      )
      .map(summary);
  }

  status(id: string): PodSandboxStatus {
    const record = this.get(id);
    return { ...summary(record), network: { ip: record.address ?? '', additionalIps: [] }, namespaces: record.config.linux.securityContext.namespaceOptions };
  }

  /** Where the containers' shared namespaces and memory are kept. */
  async #share(own: string, config: PodSandboxConfig, undo: UndoStack): Promise<SharedPlaces> {
    const { namespaces, mounts } = this.#options.host;
    const { ipc, network } = config.linux.securityContext.namespaceOptions;
    const places: SharedPlaces = {
      ipc: ipc === 'NODE' ? undefined : join(own, 'ipc'),
      uts: network === 'NODE' ? undefined : join(own, 'uts'),
      shm: ipc === 'NODE' ? undefined : join(own, 'shm'),
    };
    if (places.ipc !== undefined || places.uts !== undefined) {
      undo.push(
        await namespaces.create(
          { ...(places.ipc !== undefined && { ipc: places.ipc }), ...(places.uts !== undefined && { uts: places.uts }) },
          config.hostname,
        ),
      );
    }
    if (places.shm !== undefined) {
      await mkdir(places.shm, { mode: 0o1777 });
      undo.push(await mounts.tmpfs(places.shm, { mode: 0o1777, sizeBytes: SHM_BYTES }));
    }
    return places;
  }

  async #takeShared({ shared }: SandboxRecord): Promise<void> {
    const { namespaces, mounts } = this.#options.host;
    if (shared?.shm !== undefined) await mounts.unmount(shared.shm);
    for (const path of [shared?.ipc, shared?.uts]) if (path !== undefined) await namespaces.remove(path);
  }

  async #isThere({ netns, shared }: SandboxRecord): Promise<boolean> {
    for (const path of [netns, shared?.ipc, shared?.uts]) {
      if (path !== undefined && !(await this.#options.host.namespaces.isKept(path))) {
        return false;
      }
    }
    return true;
  }

  /** Undefined where a crash came between the folder and its record, so that nobody was told of this sandbox, and for a record that is damaged. */
  async #read(name: string): Promise<SandboxRecord | undefined> {
    const path = join(this.#options.folder, name, 'sandbox.json');
    try {
      const record = JSON.parse(await readFile(path, 'utf8')) as Partial<SandboxRecord> | null;
      if (record?.id === name && record.config !== undefined) return record as SandboxRecord;
      throw new Error('it does not describe this sandbox');
    } catch (error) {
      if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) {
        this.#options.logger.error('the record of a pod sandbox is damaged; the pod gets a new sandbox, and its containers start again', {
          file: path,
          error: messageOf(error),
        });
      }
      return undefined;
    }
  }

  /** Takes away what a sandbox without a record holds. Its network goes with those that nobody has. */
  async #removeLeftover(name: string): Promise<void> {
    const { folder, host, logger } = this.#options;
    const own = join(folder, name);
    try {
      await host.mounts.unmount(join(own, 'shm'));
      for (const kept of ['ipc', 'uts']) await host.namespaces.remove(join(own, kept));
      await rm(own, { recursive: true, force: true });
    } catch (error) {
      logger.warn('what is left of a pod sandbox could not be taken away; the next start tries again', { folder: own, error: messageOf(error) });
    }
  }

  async #takeNetwork({ id, netns }: SandboxRecord): Promise<void> {
    if (netns === undefined) return;
    if (this.#networkId !== undefined) await this.#options.networks.disconnect(this.#networkId, id);
    await this.#options.networks.removeNamespace(id);
  }

  async #save(record: SandboxRecord): Promise<void> {
    const path = join(this.#options.folder, record.id, 'sandbox.json');
    await writeFile(path + '.new', JSON.stringify(record));
    await rename(path + '.new', path);
    this.#sandboxes.set(record.id, record);
  }
}

/** With the remedy in the message: who meets it reads an event, which has no other place for it. */
function inWords(error: unknown): unknown {
  if (!(error instanceof LongshoreError) || error.remedy === undefined) return error;
  return new LongshoreError(error.code, `${error.message}. ${error.remedy}`, {
    ...(error.object !== undefined && { object: error.object }),
    remedy: error.remedy,
    cause: error,
  });
}

function summary({ id, config, createdMs, state }: SandboxRecord): PodSandbox {
  return { id, metadata: config.metadata, state, createdAt: BigInt(Math.round(createdMs * 1e6)), labels: config.labels, annotations: config.annotations };
}

function hostPorts(config: PodSandboxConfig): PortBinding[] {
  return config.portMappings
    .filter(({ hostPort, protocol }) => hostPort > 0 && protocol !== 'SCTP')
    .map(({ containerPort, hostPort, hostIp, protocol }) => ({
      containerPort,
      hostPort,
      hostIp,
      protocol: protocol === 'UDP' ? 'udp' : 'tcp',
    }));
}

function resolvText({ servers, searches, options }: NonNullable<PodSandboxConfig['dnsConfig']>): string {
  return (
    [
      ...servers.map((server) => `nameserver ${server}`),
      ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
      ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    ].join('\n') + '\n'
  );
}
