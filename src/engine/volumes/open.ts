import type { Host } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { LocalVolumes } from './local.ts';
import type { Volumes } from './volumes.ts';

export interface OpenVolumesOptions {
  readonly host: Pick<Host, 'mounts'>;
  /** Of this instance's volumes alone; made when it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Opens the named volumes in a folder. */
export async function openVolumes(options: OpenVolumesOptions): Promise<Volumes> {
  const volumes = new LocalVolumes({
    folder: options.folder,
    mounts: options.host.mounts,
    clock: options.clock,
    random: options.random,
    logger: options.logger,
  });
  await volumes.load();
  return volumes;
}
