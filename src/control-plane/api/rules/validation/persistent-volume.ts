import type { PersistentVolume, PersistentVolumeSpec } from '../../../../types/kubernetes/generated/core-v1.ts';
import { canonicalQuantity, compareQuantities } from '../../../../types/kubernetes/quantity.ts';
import { requireSchema } from '../../../../types/kubernetes/schema.ts';
import { checked, each, noBacksteps, same } from './common.ts';
import { byKey, type Errors, Path } from './errors.ts';
import { dnsSubdomain } from './formats.ts';
import { rulesOf } from './kind.ts';
import { validateAccessModes, VOLUME_MODES } from './persistent-volume-claim.ts';
import { differences } from './pod/differences.ts';
import { validateNodeSelector } from './pod/scheduling.ts';
import { validateDriverName } from './pod/volumes.ts';

const SPEC = new Path('spec');
const SOURCES = [...requireSchema('io.k8s.api.core.v1.PersistentVolumeSource').fields.keys()] as (keyof PersistentVolumeSpec)[];

function validateSpec(spec: PersistentVolumeSpec, errors: Errors): void {
  const modes = each(spec.accessModes);
  if (modes.length === 0) errors.required(SPEC.child('accessModes'));
  validateAccessModes(modes, errors, SPEC.child('accessModes'));
  const { capacity, persistentVolumeReclaimPolicy: reclaim = '' } = spec;
  if (Object.keys(capacity ?? {}).length === 0) errors.required(SPEC.child('capacity'));
  if (capacity?.storage === undefined || Object.keys(capacity).length > 1) {
    errors.notSupported(SPEC.child('capacity'), byKey(capacity), ['storage']);
  }
  for (const name in capacity) {
    if (compareQuantities(capacity[name]!, '0') <= 0) {
      errors.invalid(SPEC.child('capacity').key(name), canonicalQuantity(capacity[name]!), 'must be greater than zero');
    }
  }
  if (reclaim !== '' && !['Delete', 'Recycle', 'Retain'].includes(reclaim)) {
    errors.notSupported(SPEC.child('persistentVolumeReclaimPolicy'), reclaim, ['Delete', 'Recycle', 'Retain']);
  }
  if (spec.nodeAffinity?.required !== undefined) {
    validateNodeSelector(spec.nodeAffinity.required, errors, SPEC.child('nodeAffinity').child('required'));
  }
  validateSource(spec, errors);
  if ((spec.storageClassName ?? '') !== '') checked(spec.storageClassName!, dnsSubdomain, errors, SPEC.child('storageClassName'));
  if (spec.volumeMode !== undefined && !VOLUME_MODES.includes(spec.volumeMode)) {
    errors.notSupported(SPEC.child('volumeMode'), spec.volumeMode, VOLUME_MODES);
  }
}

/** Of several sources the first alone is looked at. */
function validateSource(spec: PersistentVolumeSpec, errors: Errors): void {
  const [first, ...more] = SOURCES.filter((source) => spec[source] !== undefined);
  if (first === undefined) return errors.required(SPEC, 'must specify a volume type');
  for (const source of more) errors.forbidden(SPEC.child(source), 'may not specify more than 1 volume type');
  const { hostPath, local, nfs, csi } = { [first]: spec[first] } as PersistentVolumeSpec;
  if (hostPath !== undefined) {
    if (hostPath.path === '') errors.required(SPEC.child('hostPath').child('path'));
    else noBacksteps(hostPath.path, errors, SPEC.child('hostPath').child('path'));
    if (hostPath.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle') {
      errors.forbidden(SPEC.child('persistentVolumeReclaimPolicy'), "may not be 'recycle' for a hostPath mount of '/'");
    }
  }
  if (local !== undefined) {
    if (local.path === '') errors.required(SPEC.child('local').child('path'));
    noBacksteps(local.path, errors, SPEC.child('local').child('path'));
    if (spec.nodeAffinity?.required === undefined) errors.required(SPEC.child('nodeAffinity'), 'Local volume requires node affinity');
  }
  if (nfs !== undefined) {
    for (const field of ['server', 'path'] as const) if (nfs[field] === '') errors.required(SPEC.child('nfs').child(field));
    if (!nfs.path.startsWith('/')) errors.invalid(SPEC.child('nfs').child('path'), nfs.path, 'must be an absolute path');
  }
  if (csi !== undefined) {
    validateDriverName(csi.driver, errors, SPEC.child('csi').child('driver'));
    if (csi.volumeHandle === '') errors.required(SPEC.child('csi').child('volumeHandle'));
  }
}

function update(volume: PersistentVolume, old: PersistentVolume, errors: Errors): void {
  const [spec, before] = [volume.spec ?? {}, old.spec ?? {}];
  validateSpec(spec, errors);
  const sources = (of: PersistentVolumeSpec): object =>
    Object.fromEntries(SOURCES.filter((source) => of[source] !== undefined).map((source) => [source, of[source]]));
  if (!same(sources(spec), sources(before))) {
    errors.forbidden(
      SPEC.child('persistentvolumesource'),
      `spec.persistentvolumesource is immutable after creation\n${differences(sources(before), sources(spec))}`,
    );
  }
  if (spec.volumeMode !== before.volumeMode) errors.invalid(new Path('volumeMode'), spec.volumeMode, 'field is immutable');
  if (before.nodeAffinity !== undefined && !same(spec.nodeAffinity, before.nodeAffinity)) {
    errors.invalid(new Path('nodeAffinity'), spec.nodeAffinity, 'field is immutable');
  }
}

export const PERSISTENT_VOLUME = rulesOf<PersistentVolume>({ create: (volume, errors) => validateSpec(volume.spec ?? {}, errors), update });
