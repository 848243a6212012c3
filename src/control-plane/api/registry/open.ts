import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { PortRange } from '../allocators/services.ts';
import type { ApplyPatch, TrackUpdate } from '../apply/contract.ts';
import type { AdmissionPlugin, Registry, Rules, WriteOutcome } from '../contract.ts';
import type { Store } from '../../store/store.ts';
import { Committer } from './commit.ts';
import { compactRegularly } from './compaction.ts';
import { notImplemented } from './errors.ts';
import { expireEvents } from './expiry.ts';
import { Feed } from './feed.ts';
import { Kinds } from './kinds.ts';
import { Pipeline } from './pipeline.ts';
import { KindRegistry } from './registry.ts';
import type { Scope } from './scope.ts';
import { serviceCompanion } from './service-companion.ts';
import { strategyOf } from './strategies/kinds.ts';
import type { StrategyOf } from './strategy.ts';
import { bind } from './subresource/binding.ts';
import { Evictor } from './subresource/eviction.ts';
import { scaleHandler } from './subresource/scale.ts';
import { tokenHandler, type SignToken } from './subresource/token.ts';
import { Subresources, type SubresourceHandler } from './subresources.ts';

/** What the registry asks of others. */
export interface RegistryHooks {
  /** `serviceaccounts/token`; without it that answers 501. */
  readonly signToken?: SignToken;
  /** Kinds that are asked and never stored, by `group/resource`: `authorization.k8s.io/subjectaccessreviews`. */
  readonly virtual?: ReadonlyMap<string, (scope: Scope, body: unknown) => Promise<WriteOutcome>>;
}

export interface RegistryOptions {
  readonly store: Store;
  readonly rules: Rules;
  readonly admission: readonly AdmissionPlugin[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly applyPatch: ApplyPatch;
  readonly trackUpdate: TrackUpdate;
  /** Addresses of Services; 10.96.0.0/16 where it is left out. */
  readonly serviceCidr?: string;
  /** 30000 to 32767 where it is left out. */
  readonly nodePortRange?: PortRange;
  readonly hooks?: RegistryHooks;
  /** How long events are kept; an hour where it is left out. */
  readonly eventTtlMs?: number;
  /** How long at least history is kept, for watches and paged lists; five minutes where it is left out. */
  readonly historyMs?: number;
  readonly strategyOf?: StrategyOf;
  /** True when others write to the store as well (etcd): nothing is built on writes that are not durable yet. */
  readonly shared?: boolean;
  /** Freezes what is stored, so that a component that changes what it was given fails at once. For tests. */
  readonly freeze?: boolean;
  /** True for resources whose objects may be stored in several versions of their group (custom resources). */
  readonly mixed?: (resource: ResourceInfo) => boolean;
}

const builtIn = (resource: string): ResourceInfo => RESOURCES.find((row) => row.group === '' && row.resource === resource)!;

/**
 * Opens the registry over a store: loads what it needs at once, and makes the
 * records of Services' addresses agree. Closing it does not close the store.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { store, clock, logger, random, hooks = {} } = options;
  const feed = new Feed({ store, clock, logger });
  const committer = new Committer({ store, feed, shared: options.shared ?? false, freeze: options.freeze ?? false });
  const kinds = new Kinds(feed, options.strategyOf ?? strategyOf, options.mixed ?? (() => false));
  const services = serviceCompanion({
    committer,
    feed,
    random,
    serviceCidr: options.serviceCidr ?? '10.96.0.0/16',
    nodePortRange: options.nodePortRange ?? { first: 30000, last: 32767 },
    now: () => pipeline.now(),
  });
  const pipeline: Pipeline = new Pipeline({
    committer, rules: options.rules, admission: options.admission, clock, random, applyPatch: options.applyPatch, trackUpdate: options.trackUpdate,
    companions: [services], namespaces: () => feed.cache('core/namespaces'),
  });
  const subresources = new Subresources(handlers(pipeline, committer, feed, hooks), virtualKinds(pipeline, kinds, hooks));
  await services.repair();
  const background = [
    expireEvents({ feed, committer, clock, logger }, options.eventTtlMs ?? 3_600_000),
    compactRegularly({ store, feed, clock, logger }, options.historyMs ?? 300_000),
  ];
  return new KindRegistry({ store, feed, kinds, pipeline, subresources, clock, background });
}

function handlers(pipeline: Pipeline, committer: Committer, feed: Feed, hooks: RegistryHooks): Map<string, SubresourceHandler> {
  const evictor = new Evictor({ pipeline, committer, budgets: () => feed.cache('policy/poddisruptionbudgets') });
  const sign = hooks.signToken ?? ((): never => {
    throw notImplemented('serviceaccounts/token is not served: this server holds no key to sign tokens with');
  });
  return new Map<string, SubresourceHandler>([
    ['*/scale', scaleHandler(pipeline)],
    ['pods/binding', { create: (scope, name, body) => bind(pipeline, scope, name, body) }],
    ['pods/eviction', { create: (scope, name, body) => evictor.evict(scope, name, body) }],
    ['serviceaccounts/token', tokenHandler(pipeline, sign)],
  ]);
}

/** POST to `bindings` is an older way to `pods/binding`. */
function virtualKinds(pipeline: Pipeline, kinds: Kinds, hooks: RegistryHooks): Map<string, (scope: Scope, body: unknown) => Promise<WriteOutcome>> {
  const legacyBinding = async (scope: Scope, body: unknown): Promise<WriteOutcome> => {
    const name = (body as { metadata?: { name?: unknown } } | null)?.metadata?.name;
    return bind(
      pipeline,
      { ...scope, kind: kinds.of(builtIn('pods')), options: { ...scope.options, subresource: 'binding' } },
      typeof name === 'string' ? name : '',
      body,
    );
  };
  return new Map([['/bindings', legacyBinding], ...(hooks.virtual ?? [])]);
}
