import { LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Mvcc } from './mvcc.ts';
import type { WatchEvent, WatchOptions, WatchSink } from './store.ts';

/** A watch that catches up hands on at most so many events at once, and looks at so many revisions, before others get a turn. */
const CATCH_UP_EVENTS = 1_000;
const CATCH_UP_REVISIONS = 10_000;

interface Watcher {
  readonly prefix: string;
  readonly sink: WatchSink;
  /** The first revision it has not seen. */
  next: number;
  stopped: boolean;
}

/**
 * Who watches what. Watches of the same prefix share one list of events, and an
 * event finds its watches by the prefixes of its key, so that thousands of idle
 * watches cost nothing.
 */
export class WatchHub {
  readonly #mvcc: Mvcc;
  readonly #logger: Logger;
  readonly #groups = new Map<string, Set<Watcher>>();
  /** The lengths of the prefixes in #groups. */
  #lengths: number[] = [];
  readonly #catchingUp = new Set<Watcher>();

  constructor(mvcc: Mvcc, logger: Logger) {
    this.#mvcc = mvcc;
    this.#logger = logger;
  }

  /** As Store.watch; nothing is delivered before it has returned. */
  add(options: WatchOptions, sink: WatchSink): () => void {
    const now = this.#mvcc.revision;
    const next = options.fromRevision ?? now + 1;
    if (!Number.isSafeInteger(next) || next < 0) {
      throw new LongshoreError('invalid', `cannot watch ${options.prefix} from revision ${next}: it is not a whole number`);
    }
    if (next < this.#mvcc.compacted) throw goneError(next, this.#mvcc.compacted);
    const watcher: Watcher = { prefix: options.prefix, sink, next, stopped: false };
    if (next > now) this.#join(watcher);
    else {
      this.#catchingUp.add(watcher);
      queueMicrotask(() => this.#catchUp(watcher));
    }
    return () => this.#drop(watcher);
  }

  /** Delivers transactions that have just been applied, in order. */
  dispatch(transactions: readonly (readonly WatchEvent[])[]): void {
    if (this.#groups.size === 0) return;
    const found = new Map<Set<Watcher>, WatchEvent[]>();
    for (const events of transactions) {
      for (const event of events) {
        const { key } = event.kv;
        for (const length of this.#lengths) {
          if (length > key.length) break;
          const group = this.#groups.get(key.slice(0, length));
          if (group === undefined) continue;
          const list = found.get(group);
          if (list === undefined) found.set(group, [event]);
          else list.push(event);
        }
      }
    }
    const { revision } = this.#mvcc;
    for (const [group, events] of found) {
      const first = events[0]!.kv.modRevision;
      for (const watcher of group) {
        // Most take all; one that starts in the future, or came while this was delivered, does not.
        const wanted = watcher.next <= first ? events : events.filter((event) => event.kv.modRevision >= watcher.next);
        if (wanted.length > 0) this.#deliver(watcher, wanted, revision);
      }
    }
  }

  /** Ends the watches that are still behind the compacted revision. */
  compacted(): void {
    for (const watcher of this.#catchingUp) {
      if (watcher.next < this.#mvcc.compacted) this.#end(watcher, goneError(watcher.next, this.#mvcc.compacted));
    }
  }

  /** Ends all watches. */
  endAll(error: Error): void {
    const all = [...this.#catchingUp, ...[...this.#groups.values()].flatMap((group) => [...group])];
    for (const watcher of all) this.#end(watcher, error);
  }

  #catchUp(watcher: Watcher): void {
    if (watcher.stopped) return;
    const until = Math.min(this.#mvcc.revision, watcher.next + CATCH_UP_REVISIONS - 1);
    const events: WatchEvent[] = [];
    let revision = watcher.next;
    for (; revision <= until && events.length < CATCH_UP_EVENTS; revision++) {
      for (const event of this.#mvcc.eventsAt(revision)) {
        if (event.kv.key.startsWith(watcher.prefix)) events.push(event);
      }
    }
    watcher.next = revision;
    if (events.length > 0) this.#deliver(watcher, events, revision - 1);
    if (watcher.stopped) return;
    if (watcher.next > this.#mvcc.revision) this.#join(watcher);
    else setImmediate(() => this.#catchUp(watcher));
  }

  #deliver(watcher: Watcher, events: readonly WatchEvent[], revision: number): void {
    if (watcher.stopped) return;
    watcher.next = revision + 1;
    try {
      watcher.sink.events(events, revision);
    } catch (error) {
      // A sink must not throw. One that does loses its watch, so that no other one and no write suffers.
      this.#logger.error('a watch failed to take its events and was ended', { prefix: watcher.prefix, revision, error: messageOf(error) });
      this.#end(
        watcher,
        new LongshoreError(
          'internal',
          `the watch of ${watcher.prefix} was ended, since it failed at revision ${revision}: ${messageOf(error)}`,
          { cause: error },
        ),
      );
    }
  }

  #end(watcher: Watcher, error: Error): void {
    if (watcher.stopped) return;
    this.#drop(watcher);
    try {
      watcher.sink.ended(error);
    } catch (thrown) {
      this.#logger.error('a watch failed to take its end', { prefix: watcher.prefix, error: messageOf(thrown) });
    }
  }

  #join(watcher: Watcher): void {
    this.#catchingUp.delete(watcher);
    const group = this.#groups.get(watcher.prefix);
    if (group !== undefined) {
      group.add(watcher);
      return;
    }
    this.#groups.set(watcher.prefix, new Set([watcher]));
    this.#measure();
  }

  #drop(watcher: Watcher): void {
    if (watcher.stopped) return;
    watcher.stopped = true;
    this.#catchingUp.delete(watcher);
    const group = this.#groups.get(watcher.prefix);
    if (group?.delete(watcher) !== true || group.size > 0) return;
    this.#groups.delete(watcher.prefix);
    this.#measure();
  }

  #measure(): void {
    this.#lengths = [...new Set([...this.#groups.keys()].map((prefix) => prefix.length))].sort((a, b) => a - b);
  }
}

/** The error for a read or watch below the compacted revision. */
export function goneError(revision: number, compacted: number): LongshoreError {
  return new LongshoreError('gone', `revision ${revision} is too old: history before revision ${compacted} was compacted`, {
    remedy: 'List again and watch from the revision of that list.',
  });
}
