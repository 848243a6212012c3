import { mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';
import type { Undo } from '../../lib/undo.ts';
import type { Endpoint } from '../network/network.ts';
import type { ExitStatus, RuntimeContainer } from '../runtime/runtime.ts';
import type { Container, ContainerSpec, ContainerStatus } from './containers.ts';
import type { PendingAttachment } from './pending-attachment.ts';

/** What of a container is written to state.json at each change. */
export interface SavedState {
  status: ContainerStatus;
  pid: number | undefined;
  startedMs: number | undefined;
  exit: ExitStatus | undefined;
  restartCount: number;
  error: string | undefined;
  /** A user stopped it: no restart policy but `always` takes it up again. */
  stoppedByUser: boolean;
  endpoints: readonly Endpoint[];
  /** Where its network namespace is, for who joins it; `host`. */
  netns?: string | undefined;
}

/** What is written once, to container.json, and again when a user changes it. */
export interface SavedContainer {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly createdMs: number;
}

/** What lives only while the container's processes do. */
export interface Run {
  readonly runtime: RuntimeContainer;
  /** Path of its network namespace; `host`; undefined when it has one of its own that nobody else can join. */
  readonly netns: string | undefined;
  /** Resolves when the exit was noted in the state. */
  readonly noted: Promise<void>;
}

interface Waiter {
  readonly condition: 'not-running' | 'next-exit' | 'removed';
  readonly resolve: (status: ExitStatus) => void;
}

const NEVER_RAN: ExitStatus = { code: 0, oomKilled: false, finishedMs: 0 };

/** One container as the engine keeps it: its description, its state, and what is held for it while it runs. */
export class Entry {
  readonly id: string;
  readonly folder: string;
  readonly createdMs: number;
  readonly state: SavedState;
  name: string;
  spec: ContainerSpec;
  run: Run | undefined;
  health: Container['health'];
  stopHealth: (() => void) | undefined;
  /** Cancels a restart that waits for its back-off. */
  cancelRestart: (() => void) | undefined;
  /** Failures in a row, for the back-off. */
  quickExits = 0;
  releaseImage: Undo | undefined;
  readonly pending = new Set<PendingAttachment>();
  /** Taking down of what the last run held; the next start waits for it. */
  tidying: Promise<void> = Promise.resolve();
  removed = false;
  #serial: Promise<unknown> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  #snapshot: Container | undefined;
  #waiters: Waiter[] = [];

  constructor(folder: string, saved: SavedContainer, state?: SavedState) {
    this.folder = folder;
    this.id = saved.id;
    this.name = saved.name;
    this.spec = saved.spec;
    this.createdMs = saved.createdMs;
    this.state = state ?? {
      status: 'created',
      pid: undefined,
      startedMs: undefined,
      exit: undefined,
      restartCount: 0,
      error: undefined,
      stoppedByUser: false,
      endpoints: [],
    };
    this.health = undefined;
  }

  get bundle(): string {
    return `${this.folder}/bundle`;
  }

  get rootfs(): string {
    return this.spec.rootfs ?? `${this.folder}/rootfs`;
  }

  get logPath(): string {
    return this.spec.logPath ?? `${this.folder}/container.log`;
  }

  get short(): string {
    return this.id.slice(0, 12);
  }

  /** True while there are processes, or will be again by policy. */
  get isRunning(): boolean {
    const { status } = this.state;
    return status === 'running' || status === 'paused' || status === 'restarting';
  }

  /** The state as others see it: the same object until something changes. */
  snapshot(): Container {
    return (this.#snapshot ??= {
      id: this.id,
      name: this.name,
      spec: this.spec,
      createdMs: this.createdMs,
      status: this.state.status,
      pid: this.state.pid,
      startedMs: this.state.startedMs,
      exit: this.state.exit,
      restartCount: this.state.restartCount,
      error: this.state.error,
      health: this.health,
      endpoints: this.state.endpoints,
      logPath: this.logPath,
      rootfs: this.rootfs,
    });
  }

  /** Changes the state in memory; `save` follows where the change must outlive the daemon. */
  change(changes: Partial<SavedState>): void {
    Object.assign(this.state, changes);
    this.#snapshot = undefined;
  }

  setHealth(health: Container['health']): void {
    this.health = health;
    this.#snapshot = undefined;
  }

  setDescription(changes: { readonly name?: string; readonly spec?: ContainerSpec }): void {
    if (changes.name !== undefined) this.name = changes.name;
    if (changes.spec !== undefined) this.spec = changes.spec;
    this.#snapshot = undefined;
  }

  /** Runs one after another what changes the container's life. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#serial.then(work);
    this.#serial = result.catch(() => undefined); // told to whoever asked for it
    return result;
  }

  async saveDescription(): Promise<void> {
    const saved: SavedContainer = { version: 1, id: this.id, name: this.name, spec: this.spec, createdMs: this.createdMs };
    await writeWhole(`${this.folder}/container.json`, JSON.stringify(saved));
  }

  /** Writes the state as it is by then; writes follow each other. */
  save(): Promise<void> {
    const written = this.#saving.then(async () => {
      if (!this.removed) await writeWhole(`${this.folder}/state.json`, JSON.stringify(this.state));
    });
    this.#saving = written.catch(() => undefined); // told to the caller
    return written;
  }

  async makeFolders(): Promise<void> {
    await mkdir(this.folder, { mode: 0o711 });
    await Promise.all([mkdir(this.bundle, { mode: 0o710 }), this.spec.rootfs === undefined ? mkdir(this.rootfs, { mode: 0o755 }) : undefined]);
  }

  /** After this, and a crash, the container is not there any more. What else its folder holds can go later. */
  async forget(): Promise<void> {
    this.removed = true;
    await this.#saving;
    await unlink(`${this.folder}/container.json`).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
  }

  wait(condition: Waiter['condition'], signal?: AbortSignal): Promise<ExitStatus> {
    if (condition === 'not-running' && !this.isRunning) return Promise.resolve(this.state.exit ?? NEVER_RAN);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        condition,
        resolve: (status) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(status);
        },
      };
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal!.reason as Error);
      };
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Tells those who wait that a run has ended, or that the container is gone. */
  tell(what: 'exit' | 'removed'): void {
    const status = this.state.exit ?? NEVER_RAN;
    const met = (waiter: Waiter): boolean => what === 'removed' || waiter.condition === 'next-exit' || (waiter.condition === 'not-running' && !this.isRunning);
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => !met(waiter));
    for (const waiter of waiters) if (met(waiter)) waiter.resolve(status);
  }
}

/** Writes a file whole or not at all, for whoever reads it after a crash of this process. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
