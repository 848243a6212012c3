import type { HorizontalPodAutoscaler as AutoscalerV1, Scale } from '../../../../types/kubernetes/generated/autoscaling-v1.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../../../../types/kubernetes/generated/autoscaling-v2.ts';
import { compareQuantities } from '../../../../types/kubernetes/quantity.ts';
import { each, nonNegative, requiredName, validLabel } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { pathSegment } from './formats.ts';
import { rulesOf } from './kind.ts';
import { validateContainerResourceName } from './resources.ts';

const SPEC = new Path('spec');
const SOURCES = ['object', 'external', 'pods', 'resource', 'containerResource'] as const;
const TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

interface Scaled {
  readonly minReplicas?: number;
  readonly maxReplicas: number;
  readonly scaleTargetRef: CrossVersionObjectReference;
}

function validateReplicas(spec: Scaled, old: Scaled | undefined, errors: Errors): void {
  const { minReplicas: min, maxReplicas: max, scaleTargetRef } = spec;
  if (min !== undefined && min < (old?.minReplicas === 0 ? 0 : 1)) {
    errors.invalid(SPEC.child('minReplicas'), min, 'must be greater than or equal to 1');
  }
  if (max === 0) errors.required(SPEC.child('maxReplicas'), 'must be set and greater than 0');
  else if (max < 0) errors.invalid(SPEC.child('maxReplicas'), max, 'must be greater than or equal to 1');
  if (min !== undefined && max < min) errors.invalid(SPEC.child('maxReplicas'), max, 'must be greater than or equal to `minReplicas`');
  // What was accepted before may stay.
  const known =
    old !== undefined &&
    (old.scaleTargetRef.apiVersion ?? '') === (scaleTargetRef.apiVersion ?? '') &&
    old.scaleTargetRef.kind === scaleTargetRef.kind;
  validateTargetRef(
    scaleTargetRef,
    known ? 'any' : scaleTargetRef.kind === 'ReplicationController' ? 'core too' : 'grouped',
    errors,
    SPEC.child('scaleTargetRef'),
  );
}

