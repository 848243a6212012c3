import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import { labelSelectorMatcher } from '../../../../types/kubernetes/selectors.ts';
import { StatusError } from '../../../../types/kubernetes/status.ts';
import { isCode } from '../../../../lib/errors.ts';
import type { DeleteParameters, WriteOutcome } from '../../contract.ts';
import { failure, forbidden, notFound } from '../../errors.ts';
import type { Committer, Write } from '../commit.ts';
import { decideDeletion } from '../delete.ts';
import type { Decision, Pipeline } from '../pipeline.ts';
import type { ResourceCache } from '../resource-cache.ts';
import type { Scope } from '../scope.ts';
import type { Stored } from '../stored.ts';
import { bodyType, decodeAs, success } from './body.ts';
import { isReady, withCondition, type PodLike } from './pod.ts';

const EVICTION = bodyType('policy/v1', 'Eviction', 'io.k8s.api.policy.v1.Eviction');
/** Evictions that the disruption controller has not confirmed yet. */
const MAX_DISRUPTED = 2000;
const REFUSED = "Cannot evict pod as it would violate the pod's disruption budget.";

interface Eviction extends KubeObject {
  readonly deleteOptions?: {
    readonly gracePeriodSeconds?: number;
    readonly preconditions?: DeleteParameters['preconditions'];
    readonly propagationPolicy?: DeleteParameters['propagationPolicy'];
    readonly dryRun?: readonly string[];
  };
}

interface Budget extends KubeObject {
  readonly spec?: { readonly selector?: Parameters<typeof labelSelectorMatcher>[0]; readonly unhealthyPodEvictionPolicy?: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly disruptionsAllowed?: number;
    readonly currentHealthy?: number;
    readonly desiredHealthy?: number;
    readonly disruptedPods?: Readonly<Record<string, string>>;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string | null;
    }[];
  };
}

/**
 * Evicts a pod: deletes it, unless that would break a PodDisruptionBudget.
 * The budget is charged in the same transaction in which the pod is marked.
 */
export class Evictor {
  readonly #pipeline: Pipeline;
  readonly #committer: Committer;
  readonly #budgets: () => ResourceCache;

  constructor(parts: { readonly pipeline: Pipeline; readonly committer: Committer; readonly budgets: () => ResourceCache }) {
    this.#pipeline = parts.pipeline;
    this.#committer = parts.committer;
    this.#budgets = parts.budgets;
  }

