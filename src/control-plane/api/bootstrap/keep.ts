import type { Clock } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import { APISERVER } from '../authn/users.ts';
import type { RequestContext } from '../contract.ts';
import { create, indispensable, type BootstrapParts, type Wanted } from './first-objects.ts';

const CONTEXT: RequestContext = { user: APISERVER, verb: 'watch', warnings: [] };
const WATCH_AGAIN_MS = 100;
const MAKE_AGAIN_MS = 10_000;

/**
 * Makes again what nothing works without, as soon as somebody deletes it: the
 * first namespaces, and the `kubernetes` Service with its endpoints, which
 * `kubectl delete all --all` takes away.
 * @returns ends it
 */
export function keepFirstObjects(parts: BootstrapParts, clock: Clock): () => void {
  const stops = indispensable(parts).map((wanted) => keep(wanted, parts, clock));
  return () => {
    for (const stop of stops) stop();
  };
}

function keep(wanted: Wanted, parts: BootstrapParts, clock: Clock): () => void {
  const { group, resource, namespace, object } = wanted;
  const name = object.metadata!.name!;
  let stopped = false;
  let stop: (() => void) | undefined;
  let cancel: (() => void) | undefined;
  const make = async (): Promise<void> => {
    if (stopped || parts.lookup.get(group, resource, namespace, name) !== undefined) return;
    try {
      await create(parts, wanted);
    } catch (error) {
      if (stopped) return;
      parts.logger.warn('an object that the cluster needs was deleted and cannot be made again yet', { resource, name, error: messageOf(error) });
      makeIn(MAKE_AGAIN_MS);
    }
  };
  const makeIn = (ms: number): void => {
    cancel?.();
    cancel = clock.after(ms, () => void make());
  };
  const watch = (): void => {
    if (stopped) return;
    stop = parts.registry.watch(
      CONTEXT,
      parts.resources.findAny(group, resource)!,
      namespace,
      { name },
      {
        event(type) {
          if (type === 'DELETED') makeIn(0);
        },
        ended(error) {
          if (stopped) return;
          parts.logger.warn('a watch of an object that the cluster needs ended, starting it again', {
            resource,
            name,
            error: error === undefined ? undefined : messageOf(error),
          });
          cancel = clock.after(WATCH_AGAIN_MS, () => {
            watch();
            makeIn(0); // It may have gone meanwhile.
          });
        },
      },
    );
  };
  watch();
  return () => {
    stopped = true;
    cancel?.();
    stop?.();
  };
}
