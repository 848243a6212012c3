import type { PodSpec } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { each } from '../common.ts';
import type { Errors, Path } from '../errors.ts';

const POD_FIELDS = ['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const;
const POD_CONTEXT = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const CONTEXT = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

/** What fits the operating system that the pod names. */
export function validateOs(spec: PodSpec, errors: Errors, path: Path): void {
  const name = spec.os!.name;
  if (name === '') return errors.required(path.child('os').child('name'));
  if (name !== 'linux' && name !== 'windows') return errors.notSupported(path.child('os'), name, ['linux', 'windows']);
  const context = spec.securityContext;
  const containers = (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((list) =>
    each(spec[list]).map((container, n) => ({ container, at: path.child(list).index(n) })),
  );
  if (name === 'linux') {
    if (context?.windowsOptions !== undefined) {
      errors.forbidden(path.child('securityContext').child('windowsOptions'), 'windows options cannot be set for a linux pod');
    }
    for (const { container, at } of containers) {
      if (container.securityContext?.windowsOptions !== undefined) {
        errors.forbidden(at.child('securityContext').child('windowsOptions'), 'windows options cannot be set for a linux pod');
      }
    }
    return;
  }
  const why = 'cannot be set for a windows pod';
  for (const field of POD_FIELDS) if (spec[field] !== undefined) errors.forbidden(path.child(field), why);
  for (const field of POD_CONTEXT) if (context?.[field] !== undefined) errors.forbidden(path.child('securityContext').child(field), why);
  for (const { container, at } of containers) {
    for (const field of CONTEXT) {
      if (container.securityContext?.[field] !== undefined) {
        errors.forbidden(at.child('securityContext').child(field), why);
      }
    }
  }
}
