import { LongshoreError, messageOf } from '../../lib/errors.ts';
import type { CgroupLimits, CgroupUsage } from '../../host/host.ts';
import type { Undo } from '../../lib/undo.ts';
import type { AttachedStreams, ExecSession, ExitStatus } from '../runtime/runtime.ts';
import { archiveOf, statIn } from './archive.ts';
import { cgroupOf, notRunning } from './context.ts';
import type { Context, ContainersOptions } from './context.ts';
import type {
  Container,
  ContainerEvent,
  ContainerExec,
  ContainerOwner,
  Containers,
  ContainerSpec,
  LogEntry,
  LogOptions,
  NetworkAttachment,
  PathStat,
  RestartPolicy,
} from './containers.ts';
import { createEntry, nameTaken } from './create.ts';
import type { Entry } from './entry.ts';
import { execIn } from './exec.ts';
import { extractInto } from './extract.ts';
import { findLinked, ownerOf } from './links.ts';
import { readLogs } from './logs.ts';
import { readMachine } from './machine.ts';
import type { Machine } from './machine.ts';
import { NAME } from './names.ts';
import { joinNetwork, leaveNetwork, renameInNetworks } from './networking.ts';
import { PendingAttachment } from './pending-attachment.ts';
import { recoverAll } from './recover.ts';
import { refuseRunning, removeEntry, volumeUsers } from './remove.ts';
import { withRoot } from './root.ts';
import { withoutMountPoints } from './changes.ts';
import { startEntry } from './start.ts';
import { killEntry, stopEntry } from './stop.ts';
import { processesOf } from './top.ts';

/** How often a container that its policy starts again is killed before a forced removal gives up. */
const FORCED_TRIES = 5;

/** The engine's containers: keeps the books, and hands each verb to its own file. */
export class EngineContainers implements Containers {
  readonly #context: Context;
  readonly #listeners = new Set<(event: ContainerEvent) => void>();
  readonly #work = new Set<Promise<void>>();
  #machine: Promise<Machine> | undefined;

