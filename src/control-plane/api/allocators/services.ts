import { LongshoreError } from '../../../lib/errors.ts';
import { uuid, type Random } from '../../../lib/random.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { StatusCause } from '../../../types/kubernetes/status.ts';
import { invalid } from '../errors.ts';
import { formatIpv4, parseIpv4, type Cidr } from './cidr.ts';
import { pickFree, reservedBand } from './pick.ts';
import {
  addressesOf,
  dropUnneeded,
  isHeadless,
  keepAllotted,
  needsClusterIp,
  needsHealthCheckPort,
  needsNodePorts,
  nodePortsOf,
  settleClusterIps,
  specOf,
  type ServiceSpec,
} from './service-spec.ts';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What is taken, and how taking is written: one record for each address and port, in the transaction of the Service. */
export interface Ledger<W> {
  isTaken(what: 'address' | 'port', key: string): boolean;
  take(what: 'address' | 'port', key: string, record: KubeObject): W;
  free(what: 'address' | 'port', key: string): W | undefined;
}

export interface AllocatorParts<W> {
  readonly ledger: Ledger<W>;
  readonly cidr: Cidr;
  readonly ports: PortRange;
  readonly random: Random;
  /** RFC 3339. */
  readonly now: () => string;
}

/**
 * Gives Services their addresses and node ports. What is taken is itself an
 * object in the store (an IPAddress, as upstream has it; a record for a node
 * port), created in the Service's own transaction with the condition that it
 * does not exist: two Services cannot share, whoever else writes.
 */
export class ServiceAllocator<W> {
  readonly #parts: AllocatorParts<W>;

  constructor(parts: AllocatorParts<W>) {
    this.#parts = parts;
  }

