import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { formatSelector, labelMatcher } from '../../../client/label-selector.ts';
import { objectKey } from '../../../client/object-key.ts';
import { podDisruptionBudgets, pods } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { Pod, PodCondition } from '../../../types/kubernetes/generated/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../../types/kubernetes/generated/policy-v1.ts';
import { scaledIntOrPercent } from '../../../types/kubernetes/intstr.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { conditionOf } from '../shared/conditions.ts';
import { semanticEqual } from '../shared/equal.ts';
import { isReady, isTerminal } from '../shared/pods.ts';
import { eventTarget } from '../shared/target.ts';
import { ExpectedScale } from './expected.ts';

/** An eviction that was granted counts as done for so long. */
const DELETION_MS = 120_000;
/** A pod that is still there so long after it was to be disrupted is told that it is not. */
const STALE_MS = 120_000;
const CONDITION = 'DisruptionAllowed';

/** Counts how many pods of a PodDisruptionBudget serve, and hence how many may be evicted. */
export class DisruptionController implements RunningController {
  readonly #context: ControllerContext;
  readonly #budgets: Informer<PodDisruptionBudget>;
  readonly #pods: Informer<Pod>;
  readonly #expected: ExpectedScale;
  readonly #controller: Controller;
  readonly #stale: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#budgets = context.informers.for<PodDisruptionBudget>(podDisruptionBudgets);
    this.#pods = context.informers.for<Pod>(pods);
    this.#expected = new ExpectedScale(context.transport, context.informers);
    const base = {
      clock: context.clock,
      logger: context.logger,
      informers: [this.#budgets, this.#pods, { synced: this.#expected.synced.then(() => undefined) }],
    };
    this.#controller = new Controller({
      ...base, name: 'disruption-controller', sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#budgets.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#stale = new Controller({ ...base, name: 'disruption-controller-stale', sync: (key) => this.#clearStale(key) });
    this.#controller.watch(this.#budgets);
    this.#controller.watch(this.#pods, (pod) => this.#budgetsOf(pod));
    this.#pods.on({ add: (pod) => this.#noteStale(pod), update: (_old, pod) => this.#noteStale(pod) });
  }

