import type { Random } from '../../../lib/random.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { parseCidr } from '../allocators/cidr.ts';
import { ServiceAllocator, type Ledger, type PortRange } from '../allocators/services.ts';
import { addressesOf, nodePortsOf, specOf } from '../allocators/service-spec.ts';
import type { Committer, Write } from './commit.ts';
import type { Feed } from './feed.ts';
import type { Companion } from './pipeline.ts';
import type { ResourceCache } from './resource-cache.ts';

/** The records of taken addresses and ports, as they are decided. */
class StoreLedger implements Ledger<Write> {
  readonly #committer: Committer;
  readonly #feed: Feed;

  constructor(committer: Committer, feed: Feed) {
    this.#committer = committer;
    this.#feed = feed;
  }

  cache(what: 'address' | 'port'): ResourceCache {
    return this.#feed.cache(what === 'address' ? 'networking.k8s.io/ipaddresses' : 'ranges/nodeports');
  }

  isTaken(what: 'address' | 'port', key: string): boolean {
    return this.#committer.latest(this.cache(what), key).stored !== undefined;
  }

  take(what: 'address' | 'port', key: string, record: KubeObject): Write {
    return { cache: this.cache(what), key, expected: 0, object: record };
  }

  free(what: 'address' | 'port', key: string): Write | undefined {
    const held = this.#committer.latest(this.cache(what), key).stored;
    return held && { cache: this.cache(what), key, expected: held.revision, object: undefined };
  }
}

export interface ServiceCompanionParts {
  readonly committer: Committer;
  readonly feed: Feed;
  readonly random: Random;
  readonly serviceCidr: string;
  readonly nodePortRange: PortRange;
  readonly now: () => string;
}

/** Writes addresses and ports along with Services. */
export function serviceCompanion(parts: ServiceCompanionParts): Companion & { repair(): Promise<void> } {
  const { committer, feed } = parts;
  const ledger = new StoreLedger(committer, feed);
  const allocator = new ServiceAllocator<Write>({
    ledger,
    cidr: parseCidr(parts.serviceCidr),
    ports: parts.nodePortRange,
    random: parts.random,
    now: parts.now,
  });
  return {
    handles: (kind) => kind.info.group === '' && kind.info.resource === 'services',
    prepare: (object, old) => allocator.prepare(object, old),
    release: (old) => allocator.release(old),
    /** Makes records and Services agree, once at start: what an older program, or a restored backup, left apart. */
    async repair(): Promise<void> {
      const services = feed.cache('core/services').view().values('');
      const addresses = new Set(services.flatMap((service) => addressesOf(specOf(service.object))));
      const ports = new Set(services.flatMap((service) => [...nodePortsOf(specOf(service.object))].map(String)));
      const writes = new Map<string, Write>();
      for (const service of services) {
        for (const write of allocator.repair(service.object)) {
          writes.set(write.cache.prefix + write.key, write);
        }
      }
      for (const what of ['address', 'port'] as const) {
        const cache = ledger.cache(what);
        const used = what === 'address' ? addresses : ports;
        cache.view().scan('', '', (stored, key) => {
          const ours = what === 'port' || stored.object.metadata?.labels?.['ipaddress.kubernetes.io/managed-by'] === 'ipallocator.k8s.io';
          if (ours && !used.has(key)) writes.set(cache.prefix + key, { cache, key, expected: stored.revision, object: undefined });
          return true;
        });
      }
      const all = [...writes.values()];
      for (let at = 0; at < all.length; at += 256) await committer.commit(all.slice(at, at + 256));
    },
  };
}
