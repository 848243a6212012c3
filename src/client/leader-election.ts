import { rfc3339Micro, type Clock } from '../lib/clock.ts';
import { isCode, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { randomInt } from '../lib/random.ts';
import type { KubeObject, ObjectMeta } from '../types/kubernetes/meta.ts';
import { leases } from './resources.ts';
import type { Transport } from './transport.ts';

export interface LeaderElectionOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process. */
  readonly identity: string;
  /** Others wait this long after the last renewal before they take over. Milliseconds, whole seconds. */
  readonly leaseMs?: number;
  /** Without a renewal for this long the leader gives up; less than `leaseMs`. */
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
  /** We lead from now on, until `signal` aborts. */
  readonly lead: (signal: AbortSignal) => void;
}

interface Lease extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/**
 * Campaigns for a coordination.k8s.io Lease. It trusts no other machine's
 * clock: a lease counts as run out when it has not changed for its duration
 * by our own time.
 */
export class LeaderElection {
  readonly #options: Required<LeaderElectionOptions>;
  readonly #stop = new AbortController();
  #observed: { readonly version: string; readonly atMs: number } | undefined;
  #leading: AbortController | undefined;
  #renewedMs = 0;
  #loop: Promise<void> | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000, ...options };
  }

  get isLeader(): boolean {
    return this.#leading !== undefined;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Stops leading, gives the lease back if it is ours, and campaigns no more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { clock, retryMs, random, logger } = this.#options;
    while (!this.#stop.signal.aborted) {
      let holds = false;
      try {
        holds = await this.#attempt();
      } catch (error) {
        const lost = isCode(error, 'conflict') || isCode(error, 'already-exists');
        logger[lost ? 'debug' : 'warn']('the leader lease could not be taken or renewed', { lease: this.#options.name, error: messageOf(error) });
        holds = this.#leading !== undefined && clock.monotonic() - this.#renewedMs < this.#options.renewDeadlineMs;
      }
      if (holds && this.#leading === undefined) {
        logger.info('leading', { lease: this.#options.name, identity: this.#options.identity });
        this.#leading = new AbortController();
        this.#options.lead(this.#leading.signal);
      } else if (!holds) this.#resign();
      const wait = this.#leading ? retryMs : retryMs + randomInt(random, Math.floor(retryMs * 1.2));
      await clock.sleep(wait, this.#stop.signal).catch(() => undefined); // aborted: the loop's condition ends it
    }
    const led = this.#leading !== undefined;
    this.#resign();
    if (led) await this.#release();
  }

  #resign(): void {
    if (this.#leading === undefined) return;
    this.#options.logger.info('no longer leading', { lease: this.#options.name });
    this.#leading.abort();
    this.#leading = undefined;
  }

  /** @returns whether the lease is ours */
  async #attempt(): Promise<boolean> {
    const { transport, clock, namespace, name, identity, leaseMs } = this.#options;
    const startedMs = clock.monotonic();
    const now = rfc3339Micro(clock.now());
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), acquireTime: now, renewTime: now };
    let lease: Lease;
    try {
      lease = await transport.get<Lease>(leases, namespace, name);
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
      await transport.create<Lease>(leases, namespace, { metadata: { name, namespace }, spec: { ...mine, leaseTransitions: 0 } });
      this.#renewedMs = startedMs;
      return true;
    }
    const version = lease.metadata.resourceVersion ?? '';
    if (this.#observed?.version !== version) this.#observed = { version, atMs: startedMs };
    const holder = lease.spec?.holderIdentity ?? '';
    const durationMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    if (holder !== identity && holder !== '' && startedMs - this.#observed.atMs < durationMs) return false;
    const spec = holder === identity
      ? { ...lease.spec, ...mine, ...(lease.spec?.acquireTime !== undefined && { acquireTime: lease.spec.acquireTime }) }
      : { ...lease.spec, ...mine, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    const written = await transport.update<Lease>(leases, namespace, name, { ...lease, spec });
    this.#observed = { version: written.metadata.resourceVersion ?? '', atMs: startedMs };
    this.#renewedMs = startedMs;
    return true;
  }

  /** Lets the next one in without waiting for the lease to run out. */
  async #release(): Promise<void> {
    const { transport, namespace, name, identity, logger, clock } = this.#options;
    try {
      const lease = await transport.get<Lease>(leases, namespace, name);
      if (lease.spec?.holderIdentity !== identity) return;
      await transport.update<Lease>(leases, namespace, name, {
        ...lease,
        spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: rfc3339Micro(clock.now()) },
      });
    } catch (error) {
      logger.debug('the leader lease could not be given back; it runs out by itself', { lease: name, error: messageOf(error) });
    }
  }
}
