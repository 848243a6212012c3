import { isIP } from 'node:net';
import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey, splitKey } from '../../../client/object-key.ts';
import { RecentWrites } from '../../../client/recent-writes.ts';
import { endpoints, endpointSlices, services } from '../../../client/resources.ts';
import type { EndpointAddress, Endpoints, EndpointSubset, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../../types/kubernetes/generated/discovery-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { controllerReference } from '../shared/owner.ts';
import { applySlices } from './apply-slices.ts';
import { addressTypeOf, type AddressType } from './pod-endpoint.ts';
import { MANAGED_BY, SERVICE_NAME } from './slice-controller.ts';
import { planSlices, type SliceGroup } from './slices.ts';

const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const NOT_MIRRORED = new Set(['endpoints.kubernetes.io/last-change-trigger-time', 'kubectl.kubernetes.io/last-applied-configuration']);
/** Addresses taken from one subset. */
const MAX_MIRRORED = 1000;
const BY_MIRRORED = 'mirrored';

/** Copies Endpoints that were written by hand, for Services without a selector, into slices, since proxies read nothing else. */
export class EndpointMirrorController implements RunningController {
  readonly #context: ControllerContext;
  readonly #services: Informer<Service>;
  readonly #endpoints: Informer<Endpoints>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #controller: Controller;
  readonly #writes: RecentWrites<EndpointSlice>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#services = context.informers.for<Service>(services);
    this.#endpoints = context.informers.for<Endpoints>(endpoints);
    this.#slices = context.informers.for<EndpointSlice>(endpointSlices);
    this.#slices.addIndex(BY_MIRRORED, mirroredKeyOf);
    this.#writes = new RecentWrites(this.#slices, context.clock);
    this.#controller = new Controller({
      name: 'endpointslicemirroring-controller',
      clock: context.clock,
      logger: context.logger,
      informers: [this.#services, this.#endpoints, this.#slices],
      sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#endpoints.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#controller.watch(this.#endpoints);
    this.#controller.watch(this.#services);
    this.#controller.watch(this.#slices, (slice) => [mirroredKeyOf(slice)].filter((key) => key !== undefined));
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const source = this.#endpoints.store.get(key);
    const service = this.#services.store.get(key);
    const existing = this.#writes
      .over(this.#slices.store.byIndex(BY_MIRRORED, key), (slice) => mirroredKeyOf(slice) === key)
      .filter(({ metadata }) => metadata!.deletionTimestamp === undefined);
    const mirrored =
      source !== undefined &&
      service !== undefined &&
      source.metadata!.deletionTimestamp === undefined &&
      !service.spec?.selector &&
      service.spec?.type !== 'ExternalName' &&
      source.metadata!.labels?.[SKIP] !== 'true' &&
      source.metadata!.annotations?.[LEADER] === undefined;
    const cached = (slice: EndpointSlice): EndpointSlice | undefined => this.#slices.store.get(objectKey(slice));
    if (!mirrored) {
      return applySlices(this.#context.transport, this.#writes, namespace!, { create: [], update: [], delete: existing }, cached);
    }
    const annotations = Object.fromEntries(
      Object.entries(source.metadata!.annotations ?? {}).filter(([annotation]) => !NOT_MIRRORED.has(annotation)),
    );
    const plan = planSlices(
      existing,
      groupsOf(source),
      {
        labels: { ...source.metadata!.labels, [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER },
        ...(Object.keys(annotations).length > 0 && { annotations }),
        metadata: { generateName: `${name}-`, namespace: namespace!, ownerReferences: [controllerReference(endpoints, source)] },
      },
      MAX_MIRRORED,
    );
    await applySlices(this.#context.transport, this.#writes, namespace!, plan, cached);
  }
}

function mirroredKeyOf(slice: EndpointSlice): string | undefined {
  const labels = slice.metadata?.labels;
  return labels?.[MANAGED_BY] === MANAGER && labels[SERVICE_NAME] ? `${slice.metadata!.namespace}/${labels[SERVICE_NAME]}` : undefined;
}

function groupsOf(source: Endpoints): SliceGroup[] {
  const groups: SliceGroup[] = [];
  for (const subset of source.subsets ?? []) {
    const ports = (subset.ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }): EndpointPort => ({
      name,
      port,
      protocol,
      ...(appProtocol !== undefined && { appProtocol }),
    }));
    for (const addressType of ['IPv4', 'IPv6'] as const) {
      const found = endpointsOf(subset, addressType);
      if (found.length > 0) groups.push({ addressType, ports, endpoints: found });
    }
  }
  return groups;
}

function endpointsOf(subset: EndpointSubset, type: AddressType): Endpoint[] {
  const of = (addresses: readonly EndpointAddress[] | undefined, ready: boolean): Endpoint[] =>
    (addresses ?? [])
      .filter(({ ip }) => isIP(ip) !== 0 && addressTypeOf(ip) === type)
      .map(({ ip, hostname, nodeName, targetRef }) => ({
        addresses: [ip],
        conditions: { ready },
        ...(hostname && { hostname }),
        ...(targetRef && { targetRef }),
        ...(nodeName && { nodeName }),
      }));
  return [...of(subset.addresses, true), ...of(subset.notReadyAddresses, false)].slice(0, MAX_MIRRORED);
}