  /**
   * Completes a Service that is going to be written.
   * @returns the records to write with it
   * @throws StatusError 422 when what it asks for is taken or out of range; LongshoreError `exhausted` when a range is full
   */
  prepare(service: KubeObject, old: KubeObject | undefined): W[] {
    const spec = specOf(service);
    if (spec === undefined) return [];
    const before = specOf(old);
    if (before !== undefined) {
      keepAllotted(spec, before);
      dropUnneeded(spec, before);
    }
    settleClusterIps(spec, before);
    const causes: StatusCause[] = [];
    this.#families(spec, before, causes);
    const writes = [...this.#addresses(service, spec, before, causes), ...this.#nodePorts(service, spec, before, causes)];
    if (causes.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata?.name ?? '', causes);
    return writes;
  }

  /** The records that go with a Service. */
  release(service: KubeObject): W[] {
    const spec = specOf(service);
    const { ledger } = this.#parts;
    return [
      ...addressesOf(spec).map((address) => ledger.free('address', address)),
      ...[...nodePortsOf(spec)].map((port) => ledger.free('port', String(port))),
    ].filter((write) => write !== undefined);
  }

  /** Records for what a Service holds and the ledger does not know. */
  repair(service: KubeObject): W[] {
    const spec = specOf(service);
    const { ledger } = this.#parts;
    const writes: W[] = [];
    for (const address of addressesOf(spec)) if (!ledger.isTaken('address', address)) writes.push(this.#takeAddress(address, service));
    for (const port of nodePortsOf(spec)) if (!ledger.isTaken('port', String(port))) writes.push(this.#takePort(port, service));
    return writes;
  }

  /** This cluster has IPv4 alone. */
  #families(spec: ServiceSpec, before: ServiceSpec | undefined, causes: StatusCause[]): void {
    if (!needsClusterIp(spec)) return;
    const selectorless = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
    spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (selectorless ? 'RequireDualStack' : 'SingleStack');
    if (selectorless) {
      spec.ipFamilies ??= spec.ipFamilyPolicy === 'SingleStack' ? ['IPv4'] : ['IPv4', 'IPv6'];
      if (spec.ipFamilies.length === 1 && spec.ipFamilyPolicy !== 'SingleStack') {
        spec.ipFamilies.push(spec.ipFamilies[0] === 'IPv4' ? 'IPv6' : 'IPv4');
      }
      return;
    }
    if (spec.ipFamilyPolicy === 'RequireDualStack') {
      causes.push({
        reason: 'FieldValueInvalid',
        field: 'spec.ipFamilyPolicy',
        message: 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
      });
    }
    spec.ipFamilies ??= ['IPv4'];
    for (const [at, family] of spec.ipFamilies.entries()) {
      if (family !== 'IPv4') {
        causes.push({
          reason: 'FieldValueInvalid',
          field: `spec.ipFamilies[${at}]`,
          message: `Invalid value: ${JSON.stringify(family)}: not configured on this cluster`,
        });
      }
    }
  }

  #addresses(service: KubeObject, spec: ServiceSpec, before: ServiceSpec | undefined, causes: StatusCause[]): W[] {
    const { ledger, cidr, random } = this.#parts;
    const held = new Set(addressesOf(before));
    const writes: W[] = [];
    if (needsClusterIp(spec) && !isHeadless(spec) && causes.length === 0) {
      const asked = spec.clusterIPs?.[0];
      if (asked === undefined || asked === '') {
        // The first address is the network's own, the last the broadcast address.
        const size = cidr.size - 2;
        const offset = pickFree(random, size, reservedBand(size, 16, 256), (at) =>
          ledger.isTaken('address', formatIpv4(cidr.base + 1 + at)),
        );
        if (offset === undefined) {
          throw new LongshoreError('exhausted', 'failed to allocate a serviceIP: range is full', {
            object: `service ${service.metadata?.name}`,
            remedy: 'delete Services, or start with a larger service CIDR',
          });
        }
        const address = formatIpv4(cidr.base + 1 + offset);
        spec.clusterIP = address;
        spec.clusterIPs = [address];
        writes.push(this.#takeAddress(address, service));
      } else if (!held.has(asked)) {
        const why = this.#refusal(asked);
        if (why === undefined) {
          writes.push(this.#takeAddress(asked, service));
        } else {
          causes.push({
            reason: 'FieldValueInvalid',
            field: 'spec.clusterIPs',
            message: `Invalid value: ${JSON.stringify([asked])}: ${why}`,
          });
        }
      }
    }
    const kept = new Set(addressesOf(spec));
    for (const address of held) {
      const freed = kept.has(address) ? undefined : ledger.free('address', address);
      if (freed !== undefined) writes.push(freed);
    }
    return writes;
  }

  #refusal(asked: string): string | undefined {
    const { ledger, cidr } = this.#parts;
    const number = parseIpv4(asked);
    if (number === undefined) return 'failed to allocate IP: must be a valid IPv4 address';
    if (number <= cidr.base || number >= cidr.base + cidr.size - 1) {
      return `failed to allocate IP ${asked}: the provided network does not match the current range`;
    }
    return ledger.isTaken('address', asked) ? `failed to allocate IP ${asked}: provided IP is already allocated` : undefined;
  }

  #nodePorts(service: KubeObject, spec: ServiceSpec, before: ServiceSpec | undefined, causes: StatusCause[]): W[] {
    const { ledger, ports } = this.#parts;
    const held = nodePortsOf(before);
    const taken = new Set<number>();
    const writes: W[] = [];
    const ask = (port: number, field: string): void => {
      if (taken.has(port)) return; // The same number for TCP and UDP of one Service.
      taken.add(port);
      if (held.has(port)) return;
      if (port < ports.first || port > ports.last) {
        causes.push({
          reason: 'FieldValueInvalid',
          field,
          message: `Invalid value: ${port}: provided port is not in the valid range. The range of valid ports is ${ports.first}-${ports.last}`,
        });
      } else if (ledger.isTaken('port', String(port))) {
        causes.push({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${port}: provided port is already allocated` });
      } else {
        writes.push(this.#takePort(port, service));
      }
    };
    const give = (): number => {
      const port = this.#freePort(service, taken);
      taken.add(port);
      writes.push(this.#takePort(port, service));
      return port;
    };
    if (needsNodePorts(spec)) {
      for (const [at, port] of (spec.ports ?? []).entries()) if (port.nodePort) ask(port.nodePort, `spec.ports[${at}].nodePort`);
      for (const port of spec.ports ?? []) if (!port.nodePort) port.nodePort = give();
    }
    if (needsHealthCheckPort(spec)) {
      if (spec.healthCheckNodePort) ask(spec.healthCheckNodePort, 'spec.healthCheckNodePort');
      else spec.healthCheckNodePort = give();
    }
    for (const port of held) {
      const freed = taken.has(port) ? undefined : ledger.free('port', String(port));
      if (freed !== undefined) writes.push(freed);
    }
    return writes;
  }

  #freePort(service: KubeObject, taken: ReadonlySet<number>): number {
    const { ledger, ports, random } = this.#parts;
    const size = ports.last - ports.first + 1;
    const offset = pickFree(
      random,
      size,
      reservedBand(size, 16, 128),
      (at) => taken.has(ports.first + at) || ledger.isTaken('port', String(ports.first + at)),
    );
    if (offset === undefined) {
      throw new LongshoreError('exhausted', 'failed to allocate a nodePort: range is full', {
        object: `service ${service.metadata?.name}`,
        remedy: 'delete Services, or start with a larger range of node ports',
      });
    }
    return ports.first + offset;
  }

  #takeAddress(address: string, service: KubeObject): W {
    return this.#parts.ledger.take('address', address, {
      kind: 'IPAddress', apiVersion: 'networking.k8s.io/v1',
      metadata: {
        name: address, uid: uuid(this.#parts.random), creationTimestamp: this.#parts.now(),
        labels: { 'ipaddress.kubernetes.io/ip-family': 'IPv4', 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' },
      },
      spec: { parentRef: { resource: 'services', namespace: service.metadata?.namespace, name: service.metadata?.name } },
    } as KubeObject);
  }

  #takePort(port: number, service: KubeObject): W {
    const { namespace, name } = service.metadata ?? {};
    return this.#parts.ledger.take('port', String(port), {
      kind: 'NodePort',
      apiVersion: 'longshore.dev/v1',
      metadata: { name: String(port) },
      spec: { service: `${namespace}/${name}` },
    } as KubeObject);
  }
}
