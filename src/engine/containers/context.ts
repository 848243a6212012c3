import type { Host } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Images } from '../images/images.ts';
import type { Networks } from '../network/network.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { ContainerEvent } from './containers.ts';
import type { Entry } from './entry.ts';
import type { Machine } from './machine.ts';

export interface ContainersOptions {
  /** Folder of its own; exists. */
  readonly folder: string;
  /** Parent of all our cgroups, relative to the cgroup root: `longshore-<instance>`. */
  readonly cgroupParent: string;
  readonly images: Pick<Images, 'get' | 'lease' | 'snapshots'>;
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly host: Pick<Host, 'mounts' | 'cgroups' | 'spawn'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What the verbs of this room share. */
export interface Context extends ContainersOptions {
  readonly entries: Map<string, Entry>;
  /** Names in use, by what they name. */
  readonly names: Map<string, string>;
  readonly machine: () => Promise<Machine>;
  /** By id, id prefix or name. @throws `not-found`, `invalid` */
  find(nameOrId: string): Entry;
  emit(entry: Entry, action: ContainerEvent['action'], attributes?: Readonly<Record<string, string>>): void;
  /** Starts a container once more by its policy, within its exclusive section. */
  startAgain(entry: Entry): Promise<void>;
  /** Remembers work that goes on after the answer, so that `close` and whoever depends on it can wait for it. */
  background(what: string, work: Promise<void>): void;
}

/** The cgroup of a container, relative to the cgroup root. */
export function cgroupOf(context: Pick<ContainersOptions, 'cgroupParent'>, entry: Entry): string {
  return `${context.cgroupParent}/${entry.spec.cgroupParent ?? 'docker'}/${entry.id}`;
}

export function notRunning(entry: Entry): LongshoreError {
  return new LongshoreError('conflict', `container ${entry.id} is not running`, {
    object: `container ${entry.name}`,
    remedy: `Start it: docker start ${entry.name}`,
  });
}
