import { isDeleted, tombstone } from './key-record.ts';
import type { Mvcc } from './mvcc.ts';
import type { Compare, KeyValue, TxnRequest, TxnResult } from './store.ts';

/** What a transaction comes to: the answer, and what it writes (empty when it changes nothing). */
export interface Decision {
  readonly result: TxnResult;
  readonly writes: readonly KeyValue[];
}

/** The state as it will be once all waiting writes are durable: what transactions are decided on. */
export class PendingState {
  readonly #mvcc: Mvcc;
  /** The newest waiting version of each key that has one. */
  readonly #heads = new Map<string, KeyValue>();
  #revision: number;

  constructor(mvcc: Mvcc) {
    this.#mvcc = mvcc;
    this.#revision = mvcc.revision;
  }

  /** Decides a checked transaction and takes its writes in. Deterministic. */
  decide(request: TxnRequest): Decision {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const ops = succeeded ? request.success : (request.failure ?? []);
    const revision = this.#revision + 1;
    const writes: KeyValue[] = [];
    for (const op of ops) {
      const head = this.#head(op.key);
      const existing = head === undefined || isDeleted(head) ? undefined : head;
      if (op.type === 'put') {
        writes.push({
          // The string that is held already, and not one more of the same content.
          key: head?.key ?? op.key,
          value: op.value,
          createRevision: existing?.createRevision ?? revision,
          modRevision: revision,
          version: (existing?.version ?? 0) + 1,
        });
      } else if (existing !== undefined) {
        writes.push(tombstone(existing.key, revision));
      }
    }
    if (writes.length === 0) return { result: { succeeded, revision: this.#revision }, writes };
    this.#revision = revision;
    for (const kv of writes) this.#heads.set(kv.key, kv);
    return { result: { succeeded, revision }, writes };
  }

  /** These writes are part of the durable state now. */
  settle(writes: readonly KeyValue[]): void {
    for (const kv of writes) {
      if (this.#heads.get(kv.key) === kv) this.#heads.delete(kv.key);
    }
  }

  /** Forgets all that waited: back to the durable state. */
  reset(): void {
    this.#heads.clear();
    this.#revision = this.#mvcc.revision;
  }

  #head(key: string): KeyValue | undefined {
    return (this.#heads.size === 0 ? undefined : this.#heads.get(key)) ?? this.#mvcc.head(key);
  }

  #holds(compare: Compare): boolean {
    const head = this.#head(compare.key);
    const absent = head === undefined || isDeleted(head);
    if ('modRevision' in compare) return (absent ? 0 : head.modRevision) === compare.modRevision;
    return (absent ? 0 : head.version) === compare.version;
  }
}
