import type { Defaulter, Draft } from './walker.ts';

const RBAC = 'rbac.authorization.k8s.io';
const missing = (value: unknown): boolean => value === undefined || value === '';
const empty = (value: unknown): boolean => value === undefined || (Array.isArray(value) ? value.length === 0 : Object.keys(value as object).length === 0);

const roleRef: Defaulter = (binding) => {
  const ref = binding.roleRef as Draft;
  if (missing(ref.apiGroup)) ref.apiGroup = RBAC;
};

const webhook: Defaulter = (hook) => {
  hook.failurePolicy ??= 'Fail';
  hook.matchPolicy ??= 'Equivalent';
  hook.namespaceSelector ??= {};
  hook.objectSelector ??= {};
  hook.timeoutSeconds ??= 10;
};

const deviceRequest: Defaulter = (request) => {
  request.allocationMode ??= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ??= 1;
};

const serviceReference: Defaulter = (reference) => { reference.port ??= 443; };

const admissionPolicy: Defaulter = (spec) => { spec.failurePolicy ??= 'Fail'; };

function scalingRules(given: unknown, fallback: Draft): Draft {
  return { ...fallback, ...(given as Draft | undefined) };
}

/** Defaults of all groups but core and apps, by type. */
export const OTHER_DEFAULTS: Readonly<Record<string, Defaulter>> = {
  'batch.v1.Job': (job) => {
    const labels = ((((job.spec as Draft).template as Draft).metadata as Draft | undefined)?.labels) as Draft | undefined;
    const metadata = (job.metadata ??= {}) as Draft;
    if (labels !== undefined && empty(metadata.labels)) metadata.labels = { ...labels };
    jobSpec(job.spec as Draft);
  },
  'batch.v1.CronJobSpec': (spec) => {
    spec.concurrencyPolicy ??= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
  },
  'batch.v1.PodFailurePolicyOnPodConditionsPattern': (pattern) => { if (missing(pattern.status)) pattern.status = 'True'; },
  'autoscaling.v1.HorizontalPodAutoscaler': (hpa) => { (hpa.spec as Draft).minReplicas ??= 1; },
  'autoscaling.v2.HorizontalPodAutoscaler': (hpa) => {
    const spec = hpa.spec as Draft;
    spec.minReplicas ??= 1;
    if (empty(spec.metrics)) {
      spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }];
    }
    const behavior = spec.behavior as Draft | undefined;
    if (behavior === undefined) return;
    behavior.scaleUp = scalingRules(behavior.scaleUp, {
      stabilizationWindowSeconds: 0, selectPolicy: 'Max',
      policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }, { type: 'Percent', value: 100, periodSeconds: 15 }],
    });
    behavior.scaleDown = scalingRules(behavior.scaleDown, { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] });
  },
  'coordination.v1.LeaseSpec': (spec) => {
    // Behind a feature gate that is off.
    delete spec.strategy;
    delete spec.preferredHolder;
  },
  // Of an older version of the API: v1 takes none.
  'discovery.v1.Endpoint': (endpoint) => { delete endpoint.deprecatedTopology; },
  'discovery.v1.EndpointPort': (port) => {
    port.name ??= '';
    port.protocol ??= 'TCP';
  },
  'networking.v1.NetworkPolicyPort': (port) => { port.protocol ??= 'TCP'; },
  'networking.v1.NetworkPolicySpec': (spec) => {
    if (empty(spec.policyTypes)) spec.policyTypes = empty(spec.egress) ? ['Ingress'] : ['Ingress', 'Egress'];
  },
  'networking.v1.IngressClassParametersReference': (parameters) => { parameters.scope ??= 'Cluster'; },
  'rbac.v1.ClusterRoleBinding': roleRef,
  'rbac.v1.RoleBinding': roleRef,
  'rbac.v1.Subject': (subject) => {
    if (missing(subject.apiGroup) && (subject.kind === 'User' || subject.kind === 'Group')) {
      subject.apiGroup = RBAC;
    }
  },
  'scheduling.v1.PriorityClass': (priority) => {
    priority.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  'storage.v1.StorageClass': (storage) => {
    storage.reclaimPolicy ??= 'Delete';
    storage.volumeBindingMode ??= 'Immediate';
  },
  'storage.v1.CSIDriverSpec': (spec) => {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (empty(spec.volumeLifecycleModes)) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  'resource.v1.ExactDeviceRequest': deviceRequest,
  'resource.v1.DeviceSubRequest': deviceRequest,
  'admissionregistration.v1.ValidatingWebhook': webhook,
  'admissionregistration.v1.MutatingWebhook': (hook) => {
    webhook(hook);
    hook.reinvocationPolicy ??= 'Never';
  },
  'admissionregistration.v1.Rule': (rule) => { rule.scope ??= '*'; },
  'admissionregistration.v1.ServiceReference': serviceReference,
  'admissionregistration.v1.MatchResources': (match) => {
    match.matchPolicy ??= 'Equivalent';
    match.namespaceSelector ??= {};
    match.objectSelector ??= {};
  },
  'admissionregistration.v1.ValidatingAdmissionPolicySpec': admissionPolicy,
  'admissionregistration.v1.MutatingAdmissionPolicySpec': admissionPolicy,
  'flowcontrol.v1.FlowSchemaSpec': (spec) => {
    if (spec.matchingPrecedence === undefined || spec.matchingPrecedence === 0) {
      spec.matchingPrecedence = 1000;
    }
  },
  'flowcontrol.v1.ExemptPriorityLevelConfiguration': (level) => {
    level.nominalConcurrencyShares ??= 0;
    level.lendablePercent ??= 0;
  },
  'flowcontrol.v1.LimitedPriorityLevelConfiguration': (level) => {
    level.nominalConcurrencyShares ??= 30;
    level.lendablePercent ??= 0;
  },
  'flowcontrol.v1.QueuingConfiguration': (queuing) => {
    for (const [name, value] of [
      ['handSize', 8],
      ['queues', 64],
      ['queueLengthLimit', 50],
    ] as const) {
      if ((queuing[name] ?? 0) === 0) {
        queuing[name] = value;
      }
    }
  },
  'apiextensions.v1.CustomResourceDefinition': (crd) => {
    const spec = crd.spec as Draft;
    const names = spec.names as Draft;
    if (missing(names.singular)) names.singular = (names.kind as string).toLowerCase();
    if (missing(names.listKind) && !missing(names.kind)) names.listKind = `${names.kind as string}List`;
    spec.conversion ??= { strategy: 'None' };
    const status = (crd.status ??= {}) as Draft;
    const stored = ((spec.versions as Draft[] | undefined) ?? []).find((version) => version.storage === true);
    if (empty(status.storedVersions) && stored !== undefined) status.storedVersions = [stored.name];
  },
  'apiextensions.v1.ServiceReference': serviceReference,
  'apiregistration.v1.ServiceReference': serviceReference,
};

/** Of a Job itself; the template inside of a CronJob stays as it is. */
function jobSpec(spec: Draft): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  spec.manualSelector ??= false;
}
