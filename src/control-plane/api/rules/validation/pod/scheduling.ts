import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '../../../../../types/kubernetes/generated/core-v1.ts';
import type { LabelSelector } from '../../../../../types/kubernetes/generated/meta-v1.ts';
import { checked, each, positive, validateLabelSelector, validQualifiedName } from '../common.ts';
import type { Errors, Path } from '../errors.ts';
import { dnsLabel, dnsSubdomain, labelValue } from '../formats.ts';

export const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const POLICIES = ['Honor', 'Ignore'];
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validateAffinity(affinity: Affinity | undefined, errors: Errors, path: Path): void {
  if (affinity === undefined) return;
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  if (nodeAffinity !== undefined) {
    const at = path.child('nodeAffinity');
    if (nodeAffinity[REQUIRED] !== undefined) validateNodeSelector(nodeAffinity[REQUIRED], errors, at.child(REQUIRED));
    each(nodeAffinity[PREFERRED]).forEach(({ weight, preference }, n) => {
      const term = at.child(PREFERRED).index(n);
      if (weight <= 0 || weight > 100) errors.invalid(term.child('weight'), weight, 'must be in the range 1-100');
      validateNodeSelectorTerm(preference, true, errors, term.child('preference'));
    });
  }
  if (podAffinity !== undefined) validatePodAffinity(podAffinity, errors, path.child('podAffinity'));
  if (podAntiAffinity !== undefined) validatePodAffinity(podAntiAffinity, errors, path.child('podAntiAffinity'));
}

export function validateNodeSelector(selector: NodeSelector, errors: Errors, path: Path): void {
  const terms = each(selector.nodeSelectorTerms);
  if (terms.length === 0) errors.required(path.child('nodeSelectorTerms'), 'must have at least one node selector term');
  terms.forEach((term, n) => validateNodeSelectorTerm(term, false, errors, path.child('nodeSelectorTerms').index(n)));
}

function validateNodeSelectorTerm(term: NodeSelectorTerm, anyValue: boolean, errors: Errors, path: Path): void {
  each(term.matchExpressions).forEach((requirement, n) => validateRequirement(requirement, anyValue, errors, path.child('matchExpressions').index(n)));
  each(term.matchFields).forEach((requirement, n) => validateFieldRequirement(requirement, errors, path.child('matchFields').index(n)));
}

