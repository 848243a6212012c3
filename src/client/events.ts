import { rfc3339, type Clock } from '../lib/clock.ts';
import { isCode, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { KubeObject, ObjectMeta } from '../types/kubernetes/meta.ts';
import { events } from './resources.ts';
import type { Transport } from './transport.ts';

export type EventType = 'Normal' | 'Warning';

/** What an event is about. `fieldPath` names a part, as in `spec.containers{web}`. */
export interface EventTarget {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata?: Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
  readonly fieldPath?: string;
}

export interface EventRecorder {
  /** Notes that something happened to an object; written later, never awaited, never failing the caller. */
  event(target: EventTarget, type: EventType, reason: string, message: string): void;
}

export interface EventRecorderOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `source.component` and `reportingComponent`: `replicaset-controller`. */
  readonly component: string;
  /** `source.host`, for the agent. */
  readonly host?: string;
}

interface Entry {
  /** Equal for events that are counted as one. */
  readonly id: string;
  readonly target: EventTarget;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly nowMs: number;
}

/** An event that was written. */
interface Known {
  readonly name: string;
  readonly namespace: string;
  count: number;
}

/** Events that may wait to be written. */
const QUEUE_CAPACITY = 4000;
/** So many are written at once; those of one kind on one object in turn. */
const WRITERS = 32;
/** Entries of each of the caches below; the oldest ones go first. */
const CACHE_CAPACITY = 4096;
/** One object of one component may have so many events at once, and then one every so often. */
const BURST = 25;
const REFILL_MS = 300_000;
/** So many events of one reason on one object with different messages within the window are folded into one. */
const SIMILAR_LIMIT = 10;
const SIMILAR_WINDOW_MS = 600_000;
const ATTEMPTS = 3;

/**
 * Writes core/v1 Events as kubectl reads them: the same event again raises the
 * count of the one there is; too many similar ones are folded together; a
 * noisy object is held back.
 */
