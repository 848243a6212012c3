import type { Worker } from 'node:worker_threads';
import { availableParallelism } from 'node:os';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import { LayerIngest } from './ingest.ts';
import type { IngestJob } from './ingest-job.ts';
import type { FromWorker, Job, Jobs, ToWorker } from './worker.ts';

interface Waiting {
  readonly job: Job;
  readonly signal: AbortSignal | undefined;
  readonly progress: ((bytes: number) => void) | undefined;
  resolve(result: never): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  /** The job that it does, by its id. */
  current: { readonly id: number; readonly waiting: Waiting; readonly cleanup: () => void } | undefined;
  /** Blobs that come in pieces, beside what it does. */
  readonly ingests: Map<number, LayerIngest>;
  cancelIdle: () => void;
}

/** Jobs that may wait. */
const BOUND = 10_000;
/** Blobs that may come at a time; each holds 2 MiB. */
const MAX_INGESTS = 64;

/** Threads for layers, started on demand, at most as many as there are processors (four), stopped after a while without work. */
export class LayerWorkers {
  readonly #clock: Clock;
  readonly #width: number;
  readonly #idleMs: number;
  readonly #threads = new Set<Thread>();
  #queue: Waiting[] = [];
  #starting = 0;
  /** The latest start; never rejects. */
  #started = Promise.resolve();
  #nextId = 1;
  #ingests = 0;
  #closed = false;

  constructor(clock: Clock, options: { readonly width?: number; readonly idleMs?: number } = {}) {
    this.#clock = clock;
    this.#width = options.width ?? Math.min(Math.max(availableParallelism(), 1), 4);
    this.#idleMs = options.idleMs ?? 3000;
  }

  /** @throws what the job throws; `canceled` when the signal aborts; `exhausted` when too many wait */
  run<K extends keyof Jobs>(
    job: Jobs[K]['job'] & { readonly kind: K },
    options: { readonly signal?: AbortSignal; readonly progress?: (bytes: number) => void } = {},
  ): Promise<Jobs[K]['result']> {
    if (this.#closed) return Promise.reject(new LongshoreError('unavailable', 'the image store is closed'));
    if (this.#queue.length >= BOUND) return Promise.reject(new LongshoreError('exhausted', 'too many layers wait to be unpacked'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, signal: options.signal, progress: options.progress, resolve, reject });
      this.#dispatch();
    });
  }

  /** Begins a blob on a thread. @throws `exhausted` when too many come at a time */
  async ingest(job: Pick<IngestJob, 'path' | 'target'>): Promise<LayerIngest> {
    if (this.#ingests >= MAX_INGESTS) {
      throw new LongshoreError('exhausted', `more than ${MAX_INGESTS} layers come at a time`, {
        remedy: 'Try again when other pulls are done.',
      });
    }
    this.#ingests++;
    try {
      const thread = await this.#leastBusy();
      const id = this.#nextId++;
      // Work keeps the process alive, an idle thread does not.
      thread.worker.ref();
      thread.cancelIdle();
      const ingest = new LayerIngest(job, (message) => thread.worker.postMessage({ id, ...message } satisfies ToWorker, []));
      thread.ingests.set(id, ingest);
      return ingest;
    } catch (error) {
      this.#ingests--;
      throw error;
    }
  }

