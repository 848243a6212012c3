import { LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Journal, JournalEntry } from './journal.ts';
import type { Mvcc } from './mvcc.ts';
import { PendingState } from './pending.ts';
import type { Decision } from './pending.ts';
import { checkTxn, readLimit, readRevision } from './request.ts';
import type { KeyValue, RangeOptions, RangeResult, Store, TxnRequest, TxnResult, WatchOptions, WatchSink } from './store.ts';
import { WatchHub } from './watch-hub.ts';

/** Bounds of what is synced at once; beyond them a batch would hold up the event loop. */
const BATCH_STEPS = 4_096;
const BATCH_BYTES = 4 * 2 ** 20;
/** Bounds of what may wait. */
const QUEUE_STEPS = 100_000;
const QUEUE_BYTES = 256 * 2 ** 20;
/** How many revisions are freed at one go: a few milliseconds' work. */
const PRUNE_STEP = 2_000;

/** One call that waits to become durable. */
type Step =
  | {
      readonly type: 'txn';
      readonly request: TxnRequest;
      readonly bytes: number;
      decision: Decision;
      readonly resolve: (result: TxnResult) => void;
      readonly reject: (error: Error) => void;
    }
  | {
      readonly type: 'compact';
      readonly revision: number;
      readonly bytes: number;
      readonly resolve: () => void;
      readonly reject: (error: Error) => void;
    };

export interface MvccStoreOptions {
  readonly mvcc: Mvcc;
  readonly journal: Journal;
  readonly logger: Logger;
}

/**
 * The store proper, over any journal: decides transactions at once on the
 * pending state, hands them to the journal in batches (group commit), and shows
 * a batch, to reads, watches and callers alike, once the journal has it.
 */
export class MvccStore implements Store {
  readonly #mvcc: Mvcc;
  readonly #journal: Journal;
  readonly #logger: Logger;
  readonly #pending: PendingState;
  readonly #hub: WatchHub;
  #queue: Step[] = [];
  #queueBytes = 0;
  /** Steps of the batch that the journal has now. */
  #inFlight = 0;
  #running = false;
  #idle: Promise<void> = Promise.resolve();
  /** The revision to which history is kept for a snapshot that is being written. */
  #pinned = Infinity;
  #pruning = false;
  #checkpoint: Promise<void> = Promise.resolve();
  #checkpointing = false;
  #open = true;
  #closed: Promise<void> | undefined;

  constructor({ mvcc, journal, logger }: MvccStoreOptions) {
    this.#mvcc = mvcc;
    this.#journal = journal;
    this.#logger = logger;
    this.#pending = new PendingState(mvcc);
    this.#hub = new WatchHub(mvcc, logger);
    this.#prune();
  }

  get revision(): number {
    return this.#mvcc.revision;
  }

  get compactedRevision(): number {
    return this.#mvcc.compacted;
  }

  get(key: string, revision?: number): KeyValue | undefined {
    return this.#mvcc.get(key, readRevision(revision, this.#mvcc.revision, this.#mvcc.compacted));
  }

  range(start: string, end: string, options: RangeOptions = {}): RangeResult {
    const revision = readRevision(options.revision, this.#mvcc.revision, this.#mvcc.compacted);
    const entries: KeyValue[] = [];
    const count = this.#mvcc.range(start, end, revision, readLimit(options), entries);
    return { entries, revision, more: count > entries.length, count };
  }

  txn(request: TxnRequest): Promise<TxnResult> {
    return new Promise((resolve, reject) => {
      const bytes = checkTxn(request);
      this.#checkOpen('write to');
      this.#checkRoom();
      const decision = this.#pending.decide(request);
      if (decision.writes.length === 0 && !this.#busy) resolve(decision.result);
      else this.#enqueue({ type: 'txn', request, bytes, decision, resolve, reject });
    });
  }

  watch(options: WatchOptions, sink: WatchSink): () => void {
    this.#checkOpen('watch');
    return this.#hub.add(options, sink);
  }

  compact(revision: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#checkOpen('compact');
      this.#checkRoom();
      readRevision(revision, this.#mvcc.revision, 0);
      if (revision <= this.#mvcc.compacted) resolve();
      else this.#enqueue({ type: 'compact', revision, bytes: 0, resolve, reject });
    });
  }

  stats(): { readonly keys: number; readonly bytes: number; readonly history: number } {
    return { keys: this.#mvcc.keys, bytes: this.#mvcc.bytes, history: this.#mvcc.revision - this.#mvcc.compacted };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  get #busy(): boolean {
    return this.#inFlight > 0 || this.#queue.length > 0;
  }

  #checkOpen(verb: string): void {
    if (!this.#open) throw new LongshoreError('unavailable', `cannot ${verb} the state store: it is closed`);
  }

  #checkRoom(): void {
    if (this.#queue.length < QUEUE_STEPS && this.#queueBytes < QUEUE_BYTES) return;
    throw new LongshoreError('unavailable', `the state store is overloaded: ${this.#queue.length} writes (${this.#queueBytes} bytes) wait for the disk`, {
      remedy: 'Try again later, and check whether the disk is slow.',
    });
  }

  #enqueue(step: Step): void {
    this.#queue.push(step);
    this.#queueBytes += step.bytes;
    if (this.#running) return;
    this.#running = true;
    this.#idle = new Promise((resolve) => {
      const run = (): void => void this.#run().then(resolve);
      // All requests that this turn of the event loop brings share the first sync.
      if (this.#journal.immediate) queueMicrotask(run);
      else setImmediate(run);
    });
  }

  /** Writes batch after batch until nothing waits. Never rejects. */
  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      const entries: JournalEntry[] = [];
      for (const step of batch) {
        if (step.type === 'compact') {
          entries.push({ type: 'compact', revision: step.revision });
        } else if (step.decision.writes.length > 0) {
          entries.push({ type: 'txn', revision: step.decision.result.revision, writes: step.decision.writes });
        }
      }
      this.#inFlight = batch.length;
      try {
        if (entries.length > 0) await this.#journal.append(entries);
      } catch (error) {
        this.#inFlight = 0;
        this.#refuse(batch, error instanceof Error ? error : new LongshoreError('internal', messageOf(error)));
        continue;
      }
      this.#inFlight = 0;
      this.#show(batch);
    }
    this.#running = false;
  }

