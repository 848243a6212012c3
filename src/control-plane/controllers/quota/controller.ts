import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { persistentVolumeClaims, pods, resourceQuotas, services } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import type { ResourceQuota } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { compareQuantities } from '../../../types/kubernetes/quantity.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { isTerminal } from '../shared/pods.ts';
import { ResourceCatalog } from '../shared/resource-catalog.ts';
import { add, inScope, usageOf, type Amounts } from './usage.ts';

/** Changes of one namespace that come together are counted once. */
const SETTLE_MS = 100;

/** Keeps the status of ResourceQuotas: what is used of each limit. */
export class ResourceQuotaController implements RunningController {
  readonly #context: ControllerContext;
  readonly #quotas: Informer<ResourceQuota>;
  readonly #catalog: ResourceCatalog;
  readonly #controller: Controller;
  /** The resources that some quota counts. */
  readonly #followed = new Map<string, { readonly resource: ResourceRef; readonly informer: Informer }>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#quotas = context.informers.for<ResourceQuota>(resourceQuotas);
    this.#catalog = new ResourceCatalog(context.informers);
    this.#controller = new Controller({
      name: 'resourcequota-controller', clock: context.clock, logger: context.logger, informers: [this.#quotas, this.#catalog], sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#quotas.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#controller.watch(this.#quotas);
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const quota = this.#quotas.store.get(key);
    if (quota === undefined) return;
    const hard = quota.spec?.hard ?? {};
    const counted = this.#countedBy(Object.keys(hard));
    const followed = counted.map((resource) => this.#follow(resource));
    await Promise.all(followed.map(({ informer }) => informer.synced));
    const total: Amounts = {};
    for (const { resource, informer } of followed) {
      for (const object of informer.store.inNamespace(quota.metadata!.namespace!)) {
        if (!inScope(quota, resource, object)) continue;
        for (const [name, amount] of Object.entries(usageOf(resource, object))) if (name in hard) add(total, name, amount);
      }
    }
    const used = Object.fromEntries(Object.keys(hard).map((name) => [name, total[name] ?? '0']));
    if (sameAmounts(used, quota.status?.used) && sameAmounts(hard, quota.status?.hard)) return;
    await this.#context.transport.update<ResourceQuota>(
      resourceQuotas,
      quota.metadata!.namespace,
      quota.metadata!.name!,
      { ...quota, status: { hard, used } },
      { subresource: 'status' },
    );
  }

  /** The resources whose objects the limits are about. */
  #countedBy(limits: readonly string[]): ResourceRef[] {
    const found = new Map<string, ResourceRef>();
    const need = (resource: ResourceRef | undefined): void => {
      if (resource?.namespaced) found.set(`${resource.group}/${resource.resource}`, resource);
    };
    for (const limit of limits) {
      if (limit.startsWith('services')) need(services);
      else if (limit === 'requests.storage' || limit.includes('.storageclass.storage.k8s.io/')) need(persistentVolumeClaims);
      else {
        const name = limit.startsWith('count/') ? limit.slice(6) : limit;
        const dot = name.indexOf('.');
        const named = [...this.#catalog.all()].find(({ group, resource }) =>
          dot < 0 || limit.startsWith('requests.') || limit.startsWith('limits.')
            ? group === '' && resource === name
            : `${resource}.${group}` === name,
        );
        need(named ?? (limit.startsWith('count/') ? undefined : pods));
      }
    }
    return [...found.values()];
  }

  #follow(resource: ResourceRef): { readonly resource: ResourceRef; readonly informer: Informer } {
    const id = `${resource.group}/${resource.resource}`;
    let entry = this.#followed.get(id);
    if (entry === undefined) {
      const informer = this.#context.informers.for(resource);
      entry = { resource, informer };
      this.#followed.set(id, entry);
      const wake = (object: KubeObject): void => this.#wake(object.metadata!.namespace);
      const isPods = resource.group === '' && resource.resource === 'pods';
      // Of pods only their coming, their end and their going matters, not each step of their life.
      informer.on({
        add: wake,
        update: (old, object) =>
          (!isPods || isTerminal(old) !== isTerminal(object) || old.metadata?.generation !== object.metadata?.generation) && wake(object),
        delete: wake,
      });
    }
    return entry;
  }

  #wake(namespace: string | undefined): void {
    if (namespace === undefined) return;
    for (const quota of this.#quotas.store.inNamespace(namespace)) this.#controller.enqueueAfter(objectKey(quota), SETTLE_MS);
  }
}

function sameAmounts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> | undefined): boolean {
  if (b === undefined || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(a).every(([name, amount]) => b[name] !== undefined && compareQuantities(amount, b[name]) === 0);
}