  /** Starts a thread ahead of work that is sure to come. */
  warm(): void {
    if (!this.#closed && this.#threads.size + this.#starting === 0) void this.#start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#queue.splice(0)) waiting.reject(new LongshoreError('unavailable', 'the image store is closed'));
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  async #leastBusy(): Promise<Thread> {
    const load = (thread: Thread): number => thread.ingests.size + (thread.current ? 1 : 0);
    const least = (): Thread | undefined => [...this.#threads].sort((a, b) => load(a) - load(b))[0];
    let thread = least();
    // One that is about to start is as good as idle.
    if (this.#starting > 0 && (!thread || load(thread) > 0)) await this.#started;
    else if (this.#threads.size < this.#width && (!thread || load(thread) > 0)) await this.#start();
    thread = least();
    if (this.#closed) throw new LongshoreError('unavailable', 'the image store is closed');
    if (!thread) throw new LongshoreError('internal', 'no thread to unpack layers could be started');
    return thread;
  }

  #dispatch(): void {
    for (const thread of this.#threads) {
      if (this.#queue.length === 0) return;
      if (!thread.current) this.#give(thread, this.#queue.shift()!);
    }
    const wanted = Math.min(this.#queue.length, this.#width - this.#threads.size - this.#starting);
    for (let n = this.#starting; n < wanted; n++) void this.#start();
  }

  #start(): Promise<void> {
    this.#started = this.#startThread();
    return this.#started;
  }

  async #startThread(): Promise<void> {
    this.#starting++;
    try {
      const { startLayerWorker } = await import('./worker.ts');
      const worker = startLayerWorker();
      const thread: Thread = { worker, current: undefined, ingests: new Map(), cancelIdle: () => {} };
      worker.on('message', (message: FromWorker) => this.#message(thread, message));
      worker.on('error', (error) => this.#ended(thread, error));
      worker.on('exit', () => this.#ended(thread, new LongshoreError('internal', 'the thread that unpacks layers ended')));
      if (this.#closed) {
        await worker.terminate();
        return;
      }
      this.#threads.add(thread);
      this.#rest(thread);
    } catch (error) {
      for (const waiting of this.#queue.splice(0)) waiting.reject(error);
    } finally {
      this.#starting--;
    }
    this.#dispatch();
  }

  #give(thread: Thread, waiting: Waiting): void {
    const id = this.#nextId++;
    thread.cancelIdle();
    const onAbort = (): void => thread.worker.postMessage({ id, abort: true } satisfies ToWorker, []);
    if (waiting.signal?.aborted) {
      waiting.reject(waiting.signal.reason);
      this.#rest(thread);
      return;
    }
    waiting.signal?.addEventListener('abort', onAbort, { once: true });
    thread.current = { id, waiting, cleanup: () => waiting.signal?.removeEventListener('abort', onAbort) };
    // Work keeps the process alive, an idle thread does not.
    thread.worker.ref();
    thread.worker.postMessage({ id, job: waiting.job } satisfies ToWorker, []);
  }

  #message(thread: Thread, message: FromWorker): void {
    const ingest = thread.ingests.get(message.id);
    if (ingest) {
      if ('freed' in message) {
        ingest.freed(message.freed);
        return;
      }
      if ('ingested' in message) ingest.done(message.ingested);
      else if ('error' in message) ingest.failed(revive(message.error));
      thread.ingests.delete(message.id);
      this.#ingests--;
      this.#rest(thread);
      return;
    }
    const current = thread.current;
    if (!current || current.id !== message.id) return;
    if ('progress' in message) {
      current.waiting.progress?.(message.progress);
      return;
    }
    thread.current = undefined;
    current.cleanup();
    if ('error' in message) current.waiting.reject(revive(message.error));
    else if ('result' in message) current.waiting.resolve(message.result as never);
    const next = this.#queue.shift();
    if (next) this.#give(thread, next);
    else this.#rest(thread);
  }

  #rest(thread: Thread): void {
    thread.cancelIdle();
    if (thread.current || thread.ingests.size > 0) return;
    thread.worker.unref();
    thread.cancelIdle = this.#clock.after(this.#idleMs, () => {
      if (thread.current || thread.ingests.size > 0) return;
      this.#threads.delete(thread);
      void thread.worker.terminate();
    });
  }

  #ended(thread: Thread, error: unknown): void {
    thread.cancelIdle();
    this.#threads.delete(thread);
    const current = thread.current;
    thread.current = undefined;
    current?.cleanup();
    current?.waiting.reject(error);
    for (const ingest of thread.ingests.values()) ingest.failed(error);
    this.#ingests -= thread.ingests.size;
    thread.ingests.clear();
    if (!this.#closed) this.#dispatch();
  }
}

function revive(error: Extract<FromWorker, { error: unknown }>['error']): Error {
  if (error.longshore) {
    return new LongshoreError(error.longshore, error.message, {
      ...(error.object === undefined ? {} : { object: error.object }),
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    });
  }
  return Object.assign(new Error(error.message), error.code === undefined ? {} : { code: error.code });
}
