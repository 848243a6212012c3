import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { labelMatcher } from '../../../client/label-selector.ts';
import { clusterRoles } from '../../../client/resources.ts';
import type { ClusterRole, PolicyRule } from '../../../types/kubernetes/generated/rbac-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { semanticEqual } from '../shared/equal.ts';

/** Fills ClusterRoles that gather their rules from others by label: `admin`, `edit` and `view` among them. */
export class ClusterRoleAggregationController implements RunningController {
  readonly #context: ControllerContext;
  readonly #roles: Informer<ClusterRole>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#roles = context.informers.for<ClusterRole>(clusterRoles);
    this.#controller = new Controller({
      name: 'clusterrole-aggregation-controller',
      clock: context.clock,
      logger: context.logger,
      informers: [this.#roles],
      sync: (name) => this.#sync(name),
      resync: () => this.#enqueueAll(),
    });
    const wake = (): void => this.#enqueueAll();
    this.#roles.on({ add: wake, update: wake, delete: wake });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #enqueueAll(): void {
    for (const role of this.#roles.store.values()) if (role.aggregationRule) this.#controller.enqueue(role.metadata!.name!);
  }

  async #sync(name: string): Promise<void> {
    const role = this.#roles.store.get(name);
    if (!role?.aggregationRule) return;
    const rules: PolicyRule[] = [];
    const sources = [...this.#roles.store.values()].toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
    for (const selector of role.aggregationRule.clusterRoleSelectors ?? []) {
      const matches = labelMatcher(selector);
      for (const source of sources) {
        if (source === role || !matches(source.metadata!.labels)) continue;
        for (const rule of source.rules ?? []) if (!rules.some((known) => semanticEqual(known, rule))) rules.push(rule);
      }
    }
    if (semanticEqual(rules, role.rules)) return;
    await this.#context.transport.update<ClusterRole>(clusterRoles, undefined, name, { ...role, rules });
  }
}