function validateRequirement({ key, operator, values }: NodeSelectorRequirement, anyValue: boolean, errors: Errors, path: Path): void {
  const count = each(values).length;
  switch (operator) {
    case 'In': case 'NotIn':
      if (count === 0) errors.required(path.child('values'), "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case 'Exists': case 'DoesNotExist':
      if (count > 0) errors.forbidden(path.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      break;
    case 'Gt': case 'Lt':
      if (count !== 1) errors.required(path.child('values'), "must be specified single value when `operator` is 'Lt' or 'Gt'");
      break;
    default: errors.invalid(path.child('operator'), operator, 'not a valid selector operator');
  }
  validQualifiedName(key, errors, path.child('key'));
  if (!anyValue) each(values).forEach((value, n) => checked(value, labelValue, errors, path.child('values').index(n)));
}

function validateFieldRequirement({ key, operator, values }: NodeSelectorRequirement, errors: Errors, path: Path): void {
  if (operator !== 'In' && operator !== 'NotIn') {
    errors.invalid(path.child('operator'), operator, 'not a valid selector operator');
  } else if (each(values).length !== 1) {
    errors.required(path.child('values'), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  }
  if (key !== 'metadata.name') errors.invalid(path.child('key'), key, 'not a valid field selector key');
  else each(values).forEach((value, n) => checked(value, dnsSubdomain, errors, path.child('values').index(n)));
}

function validatePodAffinity(affinity: PodAffinity, errors: Errors, path: Path): void {
  each(affinity[REQUIRED]).forEach((term, n) => validateTerm(term, errors, path.child(REQUIRED).index(n)));
  each(affinity[PREFERRED]).forEach(({ weight, podAffinityTerm }, n) => {
    const at = path.child(PREFERRED).index(n);
    if (weight <= 0 || weight > 100) errors.invalid(at.child('weight'), weight, 'must be in the range 1-100');
    validateTerm(podAffinityTerm, errors, at.child('podAffinityTerm'));
  });
}

function validateTerm(term: PodAffinityTerm, errors: Errors, path: Path): void {
  validateLabelSelector(term.labelSelector, errors, path.child('labelSelector'));
  validateLabelSelector(term.namespaceSelector, errors, path.child('namespaceSelector'));
  for (const name of each(term.namespaces)) checked(name, dnsLabel, errors, path.child('namespace'));
  validateMatchKeys(term.matchLabelKeys, term.mismatchLabelKeys, term.labelSelector, errors, path);
  if (term.topologyKey === '') errors.required(path.child('topologyKey'), 'can not be empty');
  validQualifiedName(term.topologyKey, errors, path.child('topologyKey'));
}

function validateMatchKeys(
  match: readonly string[] | undefined,
  mismatch: readonly string[] | undefined,
  selector: LabelSelector | undefined,
  errors: Errors,
  path: Path,
): void {
  for (const [field, keys] of [
    ['matchLabelKeys', each(match)],
    ['mismatchLabelKeys', each(mismatch)],
  ] as const) {
    if (keys.length === 0) continue;
    if (selector === undefined) errors.forbidden(path.child(field), 'must not be specified when labelSelector is not set');
    else keys.forEach((key, n) => validQualifiedName(key, errors, path.child(field).index(n)));
  }
  const seen = new Set(Object.keys(selector?.matchLabels ?? {}));
  for (const { key } of each(selector?.matchExpressions)) {
    const n = each(match).lastIndexOf(key);
    if (n >= 0 && seen.has(key)) errors.invalid(path.index(n), key, 'exists in both matchLabelKeys and labelSelector');
    seen.add(key);
  }
  each(match).forEach((key, n) => {
    if (each(mismatch).includes(key)) {
      errors.invalid(path.child('matchLabelKeys').index(n), key, 'exists in both matchLabelKeys and mismatchLabelKeys');
    }
  });
}

export function validateSpread(constraints: readonly TopologySpreadConstraint[] | undefined, errors: Errors, path: Path): void {
  each(constraints).forEach((constraint, n) => {
    const at = path.index(n);
    const { topologyKey, whenUnsatisfiable, minDomains } = constraint;
    positive(constraint.maxSkew, errors, at.child('maxSkew'));
    if (topologyKey === '') errors.required(at.child('topologyKey'), 'can not be empty');
    if (whenUnsatisfiable !== 'DoNotSchedule' && whenUnsatisfiable !== 'ScheduleAnyway') {
      errors.notSupported(at.child('whenUnsatisfiable'), whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']);
    }
    if (constraints!.slice(n + 1).some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)) {
      errors.duplicate(at.child('{topologyKey, whenUnsatisfiable}'), `{${topologyKey}, ${whenUnsatisfiable}}`);
    }
    if (minDomains !== undefined) {
      positive(minDomains, errors, at.child('minDomains'));
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        errors.invalid(
          at.child('minDomains'),
          minDomains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
        );
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy = constraint[field];
      if (policy !== undefined && !POLICIES.includes(policy)) errors.notSupported(at.child(field), policy, POLICIES);
    }
    validateMatchKeys(constraint.matchLabelKeys, undefined, constraint.labelSelector, errors, at);
    validateLabelSelector(constraint.labelSelector, errors, at.child('labelSelector'));
  });
}

export function validateTolerations(tolerations: readonly Toleration[] | undefined, errors: Errors, path: Path): void {
  each(tolerations).forEach((toleration, n) => {
    const at = path.index(n);
    const { key = '', operator = '', value = '', effect = '' } = toleration;
    if (key !== '') {
      validQualifiedName(key, errors, at.child('key'));
    } else if (operator !== 'Exists') {
      errors.invalid(
        at.child('operator'),
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.invalid(at.child('effect'), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    switch (operator) {
      case '': case 'Equal': {
        const wrong = labelValue(value);
        if (wrong.length > 0) errors.invalid(at.child('operator'), value, wrong.join(';'));
        break;
      }
      case 'Exists':
        if (value !== '') errors.invalid(at.child('operator'), value, "value must be empty when `operator` is 'Exists'");
        break;
      case 'Lt': case 'Gt':
        errors.notSupported(at.child('operator'), operator, ['Equal', 'Exists', 'Lt', 'Gt']);
        break;
      default: errors.notSupported(at.child('operator'), operator, ['Equal', 'Exists']);
    }
    if (effect !== '' && !TAINT_EFFECTS.includes(effect)) errors.notSupported(at.child('effect'), effect, TAINT_EFFECTS);
  });
}
