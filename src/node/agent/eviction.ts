import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { PodVolumes } from '../volumes/volumes.ts';
import { isTerminal, type PodFailure } from './admission.ts';

/** How often volumes are measured, in milliseconds: as often as a kubelet looks. */
const LOOK_MS = 10_000;

export interface EvictionOptions {
  readonly volumes: Pick<PodVolumes, 'outgrown'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pods: () => Iterable<{ readonly pod: Pod; evict(why: PodFailure): void }>;
}

/** Evicts pods whose emptyDir volumes outgrew their `sizeLimit`. Pods without one cost nothing. @returns ends it */
export function startEviction({ volumes, clock, logger, pods }: EvictionOptions): () => void {
  let ended = false;
  let cancel = (): void => {};
  const look = async (): Promise<void> => {
    for (const worker of pods()) {
      const { pod } = worker;
      if (isTerminal(pod) || pod.metadata?.deletionTimestamp !== undefined || !isLimited(pod)) continue;
      try {
        const volume = await volumes.outgrown(pod);
        if (volume && !ended) {
          worker.evict({
            reason: 'Evicted',
            message: `Usage of EmptyDir volume "${volume.name}" exceeds the limit "${volume.emptyDir?.sizeLimit}". `,
            disrupted: true,
          });
        }
      } catch (error) {
        logger.warn("could not measure a pod's volumes", { pod: `${pod.metadata?.namespace}/${pod.metadata?.name}`, error: messageOf(error) });
      }
    }
  };
  const again = (): void => {
    cancel = clock.after(LOOK_MS, () => void look().then(() => {
      if (!ended) again();
    }));
  };
  again();
  return () => {
    ended = true;
    cancel();
  };
}

function isLimited({ spec }: Pod): boolean {
  return spec?.volumes?.some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined && emptyDir.medium !== 'Memory') ?? false;
}