export class EventWriter implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #known = new Map<string, Known>();
  readonly #similar = new Map<string, { messages: Set<string>; lastMs: number }>();
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  readonly #queue: Entry[] = [];
  #head = 0;
  readonly #writing = new Map<string, Promise<void>>();
  #writers = 0;
  #dropped = 0;
  #sequence = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  event(target: EventTarget, type: EventType, reason: string, message: string): void {
    const nowMs = this.#options.clock.now();
    const object = [target.kind, target.metadata?.namespace, target.metadata?.name, target.metadata?.uid, target.fieldPath].join('/');
    const kind = `${object} ${type} ${reason}`;
    const folded = this.#isSimilar(kind, message, nowMs);
    if (!this.#admit(object, nowMs)) return;
    if (this.#queue.length - this.#head >= QUEUE_CAPACITY) {
      this.#dropped++;
      return;
    }
    this.#queue.push({
      id: folded ? kind : `${kind} ${message}`,
      target,
      type,
      reason,
      message: folded ? `(combined from similar events): ${message}` : message,
      nowMs,
    });
    if (this.#writers < WRITERS) void this.#work();
  }

  /** Resolves when all that was recorded is written or given up. */
  async flush(): Promise<void> {
    while (this.#writers > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  async #work(): Promise<void> {
    this.#writers++;
    while (this.#head < this.#queue.length) {
      const entry = this.#queue[this.#head++]!;
      const before = this.#writing.get(entry.id);
      const write = before === undefined ? this.#write(entry) : before.then(() => this.#write(entry));
      this.#writing.set(entry.id, write);
      await write;
      if (this.#writing.get(entry.id) === write) this.#writing.delete(entry.id);
    }
    this.#queue.length = this.#head = 0;
    this.#writers--;
    if (this.#dropped > 0) {
      this.#options.logger.warn('events were dropped, since too many waited', { count: this.#dropped });
      this.#dropped = 0;
    }
  }

  /** Never rejects. */
  async #write(entry: Entry): Promise<void> {
    const known = this.#known.get(entry.id);
    for (let attempt = 1; ; attempt++) {
      try {
        if (known !== undefined && (await this.#raise(known, entry))) return;
        await this.#create(entry, (known?.count ?? 0) + 1);
        return;
      } catch (error) {
        // A namespace that is being deleted takes no events; nor does a second try help against other refusals.
        const final = isCode(error, 'forbidden') || isCode(error, 'not-found') || isCode(error, 'invalid') || isCode(error, 'unauthorized');
        if (final || attempt >= ATTEMPTS) {
          this.#options.logger.debug('an event could not be written', { reason: entry.reason, error: messageOf(error) });
          return;
        }
        await this.#options.clock.sleep(100 * 4 ** attempt);
      }
    }
  }

  /** @returns false when the event is gone (events expire): it is then written anew */
  async #raise(known: Known, { message, nowMs }: Entry): Promise<boolean> {
    const count = known.count + 1;
    try {
      await this.#options.transport.patch(events, known.namespace, known.name, 'merge', { count, message, lastTimestamp: rfc3339(nowMs) });
    } catch (error) {
      if (isCode(error, 'not-found')) return false;
      throw error;
    }
    known.count = count;
    return true;
  }

  async #create({ id, target, type, reason, message, nowMs }: Entry, count: number): Promise<void> {
    const { component, host } = this.#options;
    const metadata = target.metadata ?? {};
    const namespace = metadata.namespace || 'default';
    // As upstream names them: the object's name and a time that is nearly unique; the sequence makes it so.
    const stamp = (BigInt(nowMs) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000)).toString(16);
    const name = `${metadata.name ?? 'unknown'}.${stamp}`;
    const body = {
      metadata: { name, namespace },
      involvedObject: {
        ...(target.apiVersion !== undefined && { apiVersion: target.apiVersion }),
        ...(target.kind !== undefined && { kind: target.kind }),
        ...(metadata.namespace && { namespace: metadata.namespace }),
        ...(metadata.name !== undefined && { name: metadata.name }),
        ...(metadata.uid !== undefined && { uid: metadata.uid }),
        ...(metadata.resourceVersion !== undefined && { resourceVersion: metadata.resourceVersion }),
        ...(target.fieldPath !== undefined && { fieldPath: target.fieldPath }),
      },
      type, reason, message, count,
      firstTimestamp: rfc3339(nowMs), lastTimestamp: rfc3339(nowMs),
      source: { component, ...(host !== undefined && { host }) },
      reportingComponent: component, reportingInstance: host ?? '',
    };
    await this.#options.transport.create<KubeObject>(events, namespace, body);
    remember(this.#known, id, { name, namespace, count });
  }

  /** Notes the message; true when so many different ones came that this one is to be folded. */
  #isSimilar(kind: string, message: string, nowMs: number): boolean {
    let entry = this.#similar.get(kind);
    if (entry === undefined || nowMs - entry.lastMs > SIMILAR_WINDOW_MS) {
      entry = { messages: new Set(), lastMs: nowMs };
      remember(this.#similar, kind, entry);
    }
    entry.lastMs = nowMs;
    if (entry.messages.size < SIMILAR_LIMIT) entry.messages.add(message);
    return !entry.messages.has(message);
  }

  /** A token bucket for each object. */
  #admit(object: string, nowMs: number): boolean {
    let bucket = this.#buckets.get(object);
    if (bucket === undefined) {
      bucket = { tokens: BURST, atMs: nowMs };
      remember(this.#buckets, object, bucket);
    }
    bucket.tokens = Math.min(BURST, bucket.tokens + Math.max(nowMs - bucket.atMs, 0) / REFILL_MS);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

function remember<V>(cache: Map<string, V>, key: string, value: V): void {
  cache.delete(key);
  cache.set(key, value);
  if (cache.size > CACHE_CAPACITY) cache.delete(cache.keys().next().value!);
}
