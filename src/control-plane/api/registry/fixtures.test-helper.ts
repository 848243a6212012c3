import type { Clock } from '../../../lib/clock.ts';
import { silentLogger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { openMemoryStore } from '../../store/memory-store.ts';
import type { Store } from '../../store/store.ts';
import type { Registry, RegistryWatchSink, RequestContext, Rules, StoredObject, WatchParameters } from '../contract.ts';
import { jsonCopy } from './equal.ts';
import { openRegistry, type RegistryOptions } from './open.ts';

/** Rules that let everything pass: for tests of what the registry does by itself. */
const lenientRules: Rules = {
  decode: (_resource, body) => jsonCopy(body) as KubeObject,
  applyDefaults: () => {},
  validate: () => [],
};

/** Time that stands still until it is moved. */
export class TestClock implements Clock {
  #now = Date.parse('2030-01-02T03:04:05Z');
  #timers: { at: number; fn: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  async sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.after(ms, resolve);
    await promise;
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = due.at;
      due.fn();
    }
    this.#now = until;
  }
}

/** The same bytes in every run. */
export function seededRandom(seed = 1): Random {
  let state = seed;
  return {
    bytes(n: number): Buffer {
      const out = Buffer.alloc(n);
      for (let i = 0; i < n; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        out[i] = state >>> 24;
      }
      return out;
    },
  };
}

export function resource(group: string, name: string, version?: string): ResourceInfo {
  const found = RESOURCES.find((row) => row.group === group && row.resource === name && (version === undefined || row.version === version));
  if (found === undefined) throw new Error(`no resource ${name}.${group}`);
  return found;
}

export const configMaps = resource('', 'configmaps');
export const pods = resource('', 'pods');
export const namespaces = resource('', 'namespaces');

export function context(): RequestContext & { readonly warnings: string[] } {
  return { user: { name: 'alice', groups: ['system:authenticated'] }, warnings: [] };
}

export interface Fixture {
  readonly registry: Registry;
  readonly store: Store;
  readonly clock: TestClock;
}

/** A registry over a memory store, with the namespace `default`. */
export async function fixture(options: Partial<RegistryOptions> = {}): Promise<Fixture> {
  const store = options.store ?? await openMemoryStore();
  const clock = (options.clock as TestClock | undefined) ?? new TestClock();
  const registry = await openRegistry({
    rules: lenientRules,
    admission: [],
    random: seededRandom(),
    logger: silentLogger,
    freeze: true,
    applyPatch: ({ live, applied }) => ({
      object: { ...live, ...applied, metadata: { ...live?.metadata, ...applied.metadata } },
      changed: true,
    }),
    trackUpdate: ({ updated }) => updated.metadata?.managedFields,
    ...options,
    store,
    clock,
  });
  if (options.store === undefined) await registry.create(context(), namespaces, undefined, { metadata: { name: 'default' } }, {});
  return { registry, store, clock };
}

export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly revision: number;
  readonly stored: StoredObject;
}

/** Watches, and keeps what comes. */
export function record(
  registry: Registry,
  info: ResourceInfo,
  namespace: string | undefined,
  options: WatchParameters = {},
): { readonly events: Recorded[]; readonly ends: (Error | undefined)[]; readonly stop: () => void } {
  const events: Recorded[] = [];
  const ends: (Error | undefined)[] = [];
  const sink: RegistryWatchSink = {
    event: (type, stored) =>
      void events.push({
        type,
        name: stored.object.metadata?.name ?? '',
        revision: Number(stored.object.metadata?.resourceVersion),
        stored,
      }),
    ended: (error) => void ends.push(error),
  };
  const stop = registry.watch(context(), info, namespace, options, sink);
  return { events, ends, stop };
}

export function configMap(name: string, data: Record<string, string> = {}, labels?: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...(labels && { labels }) }, data } as KubeObject;
}

export function pod(name: string, extra: { readonly nodeName?: string; readonly labels?: Record<string, string> } = {}): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: { name, ...(extra.labels && { labels: extra.labels }) },
    spec: { containers: [{ name: 'app', image: 'app' }], terminationGracePeriodSeconds: 30, ...(extra.nodeName && { nodeName: extra.nodeName }) },
  } as KubeObject;
}
