import type { PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { ContainerStatus, Pod } from '../../../types/kubernetes/generated/core-v1.ts';

export interface FailureVerdict {
  /** Whether it counts against the back-off limits. */
  readonly counts: boolean;
  /** The whole Job fails, for this reason. */
  readonly failJob?: string;
  /** The pod's index fails, whatever its limit. */
  readonly failIndex?: true;
}

const COUNTS: FailureVerdict = { counts: true };

/** What the first rule that matches a failed pod says; without one it counts. */
export function matchFailurePolicy(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [at, rule] of (policy?.rules ?? []).entries()) {
    let matched: string | undefined;
    const name = `${pod.metadata!.namespace}/${pod.metadata!.name}`;
    if (rule.onExitCodes !== undefined) {
      const status = matchExitCodes(pod, rule.onExitCodes);
      if (status) matched = `Container ${status.name} for pod ${name} failed with exit code ${status.state!.terminated!.exitCode}`;
    } else {
      const condition = pod.status?.conditions?.find(({ type, status }) =>
        rule.onPodConditions?.some((pattern) => pattern.type === type && (pattern.status ?? 'True') === status),
      );
      if (condition) matched = `Pod ${name} has condition ${condition.type}`;
    }
    if (matched === undefined) continue;
    switch (rule.action) {
      case 'Ignore': return { counts: false };
      case 'FailIndex': return { counts: true, failIndex: true };
      case 'FailJob': return { counts: true, failJob: `${matched} matching FailJob rule at index ${at}` };
      default: return COUNTS;
    }
  }
  return COUNTS;
}

function matchExitCodes(pod: Pod, { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement): ContainerStatus | undefined {
  const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return all.find(({ name, state }) => {
    const code = state?.terminated?.exitCode;
    if (code === undefined || code === 0 || (containerName !== undefined && containerName !== name)) return false;
    return operator === 'In' ? values.includes(code) : operator === 'NotIn' && !values.includes(code);
  });
}
