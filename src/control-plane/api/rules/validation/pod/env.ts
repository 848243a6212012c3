import type { EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { compareQuantities } from '../../../../../types/kubernetes/quantity.ts';
import { checked, each, noBacksteps, requiredName, validQualifiedName } from '../common.ts';
import type { Errors, Path } from '../errors.ts';
import { configKey, dnsLabel, dnsSubdomain, envName } from '../formats.ts';
import { namedBy } from '../metadata.ts';

/** Fields of a pod that an environment variable may take its value from. */
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** Fields that the downward API knows at all. */
const KNOWN_FIELDS = new Set([
  ...ENV_FIELDS,
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
  'status.nominatedNodeName',
]);
const RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const SIZES = new Set(['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']);
const SIZES_TOLD = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei';
const prefixedSubdomain = namedBy(dnsSubdomain);

export function validateEnv(vars: readonly EnvVar[] | undefined, errors: Errors, path: Path): void {
  if (vars === undefined) return;
  for (let n = 0; n < vars.length; n++) {
    const { name, value, valueFrom } = vars[n]!;
    const wrong = envName(name);
    if (name === '') errors.required(path.index(n).child('name'));
    else if (wrong.length > 0) errors.invalidEach(path.index(n).child('name'), name, wrong);
    if (valueFrom !== undefined) validateSource(valueFrom, value ?? '', errors, path.index(n).child('valueFrom'));
  }
}

function validateSource(source: EnvVarSource, value: string, errors: Errors, path: Path): void {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source;
  let sources = 0;
  if (fieldRef !== undefined) {
    sources++;
    validateFieldRef(fieldRef, ENV_FIELDS, errors, path.child('fieldRef'));
  }
  if (resourceFieldRef !== undefined) {
    sources++;
    validateResourceFieldRef(resourceFieldRef, false, errors, path.child('resourceFieldRef'));
  }
  for (const [name, ref] of [['configMapKeyRef', configMapKeyRef], ['secretKeyRef', secretKeyRef]] as const) {
    if (ref === undefined) continue;
    sources++;
    checked(ref.name ?? '', dnsSubdomain, errors, path.child(name).child('name'));
    requiredName(ref.key, configKey, errors, path.child(name).child('key'));
  }
  if (fileKeyRef !== undefined) {
    sources++;
    const at = path.child('fileKeyRef');
    requiredName(fileKeyRef.key, envName, errors, at.child('key'));
    requiredName(fileKeyRef.volumeName, dnsLabel, errors, at.child('volumeName'));
    if (fileKeyRef.path === '') errors.required(at.child('path'));
    else noBacksteps(fileKeyRef.path, errors, at.child('path'));
  }
  if (sources === 0) {
    errors.invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`');
  } else if (value !== '') {
    errors.invalid(path, '', 'may not be specified when `value` is not empty');
  } else if (sources > 1) {
    errors.invalid(path, '', 'may not have more than one field specified at a time');
  }
}

/** @param allowed fields that may be named as a whole, in order */
export function validateFieldRef(ref: ObjectFieldSelector, allowed: readonly string[], errors: Errors, path: Path): void {
  const apiVersion = ref.apiVersion ?? '';
  if (apiVersion === '') return errors.required(path.child('apiVersion'));
  if (ref.fieldPath === '') return errors.required(path.child('fieldPath'));
  const at = path.child('fieldPath');
  if (apiVersion !== 'v1') return errors.invalid(at, ref.fieldPath, `error converting fieldPath: unsupported pod version: ${apiVersion}`);
  const subscripted = /^([^[\]]+)\['(.*)'\]$/s.exec(ref.fieldPath);
  const field = subscripted?.[1] ?? ref.fieldPath;
  if (subscripted !== null) {
    const key = subscripted[2]!;
    if (field === 'metadata.annotations') validQualifiedName(key.toLowerCase(), errors, path);
    else if (field === 'metadata.labels') validQualifiedName(key, errors, path);
    else errors.invalid(at, ref.fieldPath, `error converting fieldPath: field label does not support subscript: ${ref.fieldPath}`);
    return;
  }
  if (!KNOWN_FIELDS.has(field)) {
    errors.invalid(at, ref.fieldPath, `error converting fieldPath: field label not supported: ${ref.fieldPath}`);
  } else if (!allowed.includes(field)) {
    errors.notSupported(at, field, allowed);
  }
}

/** @param volume in a volume the container has to be named */
export function validateResourceFieldRef(ref: ResourceFieldSelector, volume: boolean, errors: Errors, path: Path): void {
  const { resource, divisor = '0' } = ref;
  if (volume && (ref.containerName ?? '') === '') {
    errors.required(path.child('containerName'));
  } else if (resource === '') {
    errors.required(path.child('resource'));
  } else if (!RESOURCES.includes(resource) && !/^(?:requests|limits)\.hugepages-/.test(resource)) {
    errors.notSupported(path.child('resource'), resource, RESOURCES);
  }
  if (compareQuantities(divisor, '0') === 0) return;
  const what = resource.slice(resource.indexOf('.') + 1);
  if (what === 'cpu') {
    if (divisor !== '1m' && divisor !== '1') {
      errors.invalid(path.child('divisor'), resource, "only divisor's values 1m and 1 are supported with the cpu resource");
    }
  } else if ((what === 'memory' || what === 'ephemeral-storage' || what.startsWith('hugepages-')) && !SIZES.has(divisor)) {
    const name = what === 'memory' ? 'memory' : what === 'ephemeral-storage' ? 'local ephemeral storage' : 'hugepages';
    errors.invalid(path.child('divisor'), resource, `only divisor's values ${SIZES_TOLD} are supported with the ${name} resource`);
  }
}

export function validateEnvFrom(sources: readonly EnvFromSource[] | undefined, errors: Errors, path: Path): void {
  each(sources).forEach(({ prefix = '', configMapRef, secretRef }, n) => {
    const at = path.index(n);
    if (prefix !== '') checked(prefix, envName, errors, at.child('prefix'));
    for (const [name, ref] of [['configMapRef', configMapRef], ['secretRef', secretRef]] as const) {
      if (ref !== undefined) requiredName(ref.name, (value) => prefixedSubdomain(value, true), errors, at.child(name).child('name'));
    }
    if (configMapRef === undefined && secretRef === undefined) {
      errors.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`');
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      errors.invalid(path, '', 'may not have more than one field specified at a time');
    }
  });
}