  async start(): Promise<void> {
    await Promise.all([this.#controller.start(), this.#stale.start()]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#controller.stop(), this.#stale.stop()]);
  }

  *#budgetsOf(pod: Pod): Generator<string> {
    for (const budget of this.#budgets.store.inNamespace(pod.metadata!.namespace!)) {
      if (labelMatcher(budget.spec?.selector)(pod.metadata!.labels)) {
        yield objectKey(budget);
      }
    }
  }

  async #sync(key: string): Promise<void> {
    const budget = this.#budgets.store.get(key);
    if (budget === undefined) return;
    let status: PodDisruptionBudgetStatus;
    try {
      status = await this.#status(key, budget);
    } catch (error) {
      if (isCode(error, 'conflict')) throw error;
      // Better no eviction than one too many.
      const now = rfc3339(this.#context.clock.now());
      const { desiredHealthy = 0, currentHealthy = 0, expectedPods = 0, ...rest } = budget.status ?? {};
      this.#context.events.event(
        eventTarget(podDisruptionBudgets, budget),
        'Warning',
        'CalculateExpectedPodCountFailed',
        `Failed to calculate the number of expected pods: ${messageOf(error)}`,
      );
      status = {
        ...rest,
        desiredHealthy,
        currentHealthy,
        expectedPods,
        disruptionsAllowed: 0,
        conditions: this.#conditions(budget, 'False', 'SyncFailed', messageOf(error), now),
      };
    }
    if (semanticEqual(status, budget.status)) return;
    await this.#context.transport.update<PodDisruptionBudget>(
      podDisruptionBudgets,
      budget.metadata!.namespace,
      budget.metadata!.name!,
      { ...budget, status },
      { subresource: 'status' },
    );
  }

  async #status(key: string, budget: PodDisruptionBudget): Promise<PodDisruptionBudgetStatus> {
    const nowMs = this.#context.clock.now();
    const matches = labelMatcher(budget.spec?.selector);
    const selected = [...this.#pods.store.inNamespace(budget.metadata!.namespace!)].filter((pod) => matches(pod.metadata!.labels));
    const event = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
      this.#context.events.event(eventTarget(podDisruptionBudgets, budget), type, reason, message);
    if (selected.length === 0) event('Normal', 'NoPods', 'No matching pods found');
    const { expected, desired, unmanaged } = await this.#wanted(budget, selected);
    if (unmanaged.length > 0) {
      event(
        'Warning',
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: ${formatSelector(budget.spec?.selector ?? {})}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
      );
    }
    const disrupted = this.#disrupted(key, budget, selected, nowMs);
    const healthy = selected.filter(
      (pod) => pod.metadata!.deletionTimestamp === undefined && disrupted[pod.metadata!.name!] === undefined && isReady(pod),
    ).length;
    const allowed = expected > 0 ? Math.max(healthy - desired, 0) : 0;
    return {
      ...(budget.metadata!.generation !== undefined && { observedGeneration: budget.metadata!.generation }),
      ...(Object.keys(disrupted).length > 0 && { disruptedPods: disrupted }),
      disruptionsAllowed: allowed, currentHealthy: healthy, desiredHealthy: desired, expectedPods: expected,
      conditions: this.#conditions(budget, allowed > 0 ? 'True' : 'False', allowed > 0 ? 'SufficientPods' : 'InsufficientPods', '', rfc3339(nowMs)),
    };
  }

  #conditions(
    budget: PodDisruptionBudget,
    status: 'True' | 'False',
    reason: string,
    message: string,
    now: string,
  ): NonNullable<PodDisruptionBudgetStatus['conditions']> {
    const present = conditionOf(budget.status?.conditions, CONDITION);
    const others = (budget.status?.conditions ?? []).filter(({ type }) => type !== CONDITION);
    const since = present?.status === status && present.lastTransitionTime ? present.lastTransitionTime : now;
    return [
      ...others,
      {
        type: CONDITION,
        status,
        ...(budget.metadata!.generation !== undefined && { observedGeneration: budget.metadata!.generation }),
        lastTransitionTime: since,
        reason,
        message,
      },
    ];
  }

  async #wanted(
    budget: PodDisruptionBudget,
    selected: readonly Pod[],
  ): Promise<{ readonly expected: number; readonly desired: number; readonly unmanaged: readonly string[] }> {
    const { minAvailable, maxUnavailable } = budget.spec ?? {};
    if (maxUnavailable === undefined && typeof minAvailable === 'number') {
      return { expected: selected.length, desired: minAvailable, unmanaged: [] };
    }
    if (maxUnavailable === undefined && minAvailable === undefined) return { expected: 0, desired: 0, unmanaged: [] };
    const { expected, unmanaged } = await this.#expected.of(selected);
    const desired =
      maxUnavailable !== undefined
        ? Math.max(expected - scaledIntOrPercent(maxUnavailable, expected, 'up'), 0)
        : scaledIntOrPercent(minAvailable ?? 0, expected, 'up');
    return { expected, desired, unmanaged };
  }

  /** Pods whose eviction was granted, and that are not gone yet. */
  #disrupted(key: string, budget: PodDisruptionBudget, selected: readonly Pod[], nowMs: number): Record<string, string> {
    const disrupted: Record<string, string> = {};
    for (const pod of selected) {
      const since = budget.status?.disruptedPods?.[pod.metadata!.name!];
      if (since === undefined || pod.metadata!.deletionTimestamp !== undefined) continue;
      const leftMs = Date.parse(since) + DELETION_MS - nowMs;
      if (leftMs < 0) {
        this.#context.events.event(
          eventTarget(pods, pod),
          'Warning',
          'NotDeleted',
          `Pod was expected by PDB ${key} to be deleted but it wasn't`,
        );
      } else {
        disrupted[pod.metadata!.name!] = since;
        this.#controller.enqueueAfter(key, leftMs + 1000);
      }
    }
    return disrupted;
  }

  #noteStale(pod: Pod): void {
    const leftMs = staleIn(pod, this.#context.clock.now());
    if (leftMs !== undefined) this.#stale.enqueueAfter(objectKey(pod), leftMs);
  }

  async #clearStale(key: string): Promise<void> {
    const pod = this.#pods.store.get(key);
    const nowMs = this.#context.clock.now();
    const leftMs = pod && staleIn(pod, nowMs);
    if (pod === undefined || leftMs === undefined) return;
    if (leftMs > 0) return this.#stale.enqueueAfter(key, leftMs);
    const conditions = pod.status!.conditions!.map((condition): PodCondition =>
      condition.type === 'DisruptionTarget' ? { type: condition.type, status: 'False', lastTransitionTime: rfc3339(nowMs) } : condition,
    );
    await this.#context.transport.update<Pod>(
      pods,
      pod.metadata!.namespace,
      pod.metadata!.name!,
      { ...pod, status: { ...pod.status, conditions } },
      { subresource: 'status' },
    );
  }
}

/** Milliseconds until the pod's mark of an imminent disruption is stale; undefined when it bears none. */
function staleIn(pod: Pod, nowMs: number): number | undefined {
  if (pod.metadata!.deletionTimestamp !== undefined || isTerminal(pod)) return undefined;
  const condition = conditionOf(pod.status?.conditions, 'DisruptionTarget');
  if (condition?.status !== 'True' || !condition.lastTransitionTime) return undefined;
  return Math.max(Date.parse(condition.lastTransitionTime) + STALE_MS - nowMs, 0);
}
