import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { RecentWrites } from '../../../client/recent-writes.ts';
import { endpointSlices, nodes, pods, services } from '../../../client/resources.ts';
import type { Node, Pod, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../../types/kubernetes/generated/discovery-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { controllerReference } from '../shared/owner.ts';
import { isReady } from '../shared/pods.ts';
import { applySlices } from './apply-slices.ts';
import { addressesOf, addressTypesOf, hasEndpoint, hostnameOf, isHeadless, targetPort } from './pod-endpoint.ts';
import { ServiceSelection } from './selection.ts';
import { planSlices, type SliceGroup } from './slices.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const HEADLESS = 'service.kubernetes.io/headless';
const MANAGER = 'endpointslice-controller.k8s.io';
const ZONE = 'topology.kubernetes.io/zone';
const MAX_ENDPOINTS = 100;
const BY_SERVICE = 'service';

/** Where the endpoints of a Service are, in slices that proxies and DNS follow. */
export class EndpointSliceController implements RunningController {
  readonly #context: ControllerContext;
  readonly #services: Informer<Service>;
  readonly #nodes: Informer<Node>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #selection: ServiceSelection;
  readonly #controller: Controller;
  readonly #writes: RecentWrites<EndpointSlice>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#services = context.informers.for<Service>(services);
    this.#nodes = context.informers.for<Node>(nodes);
    this.#slices = context.informers.for<EndpointSlice>(endpointSlices);
    const podInformer = context.informers.for<Pod>(pods);
    this.#selection = new ServiceSelection(podInformer, this.#services);
    this.#slices.addIndex(BY_SERVICE, serviceKeyOf);
    this.#writes = new RecentWrites(this.#slices, context.clock);
    this.#controller = new Controller({
      name: 'endpointslice-controller', clock: context.clock, logger: context.logger, workers: 16,
      informers: [this.#services, podInformer, this.#nodes, this.#slices], sync: (key) => this.#sync(key), resync: () => this.#enqueueAll(),
    });
    this.#controller.watch(this.#services);
    this.#selection.follow((key) => this.#controller.enqueue(key));
    this.#controller.watch(this.#slices, (slice) =>
      slice.metadata?.labels?.[MANAGED_BY] === MANAGER ? [serviceKeyOf(slice)].filter((key) => key !== undefined) : [],
    );
    this.#nodes.on({
      add: (node) => node.metadata?.labels?.[ZONE] !== undefined && this.#enqueueAll(),
      update: (old, node) => old.metadata?.labels?.[ZONE] !== node.metadata?.labels?.[ZONE] && this.#enqueueAll(),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #enqueueAll(): void {
    for (const key of this.#services.store.keys()) this.#controller.enqueue(key);
  }

  async #sync(key: string): Promise<void> {
    const service = this.#services.store.get(key);
    // The slices of a service that is gone go with it: it owns them.
    if (
      service === undefined ||
      service.spec?.type === 'ExternalName' ||
      !service.spec?.selector ||
      service.metadata!.deletionTimestamp !== undefined
    ) {
      return;
    }
    const cached = this.#slices.store.byIndex(BY_SERVICE, key);
    const mine = (slice: EndpointSlice): boolean =>
      slice.metadata?.labels?.[MANAGED_BY] === MANAGER &&
      serviceKeyOf(slice) === key &&
      (slice.metadata.ownerReferences?.some(({ uid }) => uid === service.metadata!.uid) ?? false);
    const existing = this.#writes.over(cached, mine).filter((slice) => mine(slice) && slice.metadata!.deletionTimestamp === undefined);
    const plan = planSlices(
      existing,
      this.#groups(service),
      {
        labels: this.#labels(service),
        metadata: {
          generateName: `${service.metadata!.name}-`,
          namespace: service.metadata!.namespace!,
          ownerReferences: [controllerReference(services, service)],
        },
      },
      MAX_ENDPOINTS,
    );
    await applySlices(this.#context.transport, this.#writes, service.metadata!.namespace!, plan, (slice) =>
      this.#slices.store.get(objectKey(slice)),
    );
  }

  #labels(service: Service): Record<string, string> {
    const { [SERVICE_NAME]: _a, [MANAGED_BY]: _b, [HEADLESS]: _c, ...labels } = service.metadata!.labels ?? {};
    return { ...labels, [SERVICE_NAME]: service.metadata!.name!, [MANAGED_BY]: MANAGER, ...(isHeadless(service) && { [HEADLESS]: '' }) };
  }

  #groups(service: Service): SliceGroup[] {
    const groups: SliceGroup[] = [];
    const ready = [...this.#selection.podsOf(service)].filter(hasEndpoint);
    for (const addressType of addressTypesOf(service)) {
      const byPorts = new Map<string, { ports: readonly EndpointPort[]; endpoints: Endpoint[] }>();
      for (const pod of ready) {
        const addresses = addressesOf(pod, addressType);
        if (addresses.length === 0) continue;
        const ports = portsOf(service, pod);
        const id = JSON.stringify(ports);
        const group = byPorts.get(id) ?? { ports, endpoints: [] };
        byPorts.set(id, group);
        group.endpoints.push(this.#endpoint(service, pod, addresses));
      }
      if (byPorts.size === 0) groups.push({ addressType, ports: [], endpoints: [] });
      for (const { ports, endpoints } of byPorts.values()) groups.push({ addressType, ports, endpoints: endpoints.toSorted(byAddress) });
    }
    return groups;
  }

  #endpoint(service: Service, pod: Pod, addresses: readonly string[]): Endpoint {
    const serving = isReady(pod);
    const terminating = pod.metadata!.deletionTimestamp !== undefined;
    const nodeName = pod.spec?.nodeName;
    const zone = nodeName ? this.#nodes.store.get(nodeName)?.metadata?.labels?.[ZONE] : undefined;
    const hostname = hostnameOf(pod, service);
    return {
      addresses,
      conditions: { ready: (service.spec!.publishNotReadyAddresses ?? false) || (serving && !terminating), serving, terminating },
      ...(hostname !== undefined && { hostname }),
      targetRef: { kind: 'Pod', namespace: pod.metadata!.namespace!, name: pod.metadata!.name!, uid: pod.metadata!.uid! },
      ...(nodeName && { nodeName }), ...(zone && { zone }),
    };
  }
}

function serviceKeyOf(slice: EndpointSlice): string | undefined {
  const name = slice.metadata?.labels?.[SERVICE_NAME];
  return name ? `${slice.metadata.namespace}/${name}` : undefined;
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec!.ports ?? []) {
    const number = targetPort(pod, port);
    if (number !== undefined) {
      ports.push({
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
        port: number,
        ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
      });
    }
  }
  return ports;
}

function byAddress(a: Endpoint, b: Endpoint): number {
  return a.addresses[0]! < b.addresses[0]! ? -1 : 1;
}
