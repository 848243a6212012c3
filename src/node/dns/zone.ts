import { isIPv4 } from 'node:net';
import type { InformerFactory } from '../../client/informer-factory.ts';
import { endpointSlices, namespaces, services } from '../../client/resources.ts';
import type { Namespace, Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../types/kubernetes/generated/discovery-v1.ts';
import { TYPE, type Question, type ResourceRecord } from './message.ts';

/** What the zone knows: records of the type asked for; `exists` tells NODATA (true) from NXDOMAIN (false). */
export interface ZoneAnswer {
  readonly exists: boolean;
  readonly records: readonly ResourceRecord[];
}

const TTL_SECONDS = 5;
const SLICES_BY_SERVICE = 'service';
const SERVICES_BY_IP = 'ip';

/**
 * The cluster's names, by the Kubernetes DNS specification 1.1: A and SRV of
 * Services, headless ones and their named endpoints, pods, CNAME of
 * ExternalName, and PTR. Answers come from the informers' caches.
 */
export class ClusterZone {
  readonly #domain: string;
  readonly #services;
  readonly #slices;
  readonly #namespaces;

  constructor(informers: InformerFactory, domain = 'cluster.local') {
    this.#domain = domain;
    this.#services = informers.for<Service>(services);
    this.#slices = informers.for<EndpointSlice>(endpointSlices);
    this.#namespaces = informers.for<Namespace>(namespaces);
    this.#services.addIndex(SERVICES_BY_IP, (service) => service.spec?.clusterIPs ?? service.spec?.clusterIP);
    this.#slices.addIndex(SLICES_BY_SERVICE, (slice) => {
      const name = slice.metadata?.labels?.['kubernetes.io/service-name'];
      return name === undefined ? undefined : `${slice.metadata?.namespace ?? ''}/${name}`;
    });
  }

  get domain(): string {
    return this.#domain;
  }

  /** Undefined: the name is not ours to answer. */
  answer({ name, type }: Question): ZoneAnswer | undefined {
    if (name === this.#domain) return { exists: true, records: [] };
    if (name.endsWith(`.${this.#domain}`)) return this.#forward(name, name.slice(0, -this.#domain.length - 1).split('.'), type);
    if (name.endsWith('.in-addr.arpa')) return this.#reverse(name, type);
    return undefined;
  }

  #forward(name: string, labels: string[], type: number): ZoneAnswer {
    const kind = labels.pop();
    if (kind === 'svc') return this.#service(name, labels, type);
    if (kind === 'pod') return this.#pod(name, labels, type);
    if (kind === 'dns-version' && labels.length === 0) return { exists: true, records: [] };
    return NOTHING;
  }

  #service(name: string, labels: string[], type: number): ZoneAnswer {
    const namespace = labels.pop();
    const serviceName = labels.pop();
    if (serviceName === undefined) {
      return { exists: namespace === undefined || [...this.#services.store.inNamespace(namespace)].length > 0, records: [] };
    }
    const key = `${namespace}/${serviceName}`;
    const service = this.#services.store.get(key);
    if (!service?.spec) return NOTHING;
    const base = `${serviceName}.${namespace}.svc.${this.#domain}`;
    if (service.spec.type === 'ExternalName') {
      return labels.length > 0
        ? NOTHING
        : {
            exists: true,
            records: [{ name, ttl: TTL_SECONDS, type: 'CNAME', target: (service.spec.externalName ?? '').replace(/\.$/, '') }],
          };
    }
    const headless = service.spec.clusterIP === 'None';
    if (labels.length === 0) {
      const addresses = headless
        ? this.#endpoints(key).flatMap(({ endpoint }) => endpoint.addresses ?? [])
        : (service.spec.clusterIPs ?? [service.spec.clusterIP ?? '']);
      if (headless && addresses.length === 0) return NOTHING;
      return { exists: true, records: wants(type, TYPE.A) ? a(name, addresses) : [] };
    }
    if (labels.length === 2 && labels[0]!.startsWith('_') && labels[1]!.startsWith('_')) {
      const records = headless
        ? this.#headlessServices(name, key, base, labels[0]!.slice(1), labels[1]!.slice(1))
        : portServices(name, service, base, labels[0]!.slice(1), labels[1]!.slice(1));
      return { exists: records.length > 0, records: wants(type, TYPE.SRV) ? records : [] };
    }
    if (labels.length === 1 && headless) {
      const addresses = this.#endpoints(key).filter(({ endpoint }) => labelOf(endpoint) === labels[0]).flatMap(({ endpoint }) => endpoint.addresses ?? []);
      return { exists: addresses.length > 0, records: wants(type, TYPE.A) ? a(name, addresses) : [] };
    }
    return NOTHING;
  }

  #headlessServices(name: string, key: string, base: string, port: string, protocol: string): ResourceRecord[] {
    const seen = new Set<string>();
    return this.#endpoints(key).flatMap(({ endpoint, slice }) => (slice.ports ?? []).flatMap((candidate): ResourceRecord[] => {
      const target = `${labelOf(endpoint)}.${base}`;
      const id = `${target}:${candidate.port}`;
      if (candidate.name !== port || (candidate.protocol ?? 'TCP').toLowerCase() !== protocol || !candidate.port || seen.has(id)) return [];
      seen.add(id);
      return [{ name, ttl: TTL_SECONDS, type: 'SRV', priority: 0, weight: 100, port: candidate.port, target }];
    }));
  }

  /** Ready endpoints; the endpoints controller has marked all as ready where publishNotReadyAddresses says so. */
  #endpoints(key: string): { readonly endpoint: Endpoint; readonly slice: EndpointSlice }[] {
    return [...this.#slices.store.byIndex(SLICES_BY_SERVICE, key)]
      .filter(({ addressType }) => addressType === 'IPv4')
      .flatMap((slice) => (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).map((endpoint) => ({ endpoint, slice })));
  }

  /** `10-42-0-2.default.pod.cluster.local`: the address that the name spells, whether a pod has it or not, so that a name server need not know all pods. */
  #pod(name: string, labels: string[], type: number): ZoneAnswer {
    const namespace = labels.pop();
    const dashed = labels.pop();
    if (dashed === undefined || labels.length > 0) return { exists: labels.length === 0, records: [] };
    const address = dashed.replaceAll('-', '.');
    const known = isIPv4(address) && this.#namespaces.store.get(namespace ?? '') !== undefined;
    return { exists: known, records: known && wants(type, TYPE.A) ? a(name, [address]) : [] };
  }

  #reverse(name: string, type: number): ZoneAnswer | undefined {
    const address = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
    const targets = [...this.#services.store.byIndex(SERVICES_BY_IP, address)].map(
      (service) => `${service.metadata?.name}.${service.metadata?.namespace}.svc.${this.#domain}`,
    );
    if (targets.length === 0) {
      for (const slice of this.#slices.store.values()) {
        const service = slice.metadata?.labels?.['kubernetes.io/service-name'];
        const headless = this.#services.store.get(`${slice.metadata?.namespace}/${service}`)?.spec?.clusterIP === 'None';
        if (!headless) continue;
        const endpoint = (slice.endpoints ?? []).find(({ addresses }) => addresses?.includes(address));
        if (endpoint) targets.push(`${labelOf(endpoint)}.${service}.${slice.metadata?.namespace}.svc.${this.#domain}`);
      }
    }
    if (targets.length === 0) return undefined;
    return { exists: true, records: wants(type, TYPE.PTR) ? targets.map((target) => ({ name, ttl: TTL_SECONDS, type: 'PTR', target })) : [] };
  }
}

const NOTHING: ZoneAnswer = { exists: false, records: [] };

function wants(asked: number, type: number): boolean {
  return asked === type || asked === TYPE.ANY;
}

function a(name: string, addresses: readonly string[]): ResourceRecord[] {
  return [...new Set(addresses)].filter((address) => /^\d+\.\d+\.\d+\.\d+$/.test(address)).map((address) => ({ name, ttl: TTL_SECONDS, type: 'A', address }));
}

/** The label by which an endpoint of a headless Service is known: its hostname, else its address with dashes. */
function labelOf(endpoint: Endpoint): string {
  return endpoint.hostname || (endpoint.addresses?.[0] ?? '').replaceAll('.', '-');
}

function portServices(name: string, service: Service, base: string, port: string, protocol: string): ResourceRecord[] {
  return (service.spec?.ports ?? [])
    .filter((candidate) => candidate.name === port && (candidate.protocol ?? 'TCP').toLowerCase() === protocol)
    .map((candidate) => ({ name, ttl: TTL_SECONDS, type: 'SRV', priority: 0, weight: 100, port: candidate.port ?? 0, target: base }));
}
