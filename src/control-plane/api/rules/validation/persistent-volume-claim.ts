import type { PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate } from '../../../../types/kubernetes/generated/core-v1.ts';
import { compareQuantities, quantityToNumber } from '../../../../types/kubernetes/quantity.ts';
import { checked, each, sameOrEmpty, validateLabelSelector } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { dnsLabel, dnsSubdomain } from './formats.ts';
import { rulesOf } from './kind.ts';
import { validateAnnotations, validateLabels } from './metadata.ts';
import { differences } from './pod/differences.ts';

const SPEC = new Path('spec');
const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];
const NOT_IN_TEMPLATES = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const;

/** Access modes of claims and volumes. */
export function validateAccessModes(modes: readonly string[], errors: Errors, path: Path): void {
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) errors.notSupported(path, mode, ACCESS_MODES);
  if (modes.includes('ReadWriteOncePod') && modes.some((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode))) {
    errors.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, errors: Errors, path: Path): void {
  const modes = each(spec.accessModes);
  if (modes.length === 0) errors.required(path.child('accessModes'), 'at least 1 access mode is required');
  validateLabelSelector(spec.selector, errors, path.child('selector'));
  validateAccessModes(modes, errors, path.child('accessModes'));
  const storage = spec.resources?.requests?.storage;
  const at = path.child('resources').key('storage');
  if (storage === undefined) errors.required(at);
  else if (compareQuantities(storage, '0') <= 0) errors.invalid(at, storage, 'must be greater than zero');
  if ((spec.storageClassName ?? '') !== '') checked(spec.storageClassName!, dnsSubdomain, errors, path.child('storageClassName'));
  if (spec.volumeMode !== undefined && !VOLUME_MODES.includes(spec.volumeMode)) {
    errors.notSupported(path.child('volumeMode'), spec.volumeMode, VOLUME_MODES);
  }
  const { dataSource: source, dataSourceRef: ref } = spec;
  for (const [field, given] of [['dataSource', source], ['dataSourceRef', ref]] as const) {
    if (given === undefined) continue;
    const own = path.child(field);
    if (given.name === '') errors.required(own.child('name'));
    if (given.kind === '') errors.required(own.child('kind'));
    const group = given.apiGroup ?? '';
    if (group === '' && given.kind !== 'PersistentVolumeClaim') {
      errors.invalid(own, given.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
    if (group !== '') checked(group, dnsSubdomain, errors, own.child('apiGroup'));
  }
  if ((ref?.namespace ?? '') !== '') {
    checked(ref!.namespace!, dnsLabel, errors, path.child('dataSourceRef').child('namespace'));
    if (source !== undefined) errors.invalid(path, {}, 'may not be specified when dataSourceRef.namespace is specified');
  } else if (
    source !== undefined &&
    ref !== undefined &&
    !(source.apiGroup === ref.apiGroup && source.kind === ref.kind && source.name === ref.name)
  ) {
    errors.invalid(path, {}, 'must match dataSourceRef');
  }
  if ((spec.volumeAttributesClassName ?? '') !== '') {
    checked(spec.volumeAttributesClassName!, dnsSubdomain, errors, path.child('volumeAttributesClassName'));
  }
}

/** The claim that a pod's ephemeral volume is made of. */
export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, errors: Errors, path: Path): void {
  const metadata = template.metadata ?? {};
  if (metadata.annotations !== undefined) validateAnnotations(metadata.annotations, errors, path.child('metadata').child('annotations'));
  if (metadata.labels !== undefined) validateLabels(metadata.labels, errors, path.child('metadata').child('labels'));
  for (const field of NOT_IN_TEMPLATES) {
    if ((metadata[field] ?? undefined) !== undefined) {
      errors.forbidden(path.child('metadata').child(field), 'cannot be set');
    }
  }
  validateClaimSpec(template.spec, errors, path.child('spec'));
}

function update(claim: PersistentVolumeClaim, old: PersistentVolumeClaim, errors: Errors): void {
  const [spec, before] = [claim.spec ?? {}, old.spec ?? {}];
  validateClaimSpec(spec, errors, SPEC);
  const bound = claim.status?.phase === 'Bound';
  const [size, oldSize] = [spec.resources?.requests?.storage ?? '0', before.resources?.requests?.storage ?? '0'];
  const sized = (requests: object | undefined, storage: string): object => ({ ...requests, storage });
  const masked = {
    ...spec,
    ...((before.volumeName ?? '') === '' && { volumeName: before.volumeName }),
    ...(before.storageClassName === undefined && { storageClassName: undefined }),
    ...(bound && {
      resources: { ...spec.resources, requests: sized(spec.resources?.requests, oldSize) },
      volumeAttributesClassName: before.volumeAttributesClassName,
    }),
  };
  const keys = new Set([...Object.keys(masked), ...Object.keys(before)]);
  if ([...keys].some((key) => !sameOrEmpty((masked as Record<string, unknown>)[key], (before as Record<string, unknown>)[key]))) {
    errors.forbidden(
      SPEC,
      `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${differences(before, masked)}`,
    );
  }
  if (compareQuantities(size, oldSize) < 0 && compareQuantities(size, old.status?.capacity?.storage ?? '0') <= 0) {
    errors.forbidden(SPEC.child('resources').child('requests').child('storage'), 'field can not be less than status.capacity');
  }
  if (spec.volumeMode !== before.volumeMode) errors.invalid(new Path('volumeMode'), spec.volumeMode, 'field is immutable');
}

function status(claim: PersistentVolumeClaim, _old: PersistentVolumeClaim, errors: Errors): void {
  if (each(claim.spec?.accessModes).length === 0) errors.required(new Path('Spec').child('accessModes'));
  const capacity = claim.status?.capacity;
  for (const name in capacity) {
    const amount = quantityToNumber(capacity[name]!);
    if (amount < 0) errors.invalid(new Path('status').child('capacity').key(name), amount, 'must be a valid resource quantity');
  }
}

export const PERSISTENT_VOLUME_CLAIM = rulesOf<PersistentVolumeClaim>({
  create: (claim, errors) => validateClaimSpec(claim.spec ?? {}, errors, SPEC),
  update,
  subresources: { status },
});