function validateTargetRef(ref: CrossVersionObjectReference, versions: 'any' | 'core too' | 'grouped', errors: Errors, path: Path): void {
  requiredName(ref.kind, pathSegment, errors, path.child('kind'));
  requiredName(ref.name, pathSegment, errors, path.child('name'));
  const { apiVersion = '' } = ref;
  if (versions === 'any') return;
  if (apiVersion.split('/').length > 2) {
    errors.invalid(path.child('apiVersion'), apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  } else if (versions === 'grouped' && apiVersion.indexOf('/') < 1) {
    errors.invalid(path.child('apiVersion'), apiVersion, 'apiVersion must specify API group');
  }
}

function validateSpec(spec: HorizontalPodAutoscalerSpec, old: HorizontalPodAutoscalerSpec | undefined, errors: Errors): void {
  validateReplicas(spec, old, errors);
  const metrics = each(spec.metrics);
  metrics.forEach((metric, n) => validateMetric(metric, errors, SPEC.child('metrics').index(n)));
  if (spec.minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External')) {
    errors.forbidden(SPEC.child('metrics'), 'must specify at least one Object or External metric to support scaling to zero replicas');
  }
  for (const direction of ['scaleUp', 'scaleDown'] as const) {
    const rules = spec.behavior?.[direction];
    if (rules !== undefined) validateScaling(rules, errors, SPEC.child('behavior').child(direction));
  }
}

function validateScaling(rules: HPAScalingRules, errors: Errors, path: Path): void {
  const { stabilizationWindowSeconds: window, selectPolicy, tolerance } = rules;
  if (window !== undefined && window < 0) {
    errors.invalid(path.child('stabilizationWindowSeconds'), window, 'must be greater than or equal to zero');
  }
  if (window !== undefined && window > 3600) {
    errors.invalid(path.child('stabilizationWindowSeconds'), window, 'must be less than or equal to 3600');
  }
  if (selectPolicy !== undefined && !['Disabled', 'Max', 'Min'].includes(selectPolicy)) {
    errors.notSupported(path.child('selectPolicy'), selectPolicy, ['Disabled', 'Max', 'Min']);
  }
  const policies = each(rules.policies);
  if (policies.length === 0) errors.required(path.child('policies'), 'must specify at least one Policy');
  policies.forEach(({ type, value, periodSeconds }, n) => {
    const at = path.child('policies').index(n);
    if (type !== 'Pods' && type !== 'Percent') errors.notSupported(at.child('type'), type, ['Percent', 'Pods']);
    if (value <= 0) errors.invalid(at.child('value'), value, 'must be greater than zero');
    if (periodSeconds <= 0) errors.invalid(at.child('periodSeconds'), periodSeconds, 'must be greater than zero');
    if (periodSeconds > 1800) errors.invalid(at.child('periodSeconds'), periodSeconds, 'must be less than or equal to 1800');
  });
  if (tolerance !== undefined && compareQuantities(tolerance, '0') < 0) {
    errors.invalid(path.child('tolerance'), tolerance, 'must be greater than or equal to 0');
  }
}

function validateMetric(metric: MetricSpec, errors: Errors, path: Path): void {
  const { type } = metric;
  if (type === '') errors.required(path.child('type'), 'must specify a metric source type');
  if (!TYPES.includes(type)) errors.notSupported(path.child('type'), type, TYPES);
  const present = SOURCES.filter((source) => metric[source] !== undefined);
  if (present.length > 0) validateSource(metric, present[0]!, errors, path.child(present[0]!));
  const expected = type === '' ? '' : type[0]!.toLowerCase() + type.slice(1);
  if (TYPES.includes(type) && !present.some((source) => source === expected)) {
    errors.required(path.child(expected), 'must populate information for the given metric source');
  }
  if (present.length !== 1) {
    for (const source of present) {
      if (source !== expected) {
        errors.forbidden(path.child(source), 'must populate the given metric source only');
      }
    }
  }
}

function validateSource(metric: MetricSpec, source: (typeof SOURCES)[number], errors: Errors, path: Path): void {
  const average = path.child('target').child('averageValue');
  const utilization = path.child('target').child('averageUtilization');
  switch (source) {
    case 'object': {
      const { describedObject, metric: named, target } = metric.object!;
      validateTargetRef(describedObject, 'core too', errors, path.child('describedObject'));
      validateIdentifier(named, errors, path.child('metric'));
      validateTarget(target, errors, path.child('target'));
      if (target.value === undefined && target.averageValue === undefined) {
        errors.required(average, 'must set either a target value or averageValue');
      }
      return;
    }
    case 'external': {
      const { metric: named, target } = metric.external!;
      validateIdentifier(named, errors, path.child('metric'));
      validateTarget(target, errors, path.child('target'));
      if (target.value === undefined && target.averageValue === undefined) {
        errors.required(average, 'must set either a target value for metric or a per-pod target');
      }
      if (target.value !== undefined && target.averageValue !== undefined) {
        errors.forbidden(path.child('target').child('value'), 'may not set both a target value for metric and a per-pod target');
      }
      return;
    }
    case 'pods': {
      const { metric: named, target } = metric.pods!;
      validateIdentifier(named, errors, path.child('metric'));
      validateTarget(target, errors, path.child('target'));
      if (target.averageValue === undefined) errors.required(average, 'must specify a positive target averageValue');
      return;
    }
    case 'resource': case 'containerResource': {
      const { name, target } = metric[source]!;
      if (name === '') errors.required(path.child('name'), 'must specify a resource name');
      else if (source === 'containerResource') validateContainerResourceName(name, errors, path.child('name'));
      if (source === 'containerResource') {
        const { container } = metric.containerResource!;
        if (container === '') errors.required(path.child('container'), 'must specify a container');
        else validLabel(container, errors, path.child('container'));
      }
      validateTarget(target, errors, path.child('target'));
      if (target.averageUtilization === undefined && target.averageValue === undefined) {
        errors.required(utilization, 'must set either a target raw value or a target utilization');
      }
      if (target.averageUtilization !== undefined && target.averageValue !== undefined) {
        errors.forbidden(average, 'may not set both a target raw value and a target utilization');
      }
    }
  }
}

function validateIdentifier(metric: MetricIdentifier, errors: Errors, path: Path): void {
  if (metric.name === '') errors.required(path.child('name'), 'must specify a metric name');
  else errors.invalidEach(path.child('name'), metric.name, pathSegment(metric.name));
}

function validateTarget(target: MetricTarget, errors: Errors, path: Path): void {
  const { type, value, averageValue, averageUtilization } = target;
  if (type === '') errors.required(path.child('type'), 'must specify a metric target type');
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.invalid(path.child('type'), type, 'must be either Utilization, Value, or AverageValue');
  }
  if (value !== undefined && compareQuantities(value, '0') <= 0) errors.invalid(path.child('value'), value, 'must be positive');
  if (averageValue !== undefined && compareQuantities(averageValue, '0') <= 0) {
    errors.invalid(path.child('averageValue'), averageValue, 'must be positive');
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.invalid(path.child('averageUtilization'), averageUtilization, 'must be greater than 0');
  }
}

const NOTHING = { maxReplicas: 0, scaleTargetRef: { kind: '', name: '' } };

export const AUTOSCALER = rulesOf<HorizontalPodAutoscaler>({
  create: (autoscaler, errors) => validateSpec(autoscaler.spec ?? NOTHING, undefined, errors),
  update: (autoscaler, old, errors) => validateSpec(autoscaler.spec ?? NOTHING, old.spec, errors),
  subresources: {
    status: (autoscaler, _old, errors) => {
      for (const field of ['currentReplicas', 'desiredReplicas'] as const) {
        nonNegative(autoscaler.status?.[field], errors, new Path('status').child(field));
      }
    },
  },
});

export const AUTOSCALER_V1 = rulesOf<AutoscalerV1>({
  create: (autoscaler, errors) => validateReplicas(autoscaler.spec ?? NOTHING, undefined, errors),
  update: (autoscaler, old, errors) => validateReplicas(autoscaler.spec ?? NOTHING, old.spec, errors),
});

const validateScale = (scale: Scale, errors: Errors): void => nonNegative(scale.spec?.replicas, errors, SPEC.child('replicas'));

export const SCALE = rulesOf<Scale>({ create: validateScale, update: (scale, _old, errors) => validateScale(scale, errors) });
