import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey, splitKey } from '../../../client/object-key.ts';
import { endpoints, pods, services } from '../../../client/resources.ts';
import { isCode } from '../../../lib/errors.ts';
import type { EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { semanticEqual } from '../shared/equal.ts';
import { isNamespaceTerminating } from '../shared/pod-control.ts';
import { isReady } from '../shared/pods.ts';
import { addressesOf, addressTypesOf, hasEndpoint, hostnameOf, isHeadless, targetPort } from './pod-endpoint.ts';
import { ServiceSelection } from './selection.ts';
import { HEADLESS } from './slice-controller.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const CAPACITY = 1000;
const LEADER = 'control-plane.alpha.kubernetes.io/leader';

/** The same as slices, in the older form of one Endpoints object for each Service. */
export class EndpointsController implements RunningController {
  readonly #context: ControllerContext;
  readonly #services: Informer<Service>;
  readonly #endpoints: Informer<Endpoints>;
  readonly #selection: ServiceSelection;
  readonly #controller: Controller;
  /** Their Service was seen to go. */
  readonly #bereft = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#services = context.informers.for<Service>(services);
    this.#endpoints = context.informers.for<Endpoints>(endpoints);
    const podInformer = context.informers.for<Pod>(pods);
    this.#selection = new ServiceSelection(podInformer, this.#services);
    this.#controller = new Controller({
      name: 'endpoint-controller',
      clock: context.clock,
      logger: context.logger,
      workers: 16,
      informers: [this.#services, this.#endpoints, podInformer],
      sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#services.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#services.on({ delete: (service) => this.#bereft.add(objectKey(service)) });
    this.#controller.watch(this.#services);
    this.#controller.watch(this.#endpoints);
    this.#selection.follow((key) => this.#controller.enqueue(key));
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const { transport } = this.#context;
    const service = this.#services.store.get(key);
    const present = this.#endpoints.store.get(key);
    if (service === undefined) {
      // Endpoints that somebody wrote by hand need no Service; with a Service they go with it.
      if (
        present !== undefined &&
        present.metadata?.annotations?.[LEADER] === undefined &&
        (this.#bereft.has(key) || present.metadata?.labels?.[MANAGED_BY] === MANAGER)
      ) {
        try {
          await transport.delete(endpoints, namespace, name, { preconditions: { uid: present.metadata!.uid! } });
        } catch (error) {
          if (!isCode(error, 'not-found') && !isCode(error, 'conflict')) throw error;
        }
      }
      this.#bereft.delete(key);
      return;
    }
    this.#bereft.delete(key);
    if (service.spec?.type === 'ExternalName' || !service.spec?.selector || service.metadata!.deletionTimestamp !== undefined) return;
    const { subsets, truncated } = subsetsOf(service, this.#selection.podsOf(service));
    const { [HEADLESS]: _a, ...serviceLabels } = service.metadata!.labels ?? {};
    const labels = { ...serviceLabels, ...(isHeadless(service) && { [HEADLESS]: '' }), [MANAGED_BY]: MANAGER };
    const { [OVER_CAPACITY]: _b, ...others } = present?.metadata?.annotations ?? {};
    const annotations = truncated ? { ...others, [OVER_CAPACITY]: 'truncated' } : others;
    if (
      present !== undefined &&
      semanticEqual(present.subsets, subsets) &&
      semanticEqual(present.metadata!.labels, labels) &&
      semanticEqual(present.metadata!.annotations, annotations)
    ) {
      return;
    }
    try {
      if (present === undefined) {
        await transport.create<Endpoints>(endpoints, namespace, {
          apiVersion: 'v1',
          kind: 'Endpoints',
          metadata: { name, namespace: namespace!, labels, ...(truncated && { annotations }) },
          subsets,
        });
      } else {
        await transport.update<Endpoints>(endpoints, namespace, name, {
          ...present,
          metadata: { ...present.metadata, labels, annotations },
          subsets,
        });
      }
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
  }
}

/** Addresses that share their ports are one subset; ready ones and others are told apart. */
function subsetsOf(service: Service, candidates: Iterable<Pod>): { readonly subsets: readonly EndpointSubset[]; readonly truncated: boolean } {
  const family = addressTypesOf(service)[0]!;
  const groups = new Map<string, { ports: EndpointPort[]; ready: EndpointAddress[]; rest: EndpointAddress[] }>();
  const publishAll = service.spec!.publishNotReadyAddresses ?? false;
  const found = [...candidates].filter((pod) => hasEndpoint(pod) && (publishAll || pod.metadata!.deletionTimestamp === undefined));
  // Ready ones first, for there may be too many.
  const entries = found.map((pod) => ({ pod, ip: addressesOf(pod, family)[0], ready: publishAll || isReady(pod) })).filter((entry) => entry.ip !== undefined);
  entries.sort((a, b) => Number(b.ready) - Number(a.ready) || (a.ip! < b.ip! ? -1 : 1));
  for (const { pod, ip, ready } of entries.slice(0, CAPACITY)) {
    const ports = portsOf(service, pod);
    if (ports.length === 0 && (service.spec!.ports?.length || !isHeadless(service))) continue;
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, ready: [], rest: [] };
    groups.set(id, group);
    const hostname = hostnameOf(pod, service);
    (ready ? group.ready : group.rest).push({
      ip: ip!, ...(hostname !== undefined && { hostname }), ...(pod.spec?.nodeName && { nodeName: pod.spec.nodeName }),
      targetRef: { kind: 'Pod', namespace: pod.metadata!.namespace!, name: pod.metadata!.name!, uid: pod.metadata!.uid! },
    });
  }
  const subsets = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, rest }]) => ({
      ...(ready.length > 0 && { addresses: ready }),
      ...(rest.length > 0 && { notReadyAddresses: rest }),
      ...(ports.length > 0 && { ports }),
    }));
  return { subsets, truncated: entries.length > CAPACITY };
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec!.ports ?? []) {
    const number = targetPort(pod, port);
    if (number !== undefined) {
      ports.push({
        ...(port.name && { name: port.name }),
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
      });
    }
  }
  return ports.toSorted((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1));
}
