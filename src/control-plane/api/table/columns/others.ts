import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../../../types/kubernetes/generated/admissionregistration-v1.ts';
import type { APIService } from '../../../../types/kubernetes/generated/apiregistration-v1.ts';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../../../../types/kubernetes/generated/autoscaling-v2.ts';
import type { CertificateSigningRequest } from '../../../../types/kubernetes/generated/certificates-v1.ts';
import type { Lease } from '../../../../types/kubernetes/generated/coordination-v1.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../../types/kubernetes/generated/flowcontrol-v1.ts';
import type { RuntimeClass } from '../../../../types/kubernetes/generated/node-v1.ts';
import type { ClusterRoleBinding } from '../../../../types/kubernetes/generated/rbac-v1.ts';
import type { ResourceClaim, ResourceSlice } from '../../../../types/kubernetes/generated/resource-v1.ts';
import type { PriorityClass } from '../../../../types/kubernetes/generated/scheduling-v1.ts';
import type { CSIDriver, CSINode, StorageClass, VolumeAttachment, VolumeAttributesClass } from '../../../../types/kubernetes/generated/storage-v1.ts';
import { AGE, column, NAME, wide, type Column } from '../column.ts';
import { duration } from '../duration.ts';

const subjects = (binding: ClusterRoleBinding, kind: string): string =>
  (binding.subjects ?? [])
    .filter((one) => one.kind === kind)
    .map((one) => (kind === 'ServiceAccount' ? `${one.namespace ?? ''}/${one.name}` : one.name))
    .join(', ');

