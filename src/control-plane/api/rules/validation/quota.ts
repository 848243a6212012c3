import type { LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec } from '../../../../types/kubernetes/generated/core-v1.ts';
import { canonicalQuantity, compareQuantities, quantityToMilli } from '../../../../types/kubernetes/quantity.ts';
import { each, validQualifiedName } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { rulesOf } from './kind.ts';
import { validateAmount, validateContainerResourceName, validateQuotaResourceName, validateResourceName } from './resources.ts';

const SPEC = new Path('spec');
const SCOPES = ['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'PriorityClass', 'CrossNamespacePodAffinity', 'VolumeAttributesClass'];
const COMPUTE = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
const EXISTS_ONLY = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'];
const OPPOSITES = [['BestEffort', 'NotBestEffort'], ['Terminating', 'NotTerminating']] as const;

/** What a scope can limit: pods' own amounts, or (best effort) their number alone. */
function fits(scope: string, resource: string): boolean {
  switch (scope) {
    case 'Terminating': case 'NotTerminating': case 'NotBestEffort': case 'PriorityClass': case 'CrossNamespacePodAffinity':
      return resource === 'pods' || COMPUTE.includes(resource);
    case 'BestEffort': return resource === 'pods';
    case 'VolumeAttributesClass': return resource === 'persistentvolumeclaims' || resource === 'requests.storage';
    default: return true;
  }
}

function isStandardQuota(name: string): boolean {
  return !name.includes('/');
}

function validateSpec(spec: ResourceQuotaSpec, errors: Errors): void {
  const hard = Object.keys(spec.hard ?? {});
  for (const name of hard) {
    validateQuotaResourceName(name, errors, SPEC.child('hard').key(name));
    validateAmount(name, spec.hard![name]!, errors, SPEC.child('hard').key(name));
  }
  const names = [...hard].sort();
  const scopes = each(spec.scopes);
  for (const scope of scopes) {
    if (!SCOPES.includes(scope)) errors.invalid(SPEC.child('scopes'), scopes, 'unsupported scope');
    for (const name of names) {
      if (isStandardQuota(name) && !fits(scope, name)) {
        errors.invalid(SPEC.child('scopes'), scopes, 'unsupported scope applied to resource');
      }
    }
  }
  for (const pair of OPPOSITES) {
    if (pair.every((scope) => scopes.includes(scope))) {
      errors.invalid(SPEC.child('scopes'), scopes, 'conflicting scopes');
    }
  }
  if (spec.scopeSelector !== undefined) validateScopeSelector(spec, names, errors);
}

function validateScopeSelector(spec: ResourceQuotaSpec, names: readonly string[], errors: Errors): void {
  const at = SPEC.child('scopeSelector').child('matchExpressions');
  const seen = new Set<string>();
  for (const { scopeName, operator, values } of each(spec.scopeSelector!.matchExpressions)) {
    if (!SCOPES.includes(scopeName)) errors.invalid(at.child('scopeName'), scopeName, 'unsupported scope');
    for (const name of names) {
      if (isStandardQuota(name) && !fits(scopeName, name)) {
        errors.invalid(at, spec.scopeSelector, 'unsupported scope applied to resource');
      }
    }
    if (EXISTS_ONLY.includes(scopeName) && operator !== 'Exists') {
      errors.invalid(
        at.child('operator'),
        operator,
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
      );
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (each(values).length === 0) {
        errors.required(at.child('values'), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (each(values).length > 0) {
        errors.invalid(at.child('values'), values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
      }
    } else errors.invalid(at.child('operator'), operator, 'not a valid selector operator');
    seen.add(scopeName);
  }
  for (const pair of OPPOSITES) {
    if (pair.every((scope) => seen.has(scope))) {
      errors.invalid(SPEC.child('scopes'), spec.scopes, 'conflicting scopes');
    }
  }
}

function validateStatus(quota: ResourceQuota, errors: Errors): void {
  for (const list of ['hard', 'used'] as const) {
    const amounts = quota.status?.[list];
    for (const name in amounts) {
      const at = new Path('status').child(list).key(name);
      validateQuotaResourceName(name, errors, at);
      validateAmount(name, amounts[name]!, errors, at);
    }
  }
}

export const RESOURCE_QUOTA = rulesOf<ResourceQuota>({
  create: (quota, errors) => {
    validateSpec(quota.spec ?? {}, errors);
    validateStatus(quota, errors);
  },
  update: (quota, old, errors) => {
    validateSpec(quota.spec ?? {}, errors);
    const [now, before] = [new Set(each(quota.spec?.scopes)), new Set(each(old.spec?.scopes))];
    if (now.size !== before.size || [...now].some((scope) => !before.has(scope))) {
      errors.invalid(SPEC.child('scopes'), quota.spec?.scopes, 'field is immutable');
    }
  },
  subresources: { status: (quota, _old, errors) => validateStatus(quota, errors) },
});

const LIMIT_TYPES = ['Pod', 'Container', 'PersistentVolumeClaim'];
type Amounts = Readonly<Record<string, string>>;

function validateLimit(limit: LimitRangeItem, errors: Errors, path: Path): void {
  const before = errors.list.length;
  validQualifiedName(limit.type, errors, path.child('type'));
  if (errors.list.length === before && !limit.type.includes('/') && !LIMIT_TYPES.includes(limit.type)) {
    errors.invalid(path.child('type'), limit.type, 'must be a standard limit type or fully qualified');
  }
  const pod = limit.type === 'Pod';
  const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
  const names = new Set<string>();
  for (const list of lists) {
    const amounts: Amounts = limit[list] ?? {};
    if (pod && (list === 'default' || list === 'defaultRequest')) {
      if (Object.keys(amounts).length > 0) errors.forbidden(path.child(list), "may not be specified when `type` is 'Pod'");
      continue;
    }
    for (const name in amounts) {
      names.add(name);
      if (pod || limit.type === 'Container') validateContainerResourceName(name, errors, path.child(list).key(name));
      else validateResourceName(name, errors, path.child(list).key(name));
    }
  }
  if (limit.type === 'PersistentVolumeClaim' && limit.min?.storage === undefined && limit.max?.storage === undefined) {
    errors.required(path.child('limits'), 'either minimum or maximum storage value is required, but neither was provided');
  }
  for (const name of names) validateRange(limit, name, pod, errors, path);
}

function validateRange(limit: LimitRangeItem, name: string, pod: boolean, errors: Errors, path: Path): void {
  const [min, max, ratio] = [limit.min?.[name], limit.max?.[name], limit.maxLimitRequestRatio?.[name]];
  const [fallback, request] = pod ? [undefined, undefined] : [limit.default?.[name], limit.defaultRequest?.[name]];
  const above = (a: string | undefined, b: string | undefined): boolean => a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
  const told = (amount: string | undefined): string => canonicalQuantity(amount ?? '0');
  if (above(min, max)) errors.invalid(path.child('min').key(name), min, `min value ${told(min)} is greater than max value ${told(max)}`);
  if (above(min, request)) {
    errors.invalid(
      path.child('defaultRequest').key(name),
      request,
      `min value ${told(min)} is greater than default request value ${told(request)}`,
    );
  }
  if (above(request, max)) {
    errors.invalid(
      path.child('defaultRequest').key(name),
      request,
      `default request value ${told(request)} is greater than max value ${told(max)}`,
    );
  }
  if (above(request, fallback)) {
    errors.invalid(
      path.child('defaultRequest').key(name),
      request,
      `default request value ${told(request)} is greater than default limit value ${told(fallback)}`,
    );
  }
  if (above(min, fallback)) {
    errors.invalid(path.child('default').key(name), min, `min value ${told(min)} is greater than default value ${told(fallback)}`);
  }
  if (above(fallback, max)) {
    errors.invalid(path.child('default').key(name), max, `default value ${told(fallback)} is greater than max value ${told(max)}`);
  }
  if (ratio !== undefined) validateRatio(ratio, min, max, errors, path.child('maxLimitRequestRatio').key(name));
  // What cannot be promised twice has one amount.
  const exclusive = name.startsWith('hugepages-') || (name.includes('/') && !name.includes('kubernetes.io/'));
  if (exclusive && fallback !== undefined && request !== undefined && compareQuantities(fallback, request) !== 0) {
    errors.invalid(
      path.child('defaultRequest').key(name),
      request,
      `default value ${told(fallback)} must equal to defaultRequest value ${told(request)} in ${name}`,
    );
  }
}

function validateRatio(ratio: string, min: string | undefined, max: string | undefined, errors: Errors, path: Path): void {
  if (compareQuantities(ratio, '1') < 0) errors.invalid(path, ratio, `ratio ${canonicalQuantity(ratio)} is less than 1`);
  if (min === undefined || max === undefined) return;
  const most = quantityToMilli(max) / quantityToMilli(min);
  if (quantityToMilli(ratio) / 1000 > most) {
    errors.invalid(
      path,
      ratio,
      `ratio ${canonicalQuantity(ratio)} is greater than max/min = ${most.toFixed(6).replace('Infinity', '+Inf')}`,
    );
  }
}

function validateLimits(range: LimitRange, errors: Errors): void {
  const limits = each(range.spec?.limits);
  limits.forEach((limit, n) => {
    const at = SPEC.child('limits').index(n);
    if (limits.findIndex((other) => other.type === limit.type) < n) errors.duplicate(at.child('type'), limit.type);
    validateLimit(limit, errors, at);
  });
}

export const LIMIT_RANGE = rulesOf<LimitRange>({ create: validateLimits, update: (range, _old, errors) => validateLimits(range, errors) });
