import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { ApplyPatch, TrackUpdate } from '../apply/contract.ts';
import type { AdmissionPlugin, Registry, Rules } from '../contract.ts';
import type { Store } from '../../store/store.ts';
import { Committer } from './commit.ts';
import { Feed } from './feed.ts';
import { Kinds } from './kinds.ts';
import { Pipeline } from './pipeline.ts';
import { KindRegistry } from './registry.ts';
import { generalStrategy } from './strategies.ts';
import type { StrategyOf } from './strategy.ts';
import { Subresources } from './subresources.ts';

export interface RegistryOptions {
  readonly store: Store;
  readonly rules: Rules;
  readonly admission: readonly AdmissionPlugin[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly applyPatch: ApplyPatch;
  readonly trackUpdate: TrackUpdate;
  /** How kinds behave; the general behaviour where it is left out. */
  readonly strategyOf?: StrategyOf;
  /** True when others write to the store as well (etcd): nothing is built on writes that are not durable yet. */
  readonly shared?: boolean;
  /** Freezes what is stored, so that a component that changes what it was given fails at once. For tests. */
  readonly freeze?: boolean;
  /** True for resources whose objects may be stored in several versions of their group. */
  readonly mixed?: (resource: ResourceInfo) => boolean;
}

/** Opens the registry over a store. Closing it does not close the store. */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { store, clock, logger } = options;
  const feed = new Feed({ store, clock, logger });
  const committer = new Committer({ store, feed, shared: options.shared ?? false, freeze: options.freeze ?? false });
  const kinds = new Kinds(feed, options.strategyOf ?? generalStrategy, options.mixed ?? (() => false));
  const pipeline = new Pipeline({
    committer, rules: options.rules, admission: options.admission, clock, random: options.random, applyPatch: options.applyPatch, trackUpdate: options.trackUpdate,
    companions: [], namespaces: () => feed.cache('core/namespaces'),
  });
  return new KindRegistry({ store, feed, kinds, pipeline, subresources: new Subresources(new Map(), new Map()), clock, background: [] });
}
