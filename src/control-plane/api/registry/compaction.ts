import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { Store } from '../../store/store.ts';
import type { Feed } from './feed.ts';

/**
 * Every `intervalMs` forgets the history that was there an interval ago, so
 * that lists and watches can go on for one to two intervals.
 * @returns the undo
 */
export function compactRegularly(
  parts: { readonly store: Store; readonly feed: Feed; readonly clock: Clock; readonly logger: Logger },
  intervalMs: number,
): () => void {
  const { store, feed, clock, logger } = parts;
  let last = store.revision;
  let stopped = false;
  let cancel: () => void = () => {};
  const schedule = (): void => {
    cancel = clock.after(intervalMs, () => {
      const upTo = last;
      last = store.revision;
      for (const cache of feed.caches()) {
        cache.forgetSnapshots();
        cache.changes.trim(upTo);
      }
      const compacting = upTo > store.compactedRevision ? store.compact(upTo) : Promise.resolve();
      compacting.catch((error: unknown) => logger.warn('the store could not be compacted', { error: messageOf(error) })).finally(() => {
        if (!stopped) schedule();
      });
    });
  };
  schedule();
  return () => {
    stopped = true;
    cancel();
  };
}
