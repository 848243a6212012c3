import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { each, relativePath } from '../common.ts';
import { type Errors, internalForm, type Path } from '../errors.ts';
import { unixId } from '../formats.ts';

const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const PROFILE = { Type: null, LocalhostProfile: null };
const CONTEXT = {
  Capabilities: { Add: null, Drop: null },
  Privileged: null,
  SELinuxOptions: { User: null, Role: null, Type: null, Level: null },
  WindowsOptions: null,
  RunAsUser: null,
  RunAsGroup: null,
  RunAsNonRoot: null,
  ReadOnlyRootFilesystem: null,
  AllowPrivilegeEscalation: null,
  ProcMount: null,
  SeccompProfile: PROFILE,
  AppArmorProfile: PROFILE,
};
const SYSCTL = /^(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_TOLD = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
const NET_SYSCTLS = 'net.';
const IPC_SYSCTLS = ['kernel.shm', 'kernel.msg', 'fs.mqueue.'];

function validateIds(context: { readonly runAsUser?: number; readonly runAsGroup?: number }, errors: Errors, path: Path): void {
  for (const field of ['runAsUser', 'runAsGroup'] as const) {
    const id = context[field];
    if (id !== undefined) errors.invalidEach(path.child(field), id, unixId(id));
  }
}

/** Security context of a container. @param hostUsers the pod shares the host's user namespace */
export function validateSecurityContext(context: SecurityContext | undefined, hostUsers: boolean, errors: Errors, path: Path): void {
  if (context === undefined) return;
  validateIds(context, errors, path);
  const { procMount, privileged } = context;
  if (procMount !== undefined) {
    if (procMount !== 'Default' && procMount !== 'Unmasked') {
      errors.notSupported(path.child('procMount'), procMount, ['Default', 'Unmasked']);
    }
    if (hostUsers && procMount === 'Unmasked') {
      errors.invalid(path.child('procMount'), procMount, '`hostUsers` must be false to use `Unmasked`');
    }
  }
  validateSeccomp(context.seccompProfile, errors, path.child('seccompProfile'));
  if (context.allowPrivilegeEscalation === false) {
    if (privileged === true) {
      errors.invalid(path, internalForm(context, CONTEXT), 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
    }
    if (each(context.capabilities?.add).includes('CAP_SYS_ADMIN')) {
      errors.invalid(
        path,
        internalForm(context, CONTEXT),
        'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
      );
    }
  }
  validateAppArmor(context.appArmorProfile, errors, path.child('appArmorProfile'));
}

function validateSeccomp(profile: SeccompProfile | undefined, errors: Errors, path: Path): void {
  if (profile === undefined) return;
  if (profile.type === '') errors.required(path.child('type'), 'type is required when seccompProfile is set');
  else if (!PROFILE_TYPES.includes(profile.type)) errors.notSupported(path.child('type'), profile.type, PROFILE_TYPES);
  const local = profile.localhostProfile;
  if (profile.type === 'Localhost') {
    if (local === undefined) errors.required(path.child('localhostProfile'), 'must be set when seccomp type is Localhost');
    else relativePath(local, errors, path.child('localhostProfile'));
  } else if (local !== undefined) {
    errors.invalid(path.child('localhostProfile'), internalForm(profile, PROFILE), 'can only be set when seccomp type is Localhost');
  }
}

function validateAppArmor(profile: AppArmorProfile | undefined, errors: Errors, path: Path): void {
  if (profile === undefined) return;
  const { type, localhostProfile: local } = profile;
  const at = path.child('localhostProfile');
  if (type === '') errors.required(path.child('type'), 'type is required when appArmorProfile is set');
  else if (!PROFILE_TYPES.includes(type)) errors.notSupported(path.child('type'), type, PROFILE_TYPES);
  else if (type !== 'Localhost') {
    if (local !== undefined) errors.invalid(at, local, 'can only be set when AppArmor type is Localhost');
  } else if (local === undefined) errors.required(at, 'must be set when AppArmor type is Localhost');
  else {
    if (local.trim() !== local) errors.invalid(at, local, 'must not be padded with whitespace');
    else if (local === '') errors.required(at, 'must be set when AppArmor type is Localhost');
    if (Buffer.byteLength(local) > 4095) errors.tooLong(at, 4095);
  }
}

/** Security context of a pod, with the host namespaces that its spec asks for. */
export function validatePodSecurityContext(spec: PodSpec, errors: Errors, path: Path): void {
  const context = spec.securityContext;
  if (context === undefined) return;
  if (context.fsGroup !== undefined) errors.invalidEach(path.child('fsGroup'), context.fsGroup, unixId(context.fsGroup));
  validateIds(context, errors, path);
  each(context.supplementalGroups).forEach((id, n) => errors.invalidEach(path.child('supplementalGroups').index(n), id, unixId(id)));
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.invalid(path.child('shareProcessNamespace'), true, 'ShareProcessNamespace and HostPID cannot both be enabled');
  }
  if (context.sysctls !== undefined) validateSysctls(context.sysctls, spec, errors, path.child('sysctls'));
  const { fsGroupChangePolicy, supplementalGroupsPolicy, seLinuxChangePolicy } = context;
  if (fsGroupChangePolicy !== undefined && !['Always', 'OnRootMismatch'].includes(fsGroupChangePolicy)) {
    errors.notSupported(path.child('fsGroupChangePolicy'), fsGroupChangePolicy, ['Always', 'OnRootMismatch']);
  }
  validateSeccomp(context.seccompProfile, errors, path.child('seccompProfile'));
  validateAppArmor(context.appArmorProfile, errors, path.child('appArmorProfile'));
  if (supplementalGroupsPolicy !== undefined && !['Merge', 'Strict'].includes(supplementalGroupsPolicy)) {
    errors.notSupported(path.child('supplementalGroupsPolicy'), supplementalGroupsPolicy, ['Merge', 'Strict']);
  }
  if (seLinuxChangePolicy !== undefined && seLinuxChangePolicy !== 'Recursive') {
    errors.notSupported(path.child('seLinuxChangePolicy'), seLinuxChangePolicy, ['Recursive']);
  }
}

function validateSysctls(sysctls: NonNullable<PodSecurityContext['sysctls']>, spec: PodSpec, errors: Errors, path: Path): void {
  const names = new Set<string>();
  sysctls.forEach(({ name }, n) => {
    const at = path.index(n).child('name');
    if (name === '') {
      errors.required(at);
    } else if (name.length > 253 || !SYSCTL.test(name)) {
      errors.invalid(at, name, `must have at most 253 characters and match regex ${SYSCTL_TOLD}`);
    } else if (names.has(name)) {
      errors.duplicate(at, name);
    }
    const dotted = name.replaceAll('/', '.');
    if (spec.hostNetwork === true && dotted.startsWith(NET_SYSCTLS)) {
      errors.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    } else if (spec.hostIPC === true && (dotted === 'kernel.sem' || IPC_SYSCTLS.some((prefix) => dotted.startsWith(prefix)))) {
      errors.invalid(at, name, "may not be specified when 'hostIPC' is true");
    }
    names.add(name);
  });
}
