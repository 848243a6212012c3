import { rm } from 'node:fs/promises';
import { pods } from '../../client/resources.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { isCode, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Container, EphemeralContainer, Pod, PodStatus } from '../../types/kubernetes/generated/core-v1.ts';
import type { MountedVolume } from '../volumes/volumes.ts';
import { deadlineMs, isTerminal, OVERDUE, type PodFailure } from './admission.ts';
import { containerConfig, logFolder, sandboxConfig } from './container-config.ts';
import type { AgentContext } from './context.ts';
import { runHook } from './hooks.ts';
import { ImageError } from './image-puller.ts';
import { withLastWords } from './last-words.ts';
import { allContainers, planPod, type ContainerStart, type PodPlan } from './plan.ts';
import { changesOf, withConditions } from './pod-changes.ts';
import { hostsFile } from './pod-names.ts';
import { qosClass } from './resources.ts';
import { FIRST_RESTART_MS, RestartBackoff } from './restart-backoff.ts';
import { podStatus } from './status.ts';
import { terminatePod } from './termination.ts';
import { untilAborted } from './until-aborted.ts';
import { viewPod, type PodView } from './view.ts';

/** After an error of ours or of the runtime: when to look again, doubling. */
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 20_000;
/** What is missing may be there in a moment: manifests are applied in any order. */
const CONFIG_RETRY_MS = 2000;
const HOOK_TIMEOUT_MS = 120_000;
/** What is evicted for its disk has no time to fill it further. */
const EVICTION_GRACE_S = 1;

type Waiting = { readonly reason: string; readonly message?: string };

/**
 * Brings one pod, and keeps it, to what its spec says: level-triggered, one
 * step at a time. Whatever happens (a new version of the pod, a container's end, a probe's
 * verdict) only asks for another look.
 */
export class PodWorker {
  readonly uid: string;
  readonly #context: AgentContext;
  readonly #log: Logger;
  readonly #gone: (uid: string) => void;
  #pod: Pod;
  #view: PodView | undefined;
  #volumes: ReadonlyMap<string, MountedVolume> | undefined;
  #waiting = new Map<string, Waiting>();
  /** Killed for a probe or a hook: by container id. */
  readonly #hookFailures = new Map<string, string>();
  readonly #hooksRunning = new Set<string>();
  readonly #restarts = new RestartBackoff();
  /** The API does not have the pod any more. */
  #removed = false;
  /** Labels or annotations have changed, which files of the pod may show. */
  #filesStale = false;
  #running = false;
  #again = false;
  #failures = 0;
  /** Why the pod has failed, where it is not for its containers' exit codes. */
  #failed: PodFailure | undefined;
  #abort = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #ended = false;
  #closed = false;
  #work: Promise<void> = Promise.resolve();

