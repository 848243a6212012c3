import type { InformerFactory } from '../../client/informer-factory.ts';
import { endpointSlices, services } from '../../client/resources.ts';
import type { Nft } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../types/kubernetes/generated/discovery-v1.ts';
import { compile, skeleton } from './compile.ts';
import { difference, EMPTY_RULESET, type Ruleset } from './ruleset.ts';
import { viewService, type ServicePortView } from './service-view.ts';

export interface ProxyOptions {
  readonly informers: InformerFactory;
  readonly nft: Nft;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Name of the nft table, with the instance's mark. */
  readonly table: string;
  readonly nodeName: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
}

export interface Proxy {
  /** Resolves when the rules of all Services known at the start are in the kernel. */
  readonly synced: Promise<void>;
  /** Whether the rules in the kernel send new connections to this address although another could have them: it is not known here yet that it ends. */
  reaches(address: string): boolean;
  /** Stops following. `remove`: takes the table away; else Services go on working as they are. */
  close(options: { readonly remove: boolean }): Promise<void>;
}

/** Changes that come within this time are applied in one transaction. */
const GATHER_MS = 5;
const SLICE_INDEX = 'service';
const RETRY_MS = 1000;

/** Keeps the kernel's nft table in line with Services and EndpointSlices. */
export function startProxy({ informers, nft, clock, logger, table: name, nodeName, clusterCidr, serviceCidr }: ProxyOptions): Proxy {
  const table = `ip ${name}`;
  const serviceInformer = informers.for<Service>(services);
  const sliceInformer = informers.for<EndpointSlice>(endpointSlices);
  sliceInformer.addIndex(SLICE_INDEX, (slice) => sliceService(slice));
  const views = new Map<string, ServicePortView[]>();
  const dirty = new Set<string>();
  let applied: Ruleset | undefined;
  let reached: ReadonlySet<string> = new Set();
  let timer: (() => void) | undefined;
  let running: Promise<void> | undefined;
  let closed = false;

  const busy = (): Promise<void> | undefined => running;
  const touch = (key: string | undefined): void => {
    if (key === undefined || closed) return;
    dirty.add(key);
    arm(GATHER_MS);
  };
  const arm = (ms: number): void => {
    if (timer || running || closed || !serviceInformer.hasSynced || !sliceInformer.hasSynced) return;
    timer = clock.after(ms, () => {
      timer = undefined;
      running = apply().finally(() => {
        running = undefined;
        if (dirty.size > 0) arm(GATHER_MS);
      });
    });
  };

  async function apply(): Promise<void> {
    const keys = [...dirty];
    dirty.clear();
    for (const key of keys) {
      const service = serviceInformer.store.get(key);
      const ports = service ? viewService(service, sliceInformer.store.byIndex(SLICE_INDEX, key), nodeName) : [];
      if (ports.length > 0) views.set(key, ports);
      else views.delete(key);
    }
    const wanted = compile([...views.values()].flat(), clusterCidr);
    const script = applied
      ? difference(table, applied, wanted)
      : skeleton(table, clusterCidr, serviceCidr) + affinitySets(table, EMPTY_RULESET, wanted) + difference(table, EMPTY_RULESET, wanted);
    const sets = applied ? affinitySets(table, applied, wanted) : '';
    const reaches = new Set(
      [...views.values()].flat().flatMap(({ endpoints }) => endpoints.flatMap(({ address, terminating }) => (terminating ? [] : address))),
    );
    if (script === '') {
      reached = reaches;
      return;
    }
    try {
      await nft.apply(sets + script + deadSets(table, applied ?? EMPTY_RULESET, wanted));
      applied = wanted;
      reached = reaches;
    } catch (error) {
      // What the kernel holds is in doubt: the next attempt writes the whole table, in one transaction as always.
      applied = undefined;
      for (const key of keys) dirty.add(key);
      logger.error('could not write the rules of Services; trying again', { error: messageOf(error), table: name });
      await clock.sleep(RETRY_MS);
    }
  }

  const stops = [
    serviceInformer.on({
      add: (service) => touch(keyOf(service)),
      update: (_, service) => touch(keyOf(service)),
      delete: (service) => touch(keyOf(service)),
    }),
    sliceInformer.on({
      add: (slice) => touch(sliceService(slice)),
      update: (_, slice) => touch(sliceService(slice)),
      delete: (slice) => touch(sliceService(slice)),
    }),
  ];
  const synced = Promise.all([serviceInformer.synced, sliceInformer.synced]).then(async () => {
    if (closed) return;
    // A change that came before this one may be under way; another may have begun meanwhile.
    while (busy()) await busy();
    timer?.();
    timer = undefined;
    for (const service of serviceInformer.store.values()) dirty.add(keyOf(service));
    running = apply().finally(() => {
      running = undefined;
      if (dirty.size > 0) arm(GATHER_MS);
    });
    await running;
  });

  return {
    synced,
    reaches: (address) => reached.has(address),
    async close({ remove }) {
      closed = true;
      timer?.();
      for (const stop of stops) stop();
      await running;
      if (remove) await nft.apply(`add table ${table}\ndelete table ${table}\n`);
    },
  };
}

/** Sets of clients with a time-out, which session affinity makes and drops. */
function affinitySets(table: string, before: Ruleset, after: Ruleset): string {
  return clientSets(after)
    .filter((set) => !before.elements.has(set))
    .map((set) => `add set ${table} ${set} { type ipv4_addr ; flags dynamic, timeout ; timeout 3h ; }\n`)
    .join('');
}

function deadSets(table: string, before: Ruleset, after: Ruleset): string {
  return clientSets(before).filter((set) => !after.elements.has(set)).map((set) => `delete set ${table} ${set}\n`).join('');
}

function clientSets(rules: Ruleset): string[] {
  return [...rules.elements.keys()].filter((name) => name.endsWith('-clients'));
}

function keyOf(object: Service): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}

/** The Service that a slice belongs to. */
function sliceService(slice: EndpointSlice): string | undefined {
  const service = slice.metadata?.labels?.['kubernetes.io/service-name'];
  return service === undefined ? undefined : `${slice.metadata?.namespace ?? ''}/${service}`;
}
