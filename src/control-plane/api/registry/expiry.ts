import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { Committer } from './commit.ts';
import type { Feed } from './feed.ts';

const SWEEP_MS = 60_000;
/** Deleted in one transaction. */
const BATCH = 256;

interface Timed extends KubeObject {
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly series?: { readonly lastObservedTime?: string };
}

/** When the event was last told of, in milliseconds. */
function lastSeen(event: Timed): number {
  const { metadata, lastTimestamp, eventTime, series } = event;
  const times = [
    metadata?.creationTimestamp,
    lastTimestamp,
    eventTime,
    series?.lastObservedTime,
    ...(metadata?.managedFields?.map((entry) => entry.time) ?? []),
  ];
  return Math.max(0, ...times.map((time) => (typeof time === 'string' ? Date.parse(time) || 0 : 0)));
}

/**
 * Deletes events that nobody told of for `ttlMs`, once a minute.
 * @returns the undo
 */
export function expireEvents(
  parts: { readonly feed: Feed; readonly committer: Committer; readonly clock: Clock; readonly logger: Logger },
  ttlMs: number,
): () => void {
  const { feed, committer, clock, logger } = parts;
  let stopped = false;
  let cancel: () => void = () => {};
  const sweep = async (): Promise<void> => {
    const cache = feed.cache('core/events');
    const before = clock.now() - ttlMs;
    const due: { key: string; revision: number }[] = [];
    cache.view().scan('', '', (stored, key) => {
      if (lastSeen(stored.object) < before) due.push({ key, revision: stored.revision });
      return true;
    });
    for (let at = 0; at < due.length && !stopped; at += BATCH) {
      await committer.commit(due.slice(at, at + BATCH).map(({ key, revision }) => ({ cache, key, expected: revision, object: undefined })));
    }
  };
  const schedule = (): void => {
    cancel = clock.after(SWEEP_MS, () => {
      sweep().catch((error: unknown) => logger.warn('events could not be expired', { error: messageOf(error) })).finally(() => {
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
