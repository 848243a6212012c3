import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { nodes, services } from '../../../client/resources.ts';
import type { Node, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import type { ControllersOptions } from '../options.ts';
import { semanticEqual } from '../shared/equal.ts';
import { eventTarget } from '../shared/target.ts';

/** Gives Services of type LoadBalancer their address at once: there is nothing to wait for, since the nodes themselves answer. */
class LoadBalancerController implements RunningController {
  readonly #context: ControllerContext;
  readonly #ingress: NonNullable<ControllersOptions['loadBalancerIngress']>;
  readonly #services: Informer<Service>;
  readonly #nodes: Informer<Node>;
  readonly #controller: Controller;

  constructor(context: ControllerContext, ingress: NonNullable<ControllersOptions['loadBalancerIngress']>) {
    this.#context = context;
    this.#ingress = ingress;
    this.#services = context.informers.for<Service>(services);
    this.#nodes = context.informers.for<Node>(nodes);
    this.#controller = new Controller({
      name: 'service-lb-controller',
      clock: context.clock,
      logger: context.logger,
      informers: [this.#services, this.#nodes],
      sync: (key) => this.#sync(key),
      resync: () => this.#enqueueAll(),
    });
    this.#controller.watch(this.#services);
    const addresses = ({ status, metadata }: Node): unknown => [status?.addresses, metadata?.labels];
    this.#nodes.on({
      add: () => this.#enqueueAll(),
      update: (old, node) => !semanticEqual(addresses(old), addresses(node)) && this.#enqueueAll(),
      delete: () => this.#enqueueAll(),
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #enqueueAll(): void {
    for (const service of this.#services.store.values()) {
      if (service.spec?.type === 'LoadBalancer') {
        this.#controller.enqueue(objectKey(service));
      }
    }
  }

  async #sync(key: string): Promise<void> {
    const service = this.#services.store.get(key);
    if (service === undefined || service.metadata!.deletionTimestamp !== undefined) return;
    const wanted = service.spec?.type === 'LoadBalancer' && !service.spec.loadBalancerClass;
    // Those of another class belong to somebody else.
    if (!wanted && service.spec?.type === 'LoadBalancer') return;
    const present = service.status?.loadBalancer?.ingress ?? [];
    const ingress = wanted ? this.#ingress(service, this.#nodes.store.values()) : [];
    if (
      semanticEqual(
        present.map(({ ip, hostname }) => ({ ip, hostname })),
        ingress,
      )
    )
      return;
    await this.#context.transport.update<Service>(
      services,
      service.metadata!.namespace,
      service.metadata!.name!,
      { ...service, status: { ...service.status, loadBalancer: ingress.length > 0 ? { ingress } : {} } },
      { subresource: 'status' },
    );
    if (wanted) this.#context.events.event(eventTarget(services, service), 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
  }
}

/** @returns undefined when no addresses can be given */
export function createLoadBalancerController(context: ControllerContext): RunningController | undefined {
  const { loadBalancerIngress } = context.options;
  return loadBalancerIngress === undefined ? undefined : new LoadBalancerController(context, loadBalancerIngress);
}