  constructor(options: ContainersOptions) {
    this.#context = {
      ...options,
      entries: new Map(),
      names: new Map(),
      machine: () => (this.#machine ??= readMachine()),
      find: (nameOrId) => this.#find(nameOrId),
      emit: (entry, action, attributes) => this.#emit(entry, action, attributes),
      startAgain: (entry) => startEntry(this.#context, entry, { byPolicy: true }),
      background: (what, work) => this.#background(what, work),
    };
  }

  async create(spec: ContainerSpec): Promise<Container> {
    return (await createEntry(this.#context, spec)).snapshot();
  }

  get(nameOrId: string): Container {
    return this.#find(nameOrId).snapshot();
  }

  list(filter: { readonly owner?: ContainerOwner; readonly labels?: Readonly<Record<string, string>> } = {}): readonly Container[] {
    const found: Container[] = [];
    for (const entry of this.#context.entries.values()) {
      if (filter.owner !== undefined && entry.spec.owner !== filter.owner) continue;
      if (filter.labels !== undefined && !Object.entries(filter.labels).every(([key, value]) => entry.spec.labels[key] === value)) continue;
      found.push(entry.snapshot());
    }
    return found;
  }

  async start(id: string): Promise<void> {
    const entry = this.#find(id);
    await entry.exclusive(async () => {
      if (entry.removed) throw notFound(id);
      if (entry.state.status === 'paused') {
        throw new LongshoreError('conflict', 'cannot start a paused container, try unpause instead', { object: `container ${entry.name}` });
      }
      if (entry.state.status === 'running') return;
      entry.cancelRestart?.();
      entry.cancelRestart = undefined;
      await startEntry(this.#context, entry);
    });
  }

  async stop(id: string, options: { readonly timeoutSeconds?: number; readonly signal?: number } = {}): Promise<void> {
    await stopEntry(this.#context, this.#find(id), options);
  }

  async kill(id: string, signal: number): Promise<void> {
    await killEntry(this.#context, this.#find(id), signal);
  }

  async pause(id: string): Promise<void> {
    const entry = this.#find(id);
    await entry.exclusive(async () => {
      if (entry.run === undefined) throw notRunning(entry);
      if (entry.state.status === 'paused') {
        throw new LongshoreError('conflict', `container ${entry.id} is already paused`, { object: `container ${entry.name}` });
      }
      await entry.run.runtime.pause();
      entry.change({ status: 'paused' });
      await entry.save();
      this.#emit(entry, 'pause');
    });
  }

  async unpause(id: string): Promise<void> {
    const entry = this.#find(id);
    await entry.exclusive(async () => {
      if (entry.state.status !== 'paused' || entry.run === undefined) {
        throw new LongshoreError('conflict', `Container ${entry.id} is not paused`, { object: `container ${entry.name}` });
      }
      await entry.run.runtime.resume();
      entry.change({ status: 'running' });
      await entry.save();
      this.#emit(entry, 'unpause');
    });
  }

  async restart(id: string, options: { readonly timeoutSeconds?: number; readonly signal?: number } = {}): Promise<void> {
    const entry = this.#find(id);
    // A container that removes itself at its end must outlast this one.
    const { spec } = entry;
    if (spec.autoRemove) entry.setDescription({ spec: { ...spec, autoRemove: false } });
    try {
      await stopEntry(this.#context, entry, options);
      await this.start(entry.id);
    } finally {
      if (spec.autoRemove) entry.setDescription({ spec: { ...entry.spec, autoRemove: true } });
    }
    this.#emit(entry, 'restart');
  }

  async rename(id: string, name: string): Promise<void> {
    const entry = this.#find(id);
    const wanted = name.replace(/^\//, '');
    if (!NAME.test(wanted)) {
      throw new LongshoreError('invalid', `Invalid container name (${wanted}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
        object: `container ${entry.name}`,
      });
    }
    await entry.exclusive(async () => {
      const old = entry.name;
      if (old === wanted) {
        throw new LongshoreError('invalid', 'Renaming a container with the same name as its current name', { object: `container ${old}` });
      }
      const owner = this.#context.names.get(wanted);
      if (owner !== undefined) throw nameTaken(wanted, owner);
      this.#context.names.set(wanted, entry.id);
      this.#context.names.delete(old);
      entry.setDescription({ name: wanted });
      await entry.saveDescription();
      await renameInNetworks(this.#context, entry);
      this.#emit(entry, 'rename', { oldName: `/${old}` });
    });
  }

  async removeLink(path: string): Promise<void> {
    const { owner, alias } = ownerOf(this.#context, path.replace(/^\//, ''));
    await owner.exclusive(async () => {
      owner.setDescription({ spec: { ...owner.spec, links: owner.spec.links!.filter((link) => link.alias !== alias) } });
      await owner.saveDescription();
    });
  }

  async update(id: string, changes: { readonly limits?: CgroupLimits; readonly restart?: RestartPolicy }): Promise<void> {
    const entry = this.#find(id);
    await entry.exclusive(async () => {
      const limits =
        changes.limits === undefined
          ? entry.spec.limits
          : {
              ...entry.spec.limits,
              ...changes.limits,
              ...(changes.limits.blockIo === undefined ? {} : { blockIo: { ...entry.spec.limits.blockIo, ...changes.limits.blockIo } }),
            };
      if (changes.limits !== undefined && entry.run !== undefined) {
        await this.#context.host.cgroups.update(cgroupOf(this.#context, entry), limits);
      }
      entry.setDescription({ spec: { ...entry.spec, limits, ...(changes.restart === undefined ? {} : { restart: changes.restart }) } });
      await entry.saveDescription();
      this.#emit(entry, 'update');
    });
  }

  async remove(id: string, options: { readonly force?: boolean; readonly volumes?: boolean } = {}): Promise<void> {
    const entry = this.#find(id);
    if (options.force !== true) refuseRunning(entry);
    // A restart by policy may be under way while it is killed: it is then killed once more.
    for (let tries = options.force === true ? FORCED_TRIES : 1; !entry.removed; tries--) {
      if (options.force === true && entry.isRunning) {
        await killEntry(this.#context, entry, 9).catch((error: unknown) => {
          if (entry.isRunning) throw error; // else it ended by itself meanwhile
        });
      }
      await entry.exclusive(async () => {
        if (entry.removed || (entry.isRunning && tries > 1)) return;
        refuseRunning(entry);
        await removeEntry(this.#context, entry, { volumes: options.volumes ?? false });
      });
    }
  }

  wait(id: string, condition: 'not-running' | 'next-exit' | 'removed', signal?: AbortSignal): Promise<ExitStatus> {
    return this.#find(id).wait(condition, signal);
  }

  async attach(id: string): Promise<AttachedStreams> {
    const entry = this.#find(id);
    if (entry.run !== undefined) {
      const streams = await entry.run.runtime.attach();
      return entry.spec.openStdin ? streams : withoutStdin(streams);
    }
    const attachment: PendingAttachment = new PendingAttachment(entry.spec.openStdin, () => entry.pending.delete(attachment));
    entry.pending.add(attachment);
    return attachment;
  }

  async resize(id: string, columns: number, rows: number): Promise<void> {
    const entry = this.#find(id);
    if (entry.run === undefined) throw notRunning(entry);
    await entry.run.runtime.resize(columns, rows);
    this.#emit(entry, 'resize', { height: String(rows), width: String(columns) });
  }

  expectExec(): void {
    this.#context.host.cgroups.expectMove?.();
  }

  async exec(id: string, options: ContainerExec): Promise<ExecSession> {
    return execIn(this.#context, this.#find(id), options);
  }

  logs(id: string, options: LogOptions): AsyncIterable<LogEntry> {
    return readLogs(this.#find(id), options);
  }

  async usage(id: string): Promise<CgroupUsage | undefined> {
    const entry = this.#find(id);
    return entry.run === undefined ? undefined : this.#context.host.cgroups.usage(cgroupOf(this.#context, entry));
  }

  async processes(id: string, psArgs?: string): ReturnType<Containers['processes']> {
    return processesOf(this.#context, this.#find(id), psArgs);
  }

  async archive(id: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: () => NodeJS.ReadableStream }> {
    return archiveOf(this.#context, this.#find(id), path, id);
  }

  async extract(
    id: string,
    path: string,
    tar: NodeJS.ReadableStream,
    options: { readonly noOverwriteDirNonDir?: boolean; readonly copyUidGid?: boolean } = {},
  ): Promise<void> {
    const entry = this.#find(id);
    await extractInto(this.#context, entry, path, tar, { ...options, called: id });
    this.#emit(entry, 'extract-to-dir');
  }

  async statPath(id: string, path: string): Promise<PathStat> {
    return statIn(this.#context, this.#find(id), path, id);
  }

  async changes(id: string): ReturnType<Containers['changes']> {
    return withoutMountPoints(await this.#context.images.snapshots.changes(this.#find(id).id));
  }

  onEvent(listener: (event: ContainerEvent) => void): Undo {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async connectNetwork(id: string, attachment: NetworkAttachment): Promise<void> {
    const entry = this.#find(id);
    await entry.exclusive(() => joinNetwork(this.#context, entry, attachment));
  }

  async disconnectNetwork(id: string, networkId: string): Promise<void> {
    const entry = this.#find(id);
    await entry.exclusive(() => leaveNetwork(this.#context, entry, networkId));
  }

  async reopenLog(id: string): Promise<void> {
    await this.#find(id).run?.runtime.reopenLog();
  }

  announce(id: string, action: string, attributes?: Readonly<Record<string, string>>): void {
    this.#emit(this.#find(id), action, attributes);
  }

  async withRoot<T>(id: string, work: (rootfs: string) => Promise<T>): Promise<T> {
    return withRoot(this.#context, this.#find(id), work);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#work);
  }

  volumeUsers(name: string): readonly string[] {
    return volumeUsers(this.#context, name);
  }

  async recover(networks?: (live: ReadonlySet<string>) => Promise<void>): Promise<void> {
    await recoverAll(this.#context, networks ?? ((live) => this.#context.networks.recover(live)));
  }

  async close(options: { readonly stopContainers: boolean }): Promise<void> {
    const entries = [...this.#context.entries.values()];
    for (const entry of entries) {
      entry.cancelRestart?.();
      if (!options.stopContainers) entry.stopHealth?.();
    }
    if (options.stopContainers) {
      await Promise.all(entries.filter((entry) => entry.isRunning).map(async (entry) => {
        const { stoppedByUser } = entry.state;
        await stopEntry(this.#context, entry);
        // Ours was the wish, not the user's: `unless-stopped` takes it up again.
        if (!stoppedByUser && !entry.removed) {
          entry.change({ stoppedByUser: false });
          await entry.save();
        }
      }));
    }
    await this.settled();
  }

  #find(nameOrId: string): Entry {
    const { entries, names } = this.#context;
    const wanted = nameOrId.replace(/^\//, '');
    const direct = entries.get(wanted) ?? entries.get(names.get(wanted) ?? '');
    if (direct !== undefined) return direct;
    if (wanted.includes('/')) {
      const linked = findLinked(this.#context, wanted);
      if (linked === undefined) throw notFound(nameOrId);
      return linked;
    }
    let found: Entry | undefined;
    if (/^[0-9a-f]+$/.test(wanted)) {
      for (const entry of entries.values()) {
        if (!entry.id.startsWith(wanted)) continue;
        if (found !== undefined) {
          throw new LongshoreError('invalid', `multiple IDs found with provided prefix: ${wanted}`, {
            object: `container ${wanted}`,
            remedy: 'Write more of the id.',
          });
        }
        found = entry;
      }
    }
    if (found === undefined) throw notFound(nameOrId);
    return found;
  }

  #emit(entry: Entry, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    const event: ContainerEvent = { action, container: entry.snapshot(), timeMs: this.#context.clock.now(), attributes };
    for (const listener of this.#listeners) listener(event);
  }

  #background(what: string, work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#context.logger.warn(`${what} failed`, { error: messageOf(error) }))
      .finally(() => this.#work.delete(done));
    this.#work.add(done);
  }
}

function notFound(nameOrId: string): LongshoreError {
  return new LongshoreError('not-found', `No such container: ${nameOrId}`, { object: `container ${nameOrId}` });
}

function withoutStdin(streams: AttachedStreams): AttachedStreams {
  return { stdin: undefined, onOutput: (listener) => streams.onOutput(listener), closed: streams.closed, detach: () => streams.detach() };
}