  #takeBatch(): Step[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < BATCH_STEPS && (count === 0 || bytes + this.#queue[count]!.bytes <= BATCH_BYTES)) {
      bytes += this.#queue[count++]!.bytes;
    }
    this.#queueBytes -= bytes;
    if (count === this.#queue.length) {
      const batch = this.#queue;
      this.#queue = [];
      return batch;
    }
    return this.#queue.splice(0, count);
  }

  /** The batch is durable: into the state, then to the watches, then to the callers. */
  #show(batch: readonly Step[]): void {
    const transactions = [];
    let compacted = false;
    for (const step of batch) {
      if (step.type === 'compact') {
        this.#mvcc.compact(step.revision);
        compacted = true;
      } else if (step.decision.writes.length > 0) {
        transactions.push(this.#mvcc.apply(step.decision.writes));
        this.#pending.settle(step.decision.writes);
      }
    }
    this.#hub.dispatch(transactions);
    if (compacted) {
      this.#hub.compacted();
      this.#prune();
    }
    for (const step of batch) {
      if (step.type === 'compact') step.resolve();
      else step.resolve(step.decision.result);
    }
  }

  /**
   * Nothing of the batch is written. What only read, and what waits behind, was
   * decided on writes that now never were: it is decided again, in its order.
   */
  #refuse(batch: readonly Step[], error: Error): void {
    this.#pending.reset();
    const again: Step[] = [];
    for (const step of batch) {
      if (step.type === 'txn' && step.decision.writes.length === 0) {
        again.push(step);
        this.#queueBytes += step.bytes;
      } else {
        step.reject(error);
      }
    }
    this.#queue = [...again, ...this.#queue];
    for (const step of this.#queue) {
      if (step.type === 'txn') step.decision = this.#pending.decide(step.request);
    }
  }

  /** Frees what was compacted, a little at a time, then looks whether a snapshot would pay. */
  #prune(mayCheckpoint = true): void {
    if (this.#pruning) return;
    this.#pruning = true;
    const step = (): void => {
      if (this.#open && !this.#mvcc.prune(Math.min(this.#mvcc.compacted - 1, this.#pinned), PRUNE_STEP)) {
        setImmediate(step);
        return;
      }
      this.#pruning = false;
      if (mayCheckpoint && !this.#checkpointing && this.#open && this.#journal.wantsCheckpoint(this.#mvcc.compacted - 1, this.#mvcc.bytes)) {
        this.#checkpoint = this.#writeCheckpoint();
      }
    };
    step();
  }

  async #writeCheckpoint(): Promise<void> {
    this.#checkpointing = true;
    const revision = this.#mvcc.compacted - 1;
    this.#pinned = revision;
    const release = (): void => {
      this.#pinned = Infinity;
    };
    let written = false;
    try {
      await this.#journal.checkpoint({ revision, scan: (after, max) => this.#mvcc.scan(after, max, revision), release });
      written = true;
    } catch (error) {
      // Nothing is lost by that: the log still holds everything. The next compaction tries again.
      if (this.#open) {
        this.#logger.warn('the state store could not write a snapshot; its log keeps growing', { revision, error: messageOf(error) });
      }
    } finally {
      release();
      this.#checkpointing = false;
    }
    this.#prune(written);
  }

  async #close(): Promise<void> {
    // Calls made before this one are let through; those made after it are refused.
    this.#open = false;
    while (this.#running) await this.#idle;
    this.#hub.endAll(new LongshoreError('unavailable', 'the state store was closed'));
    const closing = this.#journal.close();
    await this.#checkpoint;
    await closing;
  }
}
