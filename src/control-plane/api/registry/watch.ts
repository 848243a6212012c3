import { isCode } from '../../../lib/errors.ts';
import type { RegistryWatchSink, WatchParameters } from '../contract.ts';
import type { Store } from '../../store/store.ts';
import { Change } from './changes.ts';
import { expired } from './errors.ts';
import type { Feed } from './feed.ts';
import type { Kind } from './kinds.ts';
import { parseRevision } from './revision.ts';
import { select } from './selection.ts';
import { Stored } from './stored.ts';
import { Watcher } from './watcher.ts';

/**
 * Starts a watch. From a resourceVersion: all changes after it, from the
 * memory of recent changes or else from the store's history. Without one, or
 * from '0': the present state as ADDED first.
 * @returns the undo that stops it
 * @throws StatusError 410 `too old resource version`, 400
 */
export function watch(
  parts: { readonly store: Store; readonly feed: Feed },
  kind: Kind,
  namespace: string | undefined,
  options: WatchParameters,
  sink: RegistryWatchSink,
): () => void {
  const { feed, store } = parts;
  const from = parseRevision(options.resourceVersion) ?? 0;
  const selection = select(kind, namespace, options);
  const { cache } = kind;
  const newest = Math.max(feed.revision, cache.changes.last);
  const initial = options.sendInitialEvents ?? from === 0;
  // Without initial events, version 0 means from now on.
  const after = initial || from === 0 ? newest : from;
  const watcher = new Watcher({ selection, bookmarks: options.allowWatchBookmarks ?? false, after, sink, kind });
  if (initial && from > newest) return whenReached(feed, watcher, from, () => start(feed, kind, watcher, options));
  if (initial) {
    start(feed, kind, watcher, options);
    return () => leave(kind, watcher);
  }
  if (after >= cache.changes.from) {
    join(kind, watcher);
    return () => leave(kind, watcher);
  }
  return replay(store, kind, watcher, after);
}

function leave(kind: Kind, watcher: Watcher): void {
  if (watcher.stopped) return;
  watcher.stop();
  kind.cache.watchers.delete(watcher);
}

/** From what is remembered to what happens, without a gap: no other code runs in between. */
function join(kind: Kind, watcher: Watcher): void {
  for (const change of kind.cache.changes.after(watcher.after)) watcher.offer(change);
  if (!watcher.stopped) kind.cache.watchers.add(watcher);
}

/** The present state, the bookmark that ends it, then what happens. */
function start(feed: Feed, kind: Kind, watcher: Watcher, options: WatchParameters): void {
  const { cache } = kind;
  const { selection } = watcher;
  const revision = Math.max(feed.revision, cache.changes.last);
  watcher.seen(revision);
  const indexed = selection.key === undefined ? cache.byIndex(selection) : undefined;
  if (selection.key !== undefined) {
    const only = cache.get(selection.key);
    if (only !== undefined && selection.includes(selection.key, only)) watcher.initial(only);
  } else if (indexed !== undefined) {
    for (const stored of indexed) watcher.initial(stored);
  } else {
    cache.view().scan(selection.prefix, '', (stored, key) => {
      if (selection.includes(key, stored)) watcher.initial(stored);
      return !watcher.stopped;
    });
  }
  if (options.sendInitialEvents === true) watcher.bookmark(revision, true);
  if (!watcher.stopped) kind.cache.watchers.add(watcher);
}

function whenReached(feed: Feed, watcher: Watcher, revision: number, then: () => void): () => void {
  feed.notOlderThan(revision)?.then(
    () => {
      if (!watcher.stopped) then();
    },
    (error: Error) => watcher.end(error),
  );
  return () => watcher.stop();
}

/** Reads history from the store until the memory of recent changes takes over. */
function replay(store: Store, kind: Kind, watcher: Watcher, after: number): () => void {
  const { cache } = kind;
  let halt: (() => void) | undefined;
  let joined = false;
  const tooOld = (): Error => expired(`too old resource version: ${after} (${store.compactedRevision})`);
  const handOver = (): void => {
    if (joined || watcher.stopped || watcher.after < cache.changes.from) return;
    joined = true;
    queueMicrotask(() => halt?.());
    join(kind, watcher);
  };
  try {
    halt = store.watch({ prefix: cache.prefix, fromRevision: after + 1 }, {
      events: (events, revision) => {
        if (joined || watcher.stopped) return;
        for (const { type, kv, prev } of events) {
          const old = prev && Stored.fromBytes(prev.value, prev.modRevision);
          const now = type === 'delete' ? undefined : Stored.fromBytes(kv.value, kv.modRevision);
          watcher.offer(new Change(kv.key.slice(cache.prefix.length), old, now, kv.modRevision));
        }
        watcher.seen(revision);
        handOver();
      },
      ended: (error) => {
        if (!joined) watcher.end(isCode(error, 'gone') ? tooOld() : error);
      },
    });
  } catch (error) {
    if (isCode(error, 'gone')) throw tooOld();
    throw error;
  }
  return () => {
    if (joined) leave(kind, watcher);
    else watcher.stop();
    halt?.();
  };
}