  /** @throws StatusError 404, 409, 429 (the budget forbids it for now), 500 (two budgets) */
  async evict(scope: Scope, name: string, body: unknown): Promise<WriteOutcome> {
    const pipeline = this.#pipeline;
    const eviction = decodeAs(pipeline.rules, scope, EVICTION, body, name) as Eviction;
    const { dryRun, ...asked } = eviction.deleteOptions ?? {};
    const dry = scope.options.dryRun === true || (dryRun ?? []).length > 0;
    const options: DeleteParameters = { ...asked, dryRun: dry };
    pipeline.admit(scope, 'CREATE', name, eviction, undefined);
    const writing: Scope = { ...scope, options: { ...scope.options, dryRun: dry } };
    const { stored } = await pipeline.write(writing, scope.kind.key(scope.namespace, name), (current): Decision => {
      if (current === undefined) throw notFound({ group: '', resource: 'pods' }, name);
      const pod = current.object as PodLike;
      const charge = this.#charge(pod);
      const marked = {
        ...pod,
        status: withCondition(
          pod.status ?? {},
          { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' },
          pipeline.now(),
        ),
      };
      const decision = decideDeletion(
        pipeline,
        { ...writing, options: { ...writing.options, subresource: 'eviction' } },
        name,
        current,
        marked,
        options,
      );
      return decision.type === 'keep' || charge === undefined ? decision : { ...decision, more: [...decision.more, charge] };
    });
    return success(stored.revision);
  }

  /** What it takes from the pod's budget; undefined: nothing. @throws when the budget forbids */
  #charge(pod: PodLike): Write | undefined {
    const phase = pod.status?.phase;
    if (
      phase === 'Succeeded' ||
      phase === 'Failed' ||
      phase === 'Pending' ||
      phase === undefined ||
      pod.metadata?.deletionTimestamp !== undefined
    ) {
      return undefined;
    }
    const found = this.#budgetsOf(pod);
    if (found.length === 0) return undefined;
    if (found.length > 1) {
      throw new StatusError(
        failure(500, 'InternalError', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'),
      );
    }
    const [{ key, stored }] = found as [{ key: string; stored: Stored }];
    const budget = stored.object as Budget;
    const { spec, status = {} } = budget;
    const name = budget.metadata!.name!;
    if (!isReady(pod)) {
      // A pod that is not healthy does not count, so that nothing is lost with it.
      if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return undefined;
      if ((status.currentHealthy ?? 0) >= (status.desiredHealthy ?? 0) && (status.desiredHealthy ?? 0) > 0) return undefined;
    }
    const allowed = status.disruptionsAllowed ?? 0;
    const named = { group: 'policy', resource: 'poddisruptionbudgets' };
    if ((status.observedGeneration ?? 0) < (budget.metadata?.generation ?? 0)) {
      throw refusal(`The disruption budget ${name} is still being processed by the server.`, 10);
    }
    if (allowed < 0) throw forbidden(named, name, 'pdb disruptions allowed is negative');
    if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED) {
      throw forbidden(named, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
    }
    if (allowed === 0) throw refusal(whyNot(name, status), undefined);
    const object = {
      ...budget,
      status: {
        ...status, disruptionsAllowed: allowed - 1, disruptedPods: { ...status.disruptedPods, [pod.metadata!.name!]: this.#pipeline.now() },
        ...(allowed === 1 && { conditions: this.#spent(status) }),
      },
    };
    return { cache: this.#budgets(), key, expected: stored.revision, object };
  }

  /** The conditions of a budget that allows no more. */
  #spent({ conditions = [], observedGeneration }: NonNullable<Budget['status']>): NonNullable<Budget['status']>['conditions'] {
    const before = conditions.find(({ type }) => type === 'DisruptionAllowed');
    const lastTransitionTime = before?.status === 'False' ? before.lastTransitionTime : this.#pipeline.now();
    const spent = {
      type: 'DisruptionAllowed',
      status: 'False',
      ...(observedGeneration !== undefined && { observedGeneration }),
      lastTransitionTime,
      reason: 'InsufficientPods',
      message: '',
    };
    return before === undefined ? [...conditions, spent] : conditions.map((condition) => (condition === before ? spent : condition));
  }

  #budgetsOf(pod: PodLike): { key: string; stored: Stored }[] {
    const out: { key: string; stored: Stored }[] = [];
    const cache = this.#budgets();
    cache.view().scan(`${pod.metadata!.namespace}/`, '', (_, key) => {
      const stored = this.#committer.latest(cache, key).stored;
      if (stored !== undefined && selects(stored.object, pod)) out.push({ key, stored });
      return true;
    });
    return out;
  }
}

function selects(budget: Budget, pod: KubeObject): boolean {
  try {
    return labelSelectorMatcher(budget.spec?.selector)(pod.metadata?.labels);
  } catch (error) {
    if (isCode(error, 'invalid')) return false; // A selector that can't be read selects nothing.
    throw error;
  }
}

function refusal(message: string, retryAfterSeconds: number | undefined): StatusError {
  return new StatusError(
    failure(429, 'TooManyRequests', REFUSED, {
      causes: [{ reason: 'DisruptionBudget', message }],
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    }),
  );
}

function whyNot(name: string, status: NonNullable<Budget['status']>): string {
  const condition = status.conditions?.find((candidate) => candidate.type === 'DisruptionAllowed');
  const refused = condition?.status === 'False' && condition.message ? condition : undefined;
  if (refused?.reason === 'SyncFailed') {
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${refused.message}`;
  }
  if ((status.currentHealthy ?? 0) <= (status.desiredHealthy ?? 0)) {
    return `The disruption budget ${name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`;
  }
  if (refused !== undefined) {
    return `The disruption budget ${name} does not allow evicting pods currently (${refused.reason}): ${refused.message}`;
  }
  return `The disruption budget ${name} does not allow evicting pods currently`;
}
