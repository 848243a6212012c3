import type { PodResourceClaim, ResourceRequirements } from '../../../../types/kubernetes/generated/core-v1.ts';
import { canonicalQuantity, compareQuantities, parseQuantity } from '../../../../types/kubernetes/quantity.ts';
import { checked, each, validLabel, validQualifiedName } from './common.ts';
import type { Errors, Path } from './errors.ts';
import { dnsSubdomain, labelKey } from './formats.ts';

const CONTAINER = new Set(['cpu', 'memory', 'ephemeral-storage']);
const OBJECT_COUNTS = [
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const QUOTA = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  ...OBJECT_COUNTS,
]);
const STANDARD = new Set([...QUOTA, 'storage']);

export const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
/** Amounts that come in whole units alone: counts of objects, and what others than Kubernetes name. */
const isInteger = (name: string): boolean => OBJECT_COUNTS.includes(name) || isExtended(name);

/** A name with a domain that is not Kubernetes' own. */
function isExtended(name: string): boolean {
  if (isNative(name) || name.startsWith('requests.')) return false;
  return labelKey(`requests.${name}`).length === 0;
}

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/');
}

/** Requests above limits are possible for what can be shared. */
const isOvercommitAllowed = (name: string): boolean => isNative(name) && !isHugePages(name);

export function validateResourceName(name: string, errors: Errors, path: Path): boolean {
  const before = errors.list.length;
  validQualifiedName(name, errors, path);
  if (errors.list.length > before) return false;
  if (!name.includes('/') && !STANDARD.has(name) && !isHugePages(name) && !name.startsWith('requests.hugepages-')) {
    errors.invalid(path, name, 'must be a standard resource type or fully qualified');
    return false;
  }
  return true;
}

export function validateContainerResourceName(name: string, errors: Errors, path: Path): void {
  if (CONTAINER.has(name)) return;
  validateResourceName(name, errors, path);
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.invalid(path, name, 'must be a standard resource for containers');
  } else if (!isNative(name) && !isExtended(name)) errors.invalid(path, name, "doesn't follow extended resource name standard");
}

export function validateQuotaResourceName(name: string, errors: Errors, path: Path): void {
  validateResourceName(name, errors, path);
  if (!name.includes('/') && !QUOTA.has(name) && !isHugePages(name) && !name.startsWith('requests.hugepages-')) {
    errors.invalid(path, name, 'must be a standard resource for quota');
  }
}

function validatePodResourceName(name: string, errors: Errors, path: Path): void {
  if (validateResourceName(name, errors, path) && name !== 'cpu' && name !== 'memory' && !isHugePages(name)) {
    errors.notSupported(path, name, ['cpu', 'hugepages-', 'memory']);
  }
}

/** Not negative, and whole where halves make no sense. */
export function validateAmount(name: string, amount: string, errors: Errors, path: Path): void {
  const { nano } = parseQuantity(amount);
  if (nano < 0n) errors.invalid(path, canonicalQuantity(amount), 'must be greater than or equal to 0');
  if (isInteger(name) && nano % 1_000_000_000n !== 0n) errors.invalid(path, canonicalQuantity(amount), 'must be an integer');
}

function hugePageSize(name: string): bigint {
  try {
    return parseQuantity(name.slice('hugepages-'.length)).nano;
  } catch {
    return 0n; // The page size is no quantity: then no amount is a multiple of it.
  }
}

function validateHugePages(name: string, amount: string, errors: Errors, path: Path): void {
  const [size, { nano }] = [hugePageSize(name), parseQuantity(amount)];
  if (size <= 0n || nano % size !== 0n) {
    errors.invalid(path, canonicalQuantity(amount), `${canonicalQuantity(amount)} is not positive integer multiple of ${name}`);
  }
}

/** Requests and limits of a container, or (`level: 'pod'`) of a pod as a whole. */
export function validateResources(
  requirements: ResourceRequirements | undefined,
  claims: ReadonlySet<string>,
  errors: Errors,
  path: Path,
  level: 'container' | 'pod' = 'container',
): void {
  if (requirements === undefined) return;
  const { limits, requests } = requirements;
  const validName = level === 'pod' ? validatePodResourceName : validateContainerResourceName;
  let cpuOrMemory = false;
  let hugePages = false;
  const check = (name: string, amount: string, at: Path): void => {
    validName(name, errors, at);
    validateAmount(name, amount, errors, at);
    if (isHugePages(name)) {
      hugePages = true;
      validateHugePages(name, amount, errors, at);
    }
    if (name === 'cpu' || name === 'memory') cpuOrMemory = true;
  };
  for (const name in limits) check(name, limits[name]!, path.child('limits').key(name));
  for (const name in requests) {
    const amount = requests[name]!;
    check(name, amount, path.child('requests').key(name));
    const limit = limits?.[name];
    if (limit !== undefined) {
      const order = compareQuantities(amount, limit);
      if (order !== 0 && !isOvercommitAllowed(name)) {
        errors.invalid(path.child('requests'), canonicalQuantity(amount), `must be equal to ${name} limit of ${canonicalQuantity(limit)}`);
      } else if (order > 0) {
        errors.invalid(
          path.child('requests'),
          canonicalQuantity(amount),
          `must be less than or equal to ${name} limit of ${canonicalQuantity(limit)}`,
        );
      }
    } else if (!isOvercommitAllowed(name)) errors.required(path.child('limits'), 'Limit must be set for non overcommitable resources');
  }
  if (hugePages && !cpuOrMemory) errors.forbidden(path, 'HugePages require cpu or memory');
  if (requirements.claims !== undefined) validateClaims(requirements.claims, claims, errors, path.child('claims'));
}

function validateClaims(claims: NonNullable<ResourceRequirements['claims']>, known: ReadonlySet<string>, errors: Errors, path: Path): void {
  const names = new Set<string>();
  claims.forEach(({ name, request = '' }, n) => {
    const at = path.index(n);
    if (name === '') return errors.required(at);
    if (names.has(name)) errors.duplicate(at, name);
    else {
      if (request !== '') validLabel(request, errors, at.child('request'));
      const key = request === '' ? name : `${name}/${request}`;
      if (names.has(key)) errors.duplicate(at, key);
      else if (request === '' && [...names].some((other) => other.startsWith(`${name}/`))) errors.duplicate(at, name);
      names.add(key);
    }
    if (!known.has(name)) {
      const told = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
      errors.list.push({
        type: 'FieldValueNotFound',
        field: String(at),
        message: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${told}`,
      });
    }
  });
}

/** The claims of a pod; returns their names. */
export function validatePodClaims(claims: readonly PodResourceClaim[] | undefined, errors: Errors, path: Path): ReadonlySet<string> {
  const names = new Set<string>();
  each(claims).forEach((claim, n) => {
    const at = path.index(n);
    if (claim.name === '') errors.required(at.child('name'));
    else if (names.has(claim.name)) errors.duplicate(at.child('name'), claim.name);
    else validLabel(claim.name, errors, at.child('name'));
    if (claim.name !== '') names.add(claim.name);
    const { resourceClaimName, resourceClaimTemplateName } = claim;
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      errors.invalid(at, claim, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified');
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      errors.invalid(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    }
    for (const [field, value] of [
      ['resourceClaimName', resourceClaimName],
      ['resourceClaimTemplateName', resourceClaimTemplateName],
    ] as const) {
      if (value !== undefined) checked(value, dnsSubdomain, errors, at.child(field));
    }
  });
  return names;
}
