import type { Lease } from '../../../../types/kubernetes/generated/coordination-v1.ts';
import type { PodTemplate } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { RuntimeClass } from '../../../../types/kubernetes/generated/node-v1.ts';
import type { PodDisruptionBudget } from '../../../../types/kubernetes/generated/policy-v1.ts';
import type { PriorityClass } from '../../../../types/kubernetes/generated/scheduling-v1.ts';
import type { StorageClass } from '../../../../types/kubernetes/generated/storage-v1.ts';
import { immutable, nonNegative, requiredName, validateLabelSelector, validQualifiedName } from './common.ts';
import { type Errors, internalForm, Path } from './errors.ts';
import { byteLength, dnsLabel, pathSegment } from './formats.ts';
import { rulesOf } from './kind.ts';
import { validatePodTemplate } from './pod/spec.ts';
import { notMoreThanAll, validIntOrPercent } from './workloads.ts';

const SPEC = new Path('spec');
const HIGHEST_PRIORITY = 1_000_000_000;
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = { 'system-node-critical': 2_000_001_000, 'system-cluster-critical': 2_000_000_000 };

function validateLease(lease: Lease, errors: Errors): void {
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = lease.spec ?? {};
  if (seconds !== undefined && seconds <= 0) errors.invalid(SPEC.child('leaseDurationSeconds'), seconds, 'must be greater than 0');
  nonNegative(transitions, errors, SPEC.child('leaseTransitions'));
}

export const LEASE = rulesOf<Lease>({ create: validateLease, update: (lease, _old, errors) => validateLease(lease, errors) });

export const PRIORITY_CLASS = rulesOf<PriorityClass>({
  create: (priority, errors) => {
    const name = priority.metadata?.name ?? '';
    if (name.startsWith('system-')) {
      const known = Object.hasOwn(SYSTEM_PRIORITIES, name) ? SYSTEM_PRIORITIES[name] : undefined;
      const why =
        known === undefined
          ? `${name} is not a known system priority class`
          : known !== priority.value
            ? `value of ${name} PriorityClass must be ${known}`
            : priority.globalDefault === true
              ? `globalDefault of ${name} PriorityClass must be false`
              : undefined;
      if (why !== undefined) {
        errors.forbidden(
          new Path('metadata').child('name'),
          `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`,
        );
      }
    } else if (priority.value > HIGHEST_PRIORITY) {
      errors.forbidden(new Path('value'), `maximum allowed value of a user defined priority is ${HIGHEST_PRIORITY}`);
    }
    if (priority.preemptionPolicy !== undefined) {
      errors.oneOf(new Path('preemptionPolicy'), priority.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
    }
  },
  update: (priority, old, errors) => {
    if (priority.value !== old.value) errors.forbidden(new Path('value'), 'may not be changed in an update.');
    immutable(priority.preemptionPolicy, old.preemptionPolicy, errors, new Path('preemptionPolicy'));
  },
});

function validateBudget(budget: PodDisruptionBudget, errors: Errors): void {
  const spec = budget.spec ?? {};
  const { minAvailable, maxUnavailable, unhealthyPodEvictionPolicy: policy } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.invalid(
      SPEC,
      internalForm(spec, { MinAvailable: null, Selector: null, MaxUnavailable: null, UnhealthyPodEvictionPolicy: null }),
      'minAvailable and maxUnavailable cannot be both set',
    );
  }
  for (const [field, value] of [
    ['minAvailable', minAvailable],
    ['maxUnavailable', maxUnavailable],
  ] as const) {
    if (value === undefined) continue;
    validIntOrPercent(value, errors, SPEC.child(field));
    notMoreThanAll(value, errors, SPEC.child(field));
  }
  validateLabelSelector(spec.selector, errors, SPEC.child('selector'));
  if (policy !== undefined && policy !== 'AlwaysAllow' && policy !== 'IfHealthyBudget') {
    errors.notSupported(SPEC.child('unhealthyPodEvictionPolicy'), policy, ['AlwaysAllow', 'IfHealthyBudget']);
  }
}

export const POD_DISRUPTION_BUDGET = rulesOf<PodDisruptionBudget>({
  name: pathSegment, metadataLast: true, create: validateBudget, update: (budget, _old, errors) => validateBudget(budget, errors),
  subresources: {
    status: (budget, _old, errors) => {
      for (const field of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const) {
        nonNegative(budget.status?.[field], errors, new Path('status').child(field));
      }
    },
  },
});

export const STORAGE_CLASS = rulesOf<StorageClass>({
  create: (storage, errors) => {
    const { provisioner, parameters = {}, reclaimPolicy = '', volumeBindingMode } = storage;
    if (provisioner === '') errors.required(new Path('provisioner'));
    else validQualifiedName(provisioner.toLowerCase(), errors, new Path('provisioner'));
    let bytes = 0;
    for (const [key, value] of Object.entries(parameters)) {
      if (key === '') errors.invalid(new Path('parameters'), key, 'field can not be empty.');
      bytes += byteLength(key) + byteLength(value);
    }
    if (Object.keys(parameters).length > 512) errors.tooLong(new Path('parameters'), 512);
    if (bytes > 256 * 1024) errors.tooLong(new Path('parameters'), 256 * 1024);
    if (reclaimPolicy !== '' && reclaimPolicy !== 'Delete' && reclaimPolicy !== 'Retain') {
      errors.notSupported(new Path('reclaimPolicy'), reclaimPolicy, ['Delete', 'Retain']);
    }
    errors.oneOf(new Path('volumeBindingMode'), volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']);
  },
  update: (storage, old, errors) => {
    for (const field of ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const) {
      if (field === 'parameters' || storage[field] !== old[field]) immutable(storage[field], old[field], errors, new Path(field));
    }
  },
});

export const RUNTIME_CLASS = rulesOf<RuntimeClass>({
  create: (runtime, errors) => requiredName(runtime.handler, dnsLabel, errors, new Path('handler')),
  update: (runtime, old, errors) => immutable(runtime.handler, old.handler, errors, new Path('handler')),
});

export const POD_TEMPLATE = rulesOf<PodTemplate>({
  create: (template, errors) => validatePodTemplate(template.template ?? {}, errors, new Path('template')),
  update: (template, _old, errors) => validatePodTemplate(template.template ?? {}, errors, new Path('template')),
});
