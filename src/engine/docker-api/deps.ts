import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { CgroupAbilities, Containers } from '../containers/containers.ts';
import type { Images } from '../images/images.ts';
import type { Networks } from '../network/network.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { Builder } from '../build/builder.ts';
import type { EventHub } from './events.ts';
import type { ExecRegistry } from './containers/exec-registry.ts';

export interface DockerApiOptions {
  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly runtime: Runtime;
  /** Left out: building answers with `not-implemented`. */
  readonly builder?: Builder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of Longshore, for `docker version`. */
  readonly version: string;
  /** The engine's id and root folder, for `docker info`. */
  readonly engineId: string;
  readonly rootFolder: string;
  readonly cgroupVersion: 1 | 2;
  /** Which limits of containers this machine's kernel knows. */
  readonly abilities: () => Promise<CgroupAbilities>;
}

/** What handlers share. */
export interface Deps extends DockerApiOptions {
  readonly events: EventHub;
  readonly execs: ExecRegistry;
}