/** RoleBinding and ClusterRoleBinding. */
export const BINDING: readonly Column[] = [
  NAME,
  column<ClusterRoleBinding>('Role', ({ roleRef }) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`),
  AGE,
  wide<ClusterRoleBinding>('Users', (binding) => subjects(binding, 'User')),
  wide<ClusterRoleBinding>('Groups', (binding) => subjects(binding, 'Group')),
  wide<ClusterRoleBinding>('ServiceAccounts', (binding) => subjects(binding, 'ServiceAccount')),
];

export const PRIORITY_CLASS: readonly Column[] = [
  NAME,
  column<PriorityClass>('Value', ({ value }) => value ?? 0, { type: 'integer' }),
  column<PriorityClass>('Global-Default', ({ globalDefault }) => globalDefault ?? false, { type: 'boolean' }),
  AGE,
  column<PriorityClass>('PreemptionPolicy', ({ preemptionPolicy }) => preemptionPolicy ?? ''),
];

export const LEASE: readonly Column[] = [NAME, column<Lease>('Holder', ({ spec }) => spec?.holderIdentity ?? ''), AGE];
export const RUNTIME_CLASS: readonly Column[] = [NAME, column<RuntimeClass>('Handler', ({ handler }) => handler ?? ''), AGE];

export const STORAGE_CLASS: readonly Column[] = [
  {
    ...NAME,
    cell: ({ metadata }) =>
      `${metadata?.name ?? ''}${metadata?.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' ? ' (default)' : ''}`,
  },
  column<StorageClass>('Provisioner', ({ provisioner }) => provisioner ?? ''),
  column<StorageClass>('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'),
  column<StorageClass>('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate'),
  column<StorageClass>('AllowVolumeExpansion', ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false),
  AGE,
];

export const VOLUME_ATTACHMENT: readonly Column[] = [
  NAME,
  { ...column<VolumeAttachment>('Attacher', ({ spec }) => spec?.attacher ?? ''), format: 'name' },
  column<VolumeAttachment>('PV', ({ spec }) => spec?.source?.persistentVolumeName ?? ''),
  column<VolumeAttachment>('Node', ({ spec }) => spec?.nodeName ?? ''),
  column<VolumeAttachment>('Attached', ({ status }) => status?.attached ?? false, { type: 'boolean' }),
  AGE,
];

export const VOLUME_ATTRIBUTES_CLASS: readonly Column[] = [NAME, column<VolumeAttributesClass>('DriverName', ({ driverName }) => driverName ?? ''), AGE];
export const CSI_NODE: readonly Column[] = [NAME, column<CSINode>('Drivers', ({ spec }) => spec?.drivers?.length ?? 0, { type: 'integer' }), AGE];
export const CSI_DRIVER: readonly Column[] = [
  NAME,
  column<CSIDriver>('AttachRequired', ({ spec }) => spec?.attachRequired ?? true, { type: 'boolean' }),
  column<CSIDriver>('PodInfoOnMount', ({ spec }) => spec?.podInfoOnMount ?? false, { type: 'boolean' }),
  column<CSIDriver>('StorageCapacity', ({ spec }) => spec?.storageCapacity ?? false, { type: 'boolean' }),
  column<CSIDriver>(
    'TokenRequests',
    ({ spec }) => (spec?.tokenRequests ?? []).map((one) => one.audience || '<kube-apiserver audience>').join(',') || '<unset>',
  ),
  column<CSIDriver>('RequiresRepublish', ({ spec }) => spec?.requiresRepublish ?? false, { type: 'boolean' }),
  column<CSIDriver>('Modes', ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(',') || '<none>'),
  AGE,
];

function csrCondition({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => status?.conditions?.some((condition) => condition.type === type) ?? false;
  const words = [
    ...(has('Denied') ? ['Denied'] : has('Approved') ? ['Approved'] : ['Pending']),
    ...(has('Failed') ? ['Failed'] : []),
    ...(status?.certificate ? ['Issued'] : []),
  ];
  return words.join(',');
}

export const SIGNING_REQUEST: readonly Column[] = [
  NAME,
  AGE,
  column<CertificateSigningRequest>('SignerName', ({ spec }) => spec?.signerName || '<none>'),
  column<CertificateSigningRequest>('Requestor', ({ spec }) => spec?.username ?? ''),
  column<CertificateSigningRequest>('RequestedDuration', ({ spec }) =>
    spec?.expirationSeconds === undefined ? '<none>' : duration(spec.expirationSeconds * 1000),
  ),
  column<CertificateSigningRequest>('Condition', csrCondition),
];

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const ratio = (current: string | undefined, target: string | undefined, average: boolean): string =>
    `${current ?? '<unknown>'}/${target ?? '<auto>'}${average ? ' (avg)' : ''}`;
  switch (spec.type) {
    case 'Resource':
    case 'ContainerResource': {
      const [wanted, now] =
        spec.type === 'Resource' ? [spec.resource, status?.resource] : [spec.containerResource, status?.containerResource];
      if (wanted?.target.averageValue !== undefined) {
        return `${wanted.name}: ${ratio(now?.current.averageValue, wanted.target.averageValue, false)}`;
      }
      const percent = (value: number | undefined): string | undefined => (value === undefined ? undefined : `${value}%`);
      return `${wanted?.name ?? ''}: ${ratio(percent(now?.current.averageUtilization), percent(wanted?.target.averageUtilization), false)}`;
    }
    case 'Pods': return ratio(status?.pods?.current.averageValue, spec.pods?.target.averageValue, false);
    case 'Object': case 'External': {
      const [wanted, now] = spec.type === 'Object' ? [spec.object, status?.object] : [spec.external, status?.external];
      if (wanted?.target.averageValue !== undefined) return ratio(now?.current.averageValue, wanted.target.averageValue, true);
      return ratio(now?.current.value, wanted?.target.value, false);
    }
    default: return '<unknown type>';
  }
}

export const AUTOSCALER: readonly Column[] = [
  NAME,
  column<HorizontalPodAutoscaler>('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`),
  column<HorizontalPodAutoscaler>('Targets', (autoscaler) => {
    const { spec, status } = autoscaler;
    // autoscaling/v1 has one target, in a field of its own.
    const old = autoscaler as unknown as {
      spec?: { targetCPUUtilizationPercentage?: number };
      status?: { currentCPUUtilizationPercentage?: number };
    };
    if (old.spec?.targetCPUUtilizationPercentage !== undefined) {
      return `cpu: ${old.status?.currentCPUUtilizationPercentage === undefined ? '<unknown>' : `${old.status.currentCPUUtilizationPercentage}%`}/${old.spec.targetCPUUtilizationPercentage}%`;
    }
    const all = (spec?.metrics ?? []).map((metric, at) => metricText(metric, status?.currentMetrics?.[at]));
    if (all.length === 0) return '<none>';
    return all.length > 2 ? `${all.slice(0, 2).join(', ')} + ${all.length - 2} more...` : all.join(', ');
  }),
  column<HorizontalPodAutoscaler>('MinPods', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
  column<HorizontalPodAutoscaler>('MaxPods', ({ spec }) => spec?.maxReplicas ?? 0),
  column<HorizontalPodAutoscaler>('Replicas', ({ status }) => status?.currentReplicas ?? 0),
  AGE,
];

export const API_SERVICE: readonly Column[] = [
  NAME,
  column<APIService>('Service', ({ spec }) => (spec?.service ? `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}` : 'Local')),
  column<APIService>('Available', ({ status }) => {
    const condition = status?.conditions?.find((one) => one.type === 'Available');
    return condition === undefined ? 'Unknown' : condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
  }),
  AGE,
];

const webhooks = column<MutatingWebhookConfiguration & ValidatingWebhookConfiguration>(
  'Webhooks',
  (configuration) => configuration.webhooks?.length ?? 0,
  { type: 'integer' },
);
export const WEBHOOKS: readonly Column[] = [NAME, webhooks, AGE];
type Policy = ValidatingAdmissionPolicy & MutatingAdmissionPolicy;
const paramKind = column<Policy>('ParamKind', ({ spec }) =>
  spec?.paramKind === undefined ? '<unset>' : `${spec.paramKind.apiVersion ?? ''}/${spec.paramKind.kind ?? ''}`,
);
export const VALIDATING_POLICY: readonly Column[] = [
  NAME,
  column<Policy>('Validations', ({ spec }) => spec?.validations?.length ?? 0, { type: 'integer' }),
  paramKind,
  AGE,
];
export const MUTATING_POLICY: readonly Column[] = [
  NAME,
  column<Policy>('Mutations', ({ spec }) => spec?.mutations?.length ?? 0, { type: 'integer' }),
  paramKind,
  AGE,
];
type PolicyBinding = ValidatingAdmissionPolicyBinding & MutatingAdmissionPolicyBinding;
export const POLICY_BINDING: readonly Column[] = [
  NAME,
  column<PolicyBinding>('PolicyName', ({ spec }) => spec?.policyName ?? ''),
  column<PolicyBinding>('ParamRef', ({ spec }) =>
    spec?.paramRef === undefined
      ? '<unset>'
      : spec.paramRef.name
        ? `${spec.paramRef.namespace ?? '*'}/${spec.paramRef.name}`
        : '<selector>',
  ),
  AGE,
];

export const CLAIM_STATE: readonly Column[] = [
  NAME,
  column<ResourceClaim>('State', ({ metadata, status }) =>
    [metadata?.deletionTimestamp && 'deleted', status?.allocation ? 'allocated' : 'pending', status?.reservedFor?.length && 'reserved']
      .filter((word) => word)
      .join(','),
  ),
  AGE,
];
export const RESOURCE_SLICE: readonly Column[] = [
  NAME,
  column<ResourceSlice>('Node', ({ spec }) => spec?.nodeName ?? '<unset>'),
  column<ResourceSlice>('Driver', ({ spec }) => spec?.driver ?? ''),
  column<ResourceSlice>('Pool', ({ spec }) => spec?.pool?.name ?? ''),
  AGE,
];

export const FLOW_SCHEMA: readonly Column[] = [
  NAME,
  column<FlowSchema>('PriorityLevel', ({ spec }) => spec?.priorityLevelConfiguration?.name ?? ''),
  column<FlowSchema>('MatchingPrecedence', ({ spec }) => spec?.matchingPrecedence ?? 0),
  column<FlowSchema>('DistinguisherMethod', ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>'),
  AGE,
  column<FlowSchema>('MissingPL', ({ status }) => {
    const condition = status?.conditions?.find((one) => one.type === 'Dangling');
    return condition === undefined ? '?' : condition.status ?? '?';
  }),
];
export const PRIORITY_LEVEL: readonly Column[] = [
  NAME,
  column<PriorityLevelConfiguration>('Type', ({ spec }) => spec?.type ?? ''),
  column<PriorityLevelConfiguration>('NominalConcurrencyShares', ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? '<none>'),
  column<PriorityLevelConfiguration>('Queues', ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues ?? '<none>'),
  column<PriorityLevelConfiguration>('HandSize', ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize ?? '<none>'),
  column<PriorityLevelConfiguration>('QueueLengthLimit', ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>'),
  AGE,
];