  /** `gone` is called when nothing is left of the pod on this node. */
  constructor(context: AgentContext, pod: Pod, gone: (uid: string) => void) {
    this.#context = context;
    this.#pod = pod;
    this.uid = pod.metadata?.uid ?? '';
    this.#gone = gone;
    this.#log = context.logger.child({ pod: `${pod.metadata?.namespace}/${pod.metadata?.name}` });
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The container's newest run, by name; the one before with `previous`. For logs and exec. */
  containerId(name: string, previous = false): string | undefined {
    const run = this.#view?.containers.get(name);
    return (previous ? run?.previous : run?.latest)?.id;
  }

  /** Why a container has not started, as in its status. */
  waitingReason(name: string): string | undefined {
    return this.#waiting.get(name)?.reason;
  }

  get sandboxId(): string | undefined {
    return this.#view?.sandbox?.state === 'SANDBOX_READY' ? this.#view.sandbox.id : undefined;
  }

  /** Its resources are free for others. */
  get failed(): boolean {
    return this.#failed !== undefined;
  }

  /** The node does not take the pod: it fails, and nothing of it is started. */
  refuse({ reason, message }: PodFailure): void {
    this.#event('Warning', reason, message);
    this.#failed = { reason, message: `Pod was rejected: ${message}` };
  }

  /** The pod has to go from this node, and fails. */
  evict(why: PodFailure): void {
    if (this.#failed) return;
    this.#event('Warning', why.reason, why.message);
    this.#failed = why;
    this.poke();
  }

  /** A newer version of the pod from the API. */
  update(pod: Pod): void {
    const before = this.#pod;
    this.#pod = pod;
    if (this.#isLeaving()) this.#abort.abort(new LongshoreError('canceled', 'the pod is being deleted'));
    const { look, files } = changesOf(before, pod);
    this.#filesStale ||= files;
    if (look) this.poke();
  }

  /** The API has no such pod any more: take it down without further ado. */
  remove(): void {
    this.#removed = true;
    this.#abort.abort(new LongshoreError('canceled', 'the pod was deleted'));
    this.poke();
  }

  /** Look again. */
  poke(): void {
    if (this.#closed || this.#ended) return;
    this.#cancelTimer?.();
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    this.#work = this.#loop();
  }

  /** The agent stops; containers go on. Resolves when the step that is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#abort.abort(new LongshoreError('canceled', 'the agent is stopping'));
    await this.#work;
  }

  #isLeaving(): boolean {
    return this.#removed || this.#pod.metadata?.deletionTimestamp !== undefined;
  }

  async #loop(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#sync();
        this.#failures = 0;
      } catch (error) {
        if (this.#closed) break;
        if (this.#abort.signal.aborted && this.#isLeaving()) {
          this.#abort = new AbortController();
          this.#again = true;
          continue;
        }
        const waitMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
        this.#log.warn('could not bring the pod to what it should be, trying again', { error: messageOf(error), waitMs });
        this.#wake(waitMs);
      }
    } while (this.#again && !this.#closed && !this.#ended);
    this.#running = false;
  }

  #wake(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#context.clock.after(ms, () => this.poke());
  }

  async #sync(): Promise<void> {
    const { cri, clock, volumes } = this.#context;
    this.#view = await viewPod(cri, this.uid);
    if (this.#isLeaving()) {
      await this.#terminate();
      return;
    }
    for (const id of this.#view.stale) await cri.removeContainer(id);
    for (const id of this.#view.emptySandboxes) await cri.removePodSandbox(id);
    const deadline = this.#deadlineMs();
    if (!isTerminal(this.#pod) && deadline <= clock.now()) this.#failed ??= OVERDUE;
    if (this.#failed || (isTerminal(this.#pod) && this.#view.containers.size === 0)) {
      await this.#fail();
      return;
    }
    let plan = this.#plan();
    if (plan.finished) {
      await this.#finish(plan);
      return;
    }
    if (this.#volumes && this.#filesStale) await volumes.refresh(this.#pod);
    this.#filesStale = false;
    this.#volumes ??= await this.#setUpVolumes();
    if (plan.sandbox !== undefined) {
      await this.#makeSandbox(plan.sandbox);
      this.#view = await viewPod(cri, this.uid);
      plan = this.#plan();
    }
    for (const { id, container, why } of plan.kill) {
      this.#event('Normal', 'Killing', why, container);
      const seconds = this.#containerSpec(container)?.livenessProbe?.terminationGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds ?? 30;
      this.#context.prober.unwatch(id);
      await untilAborted(cri.stopContainer(id, seconds), this.#abort.signal);
      this.#hookFailures.delete(id);
    }
    this.#waiting = new Map();
    let retryAtMs = deadline;
    for (const start of plan.start) {
      const retry = await this.#start(start);
      if (retry !== undefined) retryAtMs = Math.min(retryAtMs, retry);
      this.#abort.signal.throwIfAborted();
    }
    for (const [name, readyAt] of plan.backingOff) {
      if (!this.#waiting.has(name)) this.#waiting.set(name, { reason: 'CrashLoopBackOff', message: this.#restarts.message(name, this.#pod) });
      this.#event('Warning', 'BackOff', `Back-off restarting failed container ${name} in pod ${this.#pod.metadata?.name}_${this.#pod.metadata?.namespace}(${this.uid})`, name);
      retryAtMs = Math.min(retryAtMs, readyAt);
    }
    if (plan.start.length > 0 || plan.kill.length > 0) {
      this.#view = await viewPod(cri, this.uid);
      // A side-car without a startup probe has started as soon as it runs.
      this.#watchProbes();
      plan = this.#plan();
      // A container may have ended, or an init container made way, while others were started.
      if (plan.finished || plan.sandbox !== undefined || plan.kill.length > 0 || plan.start.some(({ container }) => !this.#waiting.has(container.name))) this.#again = true;
    }
    this.#watchProbes();
    await this.#publish(plan);
    // The pod's time may have begun with this status.
    retryAtMs = Math.min(retryAtMs, this.#deadlineMs());
    if (retryAtMs < Infinity) this.#wake(Math.max(50, retryAtMs - clock.now()));
  }

  #plan(): PodPlan {
    const { prober, clock } = this.#context;
    return planPod(this.#pod, this.#view!, {
      started: (id) => prober.started(id) && !this.#hooksRunning.has(id),
      mustRestart: (id) => this.#hookFailures.get(id) ?? prober.mustRestart(id),
    }, this.#restarts, clock.now());
  }

  async #setUpVolumes(): Promise<ReadonlyMap<string, MountedVolume>> {
    try {
      return await this.#context.volumes.setUp(this.#pod, this.#abort.signal);
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.#event('Warning', 'FailedMount', `MountVolume.SetUp failed: ${messageOf(error)}`);
        await this.#publish({ finished: undefined, initialized: false });
      }
      throw error;
    }
  }

  async #makeSandbox(attempt: number): Promise<void> {
    const { cri } = this.#context;
    const old = this.#view!.sandbox;
    if (old) {
      this.#event('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
      await cri.stopPodSandbox(old.id);
    }
    try {
      await cri.runPodSandbox(await sandboxConfig(this.#context, this.#pod, attempt));
    } catch (error) {
      this.#event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(error)}`);
      throw error;
    }
  }

  /** Starts one container. @returns when to try again, where it could not be started */
  async #start({ container, attempt }: ContainerStart): Promise<number | undefined> {
    const { cri, clock, images } = this.#context;
    const view = this.#view!;
    const { name } = container;
    try {
      const imageId = await images.ensure(this.#pod, container, this.#abort.signal);
      const address = this.#address();
      const config = await containerConfig(this.#context, this.#pod, container, attempt, imageId, address, this.#volumes!, await hostsFile(this.#context, this.#pod, address), this.#targetOf(container));
      const created = view.containers.get(name)?.latest;
      if (created?.state === 'CONTAINER_CREATED') await cri.removeContainer(created.id);
      const sandboxId = view.sandbox!.id;
      if (attempt > 0) this.#restarts.raise(name);
      const id = await cri.createContainer(sandboxId, config, await sandboxConfig(this.#context, this.#pod, view.sandbox!.metadata.attempt));
      this.#event('Normal', 'Created', 'Container created', name);
      try {
        await cri.startContainer(id);
      } catch (error) {
        this.#event('Warning', 'Failed', `Error: ${messageOf(error)}`, name);
        this.#waiting.set(name, { reason: 'RunContainerError', message: messageOf(error) });
        return clock.now() + this.#restarts.delayMs(name);
      }
      this.#event('Normal', 'Started', 'Container started', name);
      if (container.lifecycle?.postStart) this.#runPostStart(container, id, address);
      return undefined;
    } catch (error) {
      if (this.#abort.signal.aborted) throw error;
      if (error instanceof ImageError) {
        this.#waiting.set(name, { reason: error.reason, message: error.message });
        return error.retryAtMs;
      }
      const reason = isCode(error, 'not-found') || isCode(error, 'invalid') ? 'CreateContainerConfigError' : 'CreateContainerError';
      this.#event('Warning', 'Failed', `Error: ${messageOf(error)}`, name);
      this.#waiting.set(name, { reason, message: messageOf(error) });
      return clock.now() + (reason === 'CreateContainerConfigError' ? CONFIG_RETRY_MS : FIRST_RESTART_MS);
    }
  }

  /** Runs beside the container; until it has ended, the container counts as not started. */
  #runPostStart(container: Container, id: string, address: string): void {
    const { cri, clock } = this.#context;
    this.#hooksRunning.add(id);
    void runHook(cri, clock, container.lifecycle!.postStart!, container, id, address, HOOK_TIMEOUT_MS).then((failure) => {
      this.#hooksRunning.delete(id);
      if (failure !== undefined) {
        this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`, container.name);
        this.#hookFailures.set(id, 'FailedPostStartHook');
      }
      this.poke();
    });
  }

  #watchProbes(): void {
    const { prober } = this.#context;
    const address = this.#address();
    for (const container of allContainers(this.#pod)) {
      const run = this.#view!.containers.get(container.name);
      if (!run) continue;
      const { latest, previous } = run;
      if (previous) prober.unwatch(previous.id);
      if (latest.state !== 'CONTAINER_RUNNING') {
        prober.unwatch(latest.id);
        continue;
      }
      const known = [...(this.#pod.status?.containerStatuses ?? []), ...(this.#pod.status?.initContainerStatuses ?? [])].find(({ containerID }) => containerID === `longshore://${latest.id}`);
      prober.watch({ pod: this.#pod, container, containerId: latest.id, address, startedMs: Number(latest.startedAt / 1_000_000n), wasReady: known?.ready ?? false, wasStarted: known?.started ?? false, changed: () => this.poke() });
    }
  }

  async #publish(plan: Pick<PodPlan, 'finished' | 'initialized'>, extra: { readonly terminating?: boolean; readonly failed?: PodFailure } = {}): Promise<void> {
    if (this.#view) this.#view = await withLastWords(this.#context.folder, this.#pod, this.#view);
    const status = this.#status(plan, extra);
    // Not awaited while the pod lives: the next look need not wait for the write.
    const written = this.#context.statuses.set(this.#pod, status);
    if (plan.finished || extra.terminating) await written;
  }

  #status(plan: Pick<PodPlan, 'finished' | 'initialized'>, extra: { readonly terminating?: boolean; readonly failed?: PodFailure }): PodStatus {
    const { prober, nodeAddress, clock, statuses } = this.#context;
    const last = statuses.get(this.uid);
    return podStatus({
      pod: last ? { ...this.#pod, status: { ...this.#pod.status, ...last, conditions: withConditions(this.#pod.status?.conditions ?? [], last.conditions ?? []) } } : this.#pod,
      view: this.#view!, plan, waiting: this.#waiting,
      started: (id) => prober.started(id) && !this.#hooksRunning.has(id),
      ready: (id) => prober.ready(id),
      nodeAddress, nowMs: clock.now(), ...extra,
    });
  }

  async #finish(plan: PodPlan): Promise<void> {
    const { volumes } = this.#context;
    // Side-cars have nobody left to serve.
    await this.#endContainers();
    await this.#publish(plan);
    await volumes.tearDown(this.uid);
    this.#volumes = undefined;
  }

  #deadlineMs(): number {
    return deadlineMs(this.#pod, this.#pod.status?.startTime ?? this.#context.statuses.get(this.uid)?.startTime);
  }

  /** The pod has failed as a whole, now or in an earlier life of the agent: nothing of it runs on. */
  async #fail(): Promise<void> {
    const { clock, statuses, volumes } = this.#context;
    if (this.#failed && this.#view!.sandbox === undefined && !isTerminal(this.#pod)) {
      // Nothing of it was ever here, and so there is no more to tell.
      await statuses.set(this.#pod, { phase: 'Failed', reason: this.#failed.reason, message: this.#failed.message, qosClass: this.#pod.status?.qosClass ?? qosClass(this.#pod), startTime: this.#pod.status?.startTime ?? rfc3339(clock.now()) });
      return;
    }
    await this.#endContainers();
    this.#waiting = new Map();
    if (this.#failed) {
      await this.#publish({ finished: 'Failed', initialized: true }, { failed: this.#failed });
    }
    await volumes.tearDown(this.uid);
    this.#volumes = undefined;
  }

  async #terminate(): Promise<void> {
    const { cri, statuses, volumes, transport } = this.#context;
    await this.#endContainers();
    this.#waiting = new Map();
    if (!this.#removed) await this.#publish({ finished: undefined, initialized: true }, { terminating: true });
    for (const id of [...(this.#view!.sandbox ? [this.#view!.sandbox.id] : []), ...this.#view!.olderSandboxes]) await cri.removePodSandbox(id);
    await volumes.tearDown(this.uid);
    await rm(logFolder(this.#context.folder, this.#pod), { recursive: true, force: true });
    if (!this.#removed) {
      try {
        await transport.delete(pods, this.#pod.metadata?.namespace, this.#pod.metadata?.name ?? '', { gracePeriodSeconds: 0, preconditions: { uid: this.uid } });
      } catch (error) {
        if (!isCode(error, 'not-found') && !isCode(error, 'conflict')) throw error;
      }
    }
    statuses.forget(this.uid);
    this.#ended = true;
    this.#gone(this.uid);
  }

  /** Ends what runs of the pod, within its grace, which a deletion may cut short. */
  async #endContainers(): Promise<void> {
    const now = (): { readonly pod: Pod; readonly removed: boolean; readonly graceSeconds?: number } => ({ pod: this.#pod, removed: this.#removed, ...(this.#failed?.disrupted && { graceSeconds: EVICTION_GRACE_S }) });
    await terminatePod(this.#context, now, this.#view!, (container, message) => this.#event('Normal', 'Killing', message, container), (view) => (this.#view = view));
  }

  #containerSpec(name: string): Container | undefined {
    return allContainers(this.#pod).find((container) => container.name === name);
  }

  /** The running container whose processes an ephemeral one asks to see. @throws LongshoreError `invalid` */
  #targetOf(container: EphemeralContainer): string | undefined {
    const { targetContainerName } = container;
    if (!targetContainerName) return undefined;
    const target = this.#view?.containers.get(targetContainerName)?.latest;
    if (target?.state !== 'CONTAINER_RUNNING') throw new LongshoreError('invalid', `unable to find target container "${targetContainerName}"`, { object: `container ${container.name}` });
    return target.id;
  }

  #address(): string {
    return this.#pod.spec?.hostNetwork ? this.#context.nodeAddress : this.#view?.sandbox?.network.ip ?? '';
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void {
    const field = this.#pod.spec?.initContainers?.some(({ name }) => name === container) ? 'initContainers' : this.#pod.spec?.ephemeralContainers?.some(({ name }) => name === container) ? 'ephemeralContainers' : 'containers';
    this.#context.events.event({ apiVersion: 'v1', kind: 'Pod', ...(this.#pod.metadata && { metadata: this.#pod.metadata }), ...(container !== undefined && { fieldPath: `spec.${field}{${container}}` }) }, type, reason, message);
  }
}
