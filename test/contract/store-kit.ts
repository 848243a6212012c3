/** What the cases of the store's contract are written with. */
import type { TestContext } from 'node:test';
import type { Compare, KeyValue, Op, Store, TxnRequest, TxnResult, WatchEvent } from '../../src/control-plane/store/store.ts';
import { isCode } from '../../src/lib/errors.ts';
import type { ErrorCode } from '../../src/lib/errors.ts';

export interface StoreFactory {
  /** An empty store; whatever it needs is undone through `t.after`. */
  readonly open: (t: TestContext) => Promise<Store>;
  /** Closes a store that `open` or `reopen` returned, and opens it again on what it has kept. Only for those that keep something. */
  readonly reopen?: (store: Store, t: TestContext) => Promise<Store>;
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const put = (key: string, value = 'v'): Op => ({ type: 'put', key, value: bytes(value) });
export const del = (key: string): Op => ({ type: 'delete', key });
export const write = (...success: Op[]): TxnRequest => ({ compare: [], success });
export const code = (wanted: ErrorCode) => (error: unknown): boolean => isCode(error, wanted);

/** A plain form to compare: values as text. */
export function plain(kv: KeyValue | undefined): unknown {
  return kv === undefined ? undefined : [kv.key, Buffer.from(kv.value).toString(), kv.createRevision, kv.modRevision, kv.version];
}

export function plainEvent(event: WatchEvent): unknown {
  return event.type === 'put'
    ? ['put', plain(event.kv), plain(event.prev)]
    : ['delete', event.kv.key, event.kv.modRevision, event.kv.value.length, plain(event.prev)];
}

export const dump = (store: Store, revision?: number): unknown[] => store.range('\0', '\uffff', revision === undefined ? {} : { revision }).entries.map(plain);

/** Collects a watch; `until` waits for the revision and gives what has come. */
export class Collector {
  readonly batches: { readonly events: readonly WatchEvent[]; readonly revision: number }[] = [];
  error: Error | undefined;
  #wake: () => void = () => {};

  events(events: readonly WatchEvent[], revision: number): void {
    this.batches.push({ events, revision });
    this.#wake();
  }

  ended(error: Error): void {
    this.error = error;
    this.#wake();
  }

  get all(): WatchEvent[] {
    return this.batches.flatMap((batch) => batch.events);
  }

  async until(revision: number): Promise<unknown[]> {
    while ((this.batches.at(-1)?.revision ?? 0) < revision && this.error === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.all.map(plainEvent);
  }

  async untilEnded(): Promise<Error> {
    while (this.error === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.error;
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A small generator of pseudo-random whole numbers (mulberry32), so that a failure can be replayed. */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The naive store: a map for each revision. */
export class Model {
  readonly revisions: Map<string, KeyValue>[] = [new Map(), new Map()];
  readonly events: WatchEvent[][] = [[], []];

  get revision(): number {
    return this.revisions.length - 1;
  }

  txn(request: TxnRequest): TxnResult {
    const now = this.revisions.at(-1)!;
    const succeeded = request.compare.every((compare) => {
      const kv = now.get(compare.key);
      return 'version' in compare ? (kv?.version ?? 0) === compare.version : (kv?.modRevision ?? 0) === compare.modRevision;
    });
    const next = new Map(now);
    const revision = this.revision + 1;
    const events: WatchEvent[] = [];
    for (const op of succeeded ? request.success : (request.failure ?? [])) {
      const prev = now.get(op.key);
      if (op.type === 'put') {
        const kv = { key: op.key, value: op.value, createRevision: prev?.createRevision ?? revision, modRevision: revision, version: (prev?.version ?? 0) + 1 };
        next.set(op.key, kv);
        events.push({ type: 'put', kv, prev });
      } else if (prev !== undefined) {
        next.delete(op.key);
        events.push({ type: 'delete', kv: { key: op.key, value: bytes(''), createRevision: 0, modRevision: revision, version: 0 }, prev });
      }
    }
    if (events.length === 0) return { succeeded, revision: this.revision };
    this.revisions.push(next);
    this.events.push(events);
    return { succeeded, revision };
  }

  dump(revision = this.revision): unknown[] {
    return [...this.revisions[revision]!.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).map(plain);
  }

  eventsFrom(revision: number, prefix = ''): unknown[] {
    return this.events.slice(revision).flat().filter((event) => event.kv.key.startsWith(prefix)).map(plainEvent);
  }
}

/** Some random transaction over a few hundred keys. */
export function randomTxn(random: (below: number) => number, model: Model, n: number): TxnRequest {
  const key = (): string => `/r/${'abc'[random(3)]}/${random(120)}`;
  const keys = [...new Set(Array.from({ length: 1 + random(3) }, key))];
  const ops = (mark: string): Op[] => keys.map((k) => (random(4) === 0 ? del(k) : put(k, `${mark}${n}`)));
  const compare: Compare[] = [];
  if (random(2) === 0) {
    const known = model.revisions.at(-1)!.get(keys[0]!);
    const off = random(4) === 0 ? 1 : 0;
    compare.push(random(2) === 0 ? { key: keys[0]!, modRevision: (known?.modRevision ?? 0) + off } : { key: keys[0]!, version: (known?.version ?? 0) + off });
  }
  return { compare, success: ops('s'), ...(random(2) === 0 ? { failure: ops('f') } : {}) };
}
