import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../../../types/kubernetes/generated/apps-v1.ts';
import type { Scale } from '../../../../types/kubernetes/generated/autoscaling-v1.ts';
import type { CronJob, Job } from '../../../../types/kubernetes/generated/batch-v1.ts';
import type { PodTemplate, ReplicationController } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../../../../types/kubernetes/generated/policy-v1.ts';
import { AGE, column, containerColumns, labelsText, NAME, selectorText, since, wide, type Column } from '../column.ts';
import { duration } from '../duration.ts';

export const DEPLOYMENT: readonly Column[] = [
  NAME,
  column<Deployment>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  column<Deployment>('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0),
  column<Deployment>('Available', ({ status }) => status?.availableReplicas ?? 0),
  AGE,
  ...containerColumns<Deployment>(({ spec }) => spec?.template),
  wide<Deployment>('Selector', ({ spec }) => selectorText(spec?.selector)),
];

/** The subresource `scale`, of whatever kind. */
export const SCALE: readonly Column[] = [
  NAME,
  column<Scale>('Desired', ({ spec }) => spec?.replicas ?? 0, { type: 'integer' }),
  column<Scale>('Available', ({ status }) => status?.replicas ?? 0, { type: 'integer' }),
  AGE,
];

export const REPLICA_SET: readonly Column[] = [
  NAME,
  column<ReplicaSet>('Desired', ({ spec }) => spec?.replicas ?? 0, { type: 'integer' }),
  column<ReplicaSet>('Current', ({ status }) => status?.replicas ?? 0, { type: 'integer' }),
  column<ReplicaSet>('Ready', ({ status }) => status?.readyReplicas ?? 0, { type: 'integer' }),
  AGE,
  ...containerColumns<ReplicaSet>(({ spec }) => spec?.template),
  wide<ReplicaSet>('Selector', ({ spec }) => selectorText(spec?.selector)),
];

export const REPLICATION_CONTROLLER: readonly Column[] = [
  NAME,
  column<ReplicationController>('Desired', ({ spec }) => spec?.replicas ?? 0, { type: 'integer' }),
  column<ReplicationController>('Current', ({ status }) => status?.replicas ?? 0, { type: 'integer' }),
  column<ReplicationController>('Ready', ({ status }) => status?.readyReplicas ?? 0, { type: 'integer' }),
  AGE,
  ...containerColumns<ReplicationController>(({ spec }) => spec?.template),
  wide<ReplicationController>('Selector', ({ spec }) => labelsText(spec?.selector)),
];

export const STATEFUL_SET: readonly Column[] = [
  NAME,
  column<StatefulSet>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  AGE,
  ...containerColumns<StatefulSet>(({ spec }) => spec?.template),
];

export const DAEMON_SET: readonly Column[] = [
  NAME,
  column<DaemonSet>('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0, { type: 'integer' }),
  column<DaemonSet>('Current', ({ status }) => status?.currentNumberScheduled ?? 0, { type: 'integer' }),
  column<DaemonSet>('Ready', ({ status }) => status?.numberReady ?? 0, { type: 'integer' }),
  column<DaemonSet>('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0, { type: 'integer' }),
  column<DaemonSet>('Available', ({ status }) => status?.numberAvailable ?? 0, { type: 'integer' }),
  column<DaemonSet>('Node Selector', ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector)),
  AGE,
  ...containerColumns<DaemonSet>(({ spec }) => spec?.template),
  wide<DaemonSet>('Selector', ({ spec }) => selectorText(spec?.selector)),
];

function jobStatus({ status, metadata }: Job): string {
  const has = (type: string): boolean => status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata?.deletionTimestamp !== undefined) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function jobCompletions({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0;
  if (spec?.completions !== undefined && spec.completions !== null) return `${done}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function jobDuration({ status }: Job, now: number): string {
  if (!status?.startTime) return '';
  return duration((status.completionTime ? Date.parse(status.completionTime) : now) - Date.parse(status.startTime));
}

export const JOB: readonly Column[] = [
  NAME,
  column<Job>('Status', jobStatus),
  column<Job>('Completions', jobCompletions),
  column<Job>('Duration', jobDuration),
  AGE,
  ...containerColumns<Job>(({ spec }) => spec?.template),
  wide<Job>('Selector', ({ spec }) => selectorText(spec?.selector)),
];

export const CRON_JOB: readonly Column[] = [
  NAME,
  column<CronJob>('Schedule', ({ spec }) => spec?.schedule ?? ''),
  column<CronJob>('Timezone', ({ spec }) => spec?.timeZone ?? '<none>'),
  column<CronJob>('Suspend', ({ spec }) => (spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'), { type: 'boolean' }),
  column<CronJob>('Active', ({ status }) => status?.active?.length ?? 0, { type: 'integer' }),
  column<CronJob>('Last Schedule', ({ status }, now) => (status?.lastScheduleTime ? since(status.lastScheduleTime, now) : '<none>')),
  AGE,
  ...containerColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template),
  wide<CronJob>('Selector', ({ spec }) => selectorText(spec?.jobTemplate?.spec?.selector)),
];

export const CONTROLLER_REVISION: readonly Column[] = [
  NAME,
  column<ControllerRevision>('Controller', ({ metadata }) => {
    const owner = metadata?.ownerReferences?.find((reference) => reference.controller === true);
    if (owner === undefined) return '<none>';
    const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.slice(0, owner.apiVersion.indexOf('/'))}` : '';
    return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
  }),
  column<ControllerRevision>('Revision', ({ revision }) => revision),
  AGE,
];

export const POD_TEMPLATE: readonly Column[] = [
  NAME,
  column<PodTemplate>('Containers', ({ template }) => (template?.spec?.containers ?? []).map((container) => container.name).join(',')),
  column<PodTemplate>('Images', ({ template }) => (template?.spec?.containers ?? []).map((container) => container.image ?? '').join(',')),
  column<PodTemplate>('Pod Labels', ({ template }) => labelsText(template?.metadata?.labels)),
];

export const DISRUPTION_BUDGET: readonly Column[] = [
  NAME,
  column<PodDisruptionBudget>('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
  column<PodDisruptionBudget>('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
  column<PodDisruptionBudget>('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0, { type: 'integer' }),
  AGE,
];
