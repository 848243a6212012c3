import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PodSpec,
  Volume,
  VolumeDevice,
  VolumeMount,
} from '../../../../../types/kubernetes/generated/core-v1.ts';
import { each, noBacksteps, relativePath, requiredName } from '../common.ts';
import { Errors as Collector, type Errors, type Path } from '../errors.ts';
import { dnsLabel, portName, portNumber } from '../formats.ts';
import { validateResources } from '../resources.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateLifecycle, validateProbes } from './probes.ts';
import { validateRestartPolicy } from './restart.ts';
import { validateSecurityContext } from './security.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const NOT_FOR_EPHEMERAL = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const;

/** What the containers of one pod share. */
export interface PodContext {
  readonly spec: PodSpec;
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claims: ReadonlySet<string>;
  readonly hostUsers: boolean;
}

export function validateContainers(context: PodContext, errors: Errors, path: Path): void {
  const { spec } = context;
  const containers = each(spec.containers);
  if (containers.length === 0) return errors.required(path);
  const names = new Set<string>();
  for (let n = 0; n < containers.length; n++) {
    const container = containers[n]!;
    const at = path.index(n);
    validateCommon(container, context, errors, at);
    if (names.has(container.name)) errors.duplicate(at.child('name'), container.name);
    names.add(container.name);
    if (container.lifecycle !== undefined) {
      validateLifecycle(container.lifecycle, spec.terminationGracePeriodSeconds, spec.os, errors, at.child('lifecycle'));
    }
    validateProbes(container, spec.terminationGracePeriodSeconds, errors, at);
    validateRestartPolicy(container, errors, at);
  }
  validateHostPorts(containers, errors, path);
}

export function validateInitContainers(context: PodContext, errors: Errors, path: Path): void {
  const { spec } = context;
  const names = new Set(each(spec.containers).map((container) => container.name));
  each(spec.initContainers).forEach((container, n) => {
    const at = path.index(n);
    validateCommon(container, context, errors, at);
    validateRestartPolicy(container, errors, at);
    if (names.has(container.name)) errors.duplicate(at.child('name'), container.name);
    else if (container.name !== '') names.add(container.name);
    validateHostPorts([container], errors, path);
    if (container.restartPolicy === 'Always') {
      if (container.lifecycle !== undefined) {
        validateLifecycle(container.lifecycle, spec.terminationGracePeriodSeconds, spec.os, errors, at.child('lifecycle'));
      }
      return validateProbes(container, spec.terminationGracePeriodSeconds, errors, at);
    }
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] !== undefined) {
        errors.forbidden(at.child(field), 'may not be set for init containers without restartPolicy=Always');
      }
    }
    each(container.resizePolicy).forEach(({ restartPolicy }, i) => {
      if (restartPolicy === 'RestartContainer') {
        errors.invalid(
          at.child('resizePolicy').index(i).child('restartPolicy'),
          restartPolicy,
          "must not be set to 'RestartContainer' for non-sidecar initContainers",
        );
      }
    });
  });
}

export function validateEphemeralContainers(context: PodContext, errors: Errors, path: Path): void {
  const { spec } = context;
  const others = new Set([...each(spec.containers), ...each(spec.initContainers)].map((container) => container.name));
  const names = new Set(others);
  each(spec.ephemeralContainers).forEach((container: EphemeralContainer, n) => {
    const at = path.index(n);
    validateCommon(container, context, errors, at);
    if ((container.image ?? '').trim() !== (container.image ?? '')) {
      errors.invalid(at.child('image'), container.image, 'must not have leading or trailing whitespace');
    }
    if (names.has(container.name)) errors.duplicate(at.child('name'), container.name);
    names.add(container.name);
    const target = container.targetContainerName ?? '';
    if (target !== '' && !others.has(target)) errors.notFound(at.child('targetContainerName'), target);
    for (const field of NOT_FOR_EPHEMERAL) {
      if (container[field] !== undefined) {
        errors.forbidden(at.child(field), 'cannot be set for an Ephemeral Container');
      }
    }
    if (Object.keys(container.resources ?? {}).length > 0) {
      errors.forbidden(at.child('resources'), 'cannot be set for an Ephemeral Container');
    }
    for (const field of ['restartPolicy', 'resizePolicy'] as const) {
      if (container[field] !== undefined) {
        errors.forbidden(at.child(field), 'cannot be set for an Ephemeral Container');
      }
    }
    each(container.volumeMounts).forEach((mount, i) => {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if ((mount[field] ?? '') !== '') {
          errors.forbidden(at.child('volumeMounts').index(i).child(field), 'cannot be set for an Ephemeral Container');
        }
      }
    });
  });
}

function validateCommon(container: Container | EphemeralContainer, context: PodContext, errors: Errors, path: Path): void {
  requiredName(container.name, dnsLabel, errors, path.child('name'));
  if ((container.image ?? '') === '') errors.required(path.child('image'));
  errors.oneOf(path.child('terminationMessagePolicy'), container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError']);
  if (container.ports !== undefined) validatePorts(container.ports, errors, path.child('ports'));
  validateEnv(container.env, errors, path.child('env'));
  validateEnvFrom(container.envFrom, errors, path.child('envFrom'));
  if (container.volumeMounts !== undefined) validateMounts(container.volumeMounts, container, context, errors, path.child('volumeMounts'));
  if (container.volumeDevices !== undefined) {
    validateDevices(container.volumeDevices, container, context, errors, path.child('volumeDevices'));
  }
  errors.oneOf(path.child('imagePullPolicy'), container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']);
  validateResources(container.resources, context.claims, errors, path.child('resources'));
  if (container.resizePolicy !== undefined) {
    validateResizePolicy(container.resizePolicy, context.spec.restartPolicy, errors, path.child('resizePolicy'));
  }
  validateSecurityContext(container.securityContext, context.hostUsers, errors, path.child('securityContext'));
}

function validatePorts(ports: readonly ContainerPort[], errors: Errors, path: Path): void {
  const names = new Set<string>();
  for (let n = 0; n < ports.length; n++) {
    const { name = '', containerPort, hostPort = 0, protocol = '' } = ports[n]!;
    const at = path.index(n);
    if (name !== '') {
      const wrong = portName(name);
      if (wrong.length > 0) errors.invalidEach(at.child('name'), name, wrong);
      else if (names.has(name)) errors.duplicate(at.child('name'), name);
      else names.add(name);
    }
    if (containerPort === 0) errors.required(at.child('containerPort'));
    else errors.invalidEach(at.child('containerPort'), containerPort, portNumber(containerPort));
    if (hostPort !== 0) errors.invalidEach(at.child('hostPort'), hostPort, portNumber(hostPort));
    errors.oneOf(at.child('protocol'), protocol, PROTOCOLS);
  }
}

function validateHostPorts(containers: readonly Container[], errors: Errors, path: Path): void {
  const taken = new Set<string>();
  containers.forEach((container, n) => {
    each(container.ports).forEach(({ protocol = '', hostIP = '', hostPort = 0 }, i) => {
      if (hostPort === 0) return;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.duplicate(path.index(n).child('ports').index(i).child('hostPort'), key);
      taken.add(key);
    });
  });
}

function validateMounts(mounts: readonly VolumeMount[], container: Container | EphemeralContainer, { volumes }: PodContext, errors: Errors, path: Path): void {
  const paths = new Set<string>();
  const devices = each(container.volumeDevices);
  mounts.forEach((mount, n) => {
    const at = path.index(n);
    const { name, mountPath, subPath = '', subPathExpr = '' } = mount;
    if (name === '') errors.required(at.child('name'));
    if (!volumes.has(name)) errors.notFound(at.child('name'), name);
    if (mountPath === '') errors.required(at.child('mountPath'));
    if (paths.has(mountPath)) errors.invalid(at.child('mountPath'), mountPath, 'must be unique');
    paths.add(mountPath);
    if (devices.some((device) => device.name === name)) errors.invalid(at.child('name'), name, 'must not already exist in volumeDevices');
    if (devices.some((device) => device.devicePath === mountPath)) {
      errors.invalid(at.child('mountPath'), mountPath, 'must not already exist as a path in volumeDevices');
    }
    if (subPath !== '') relativePath(subPath, errors, path.child('subPath'));
    if (subPathExpr !== '') {
      if (subPath !== '') errors.invalid(at.child('subPathExpr'), subPathExpr, 'subPathExpr and subPath are mutually exclusive');
      relativePath(subPathExpr, errors, path.child('subPathExpr'));
    }
    validatePropagation(mount, container, errors, path);
  });
}

function validatePropagation(mount: VolumeMount, container: Container | EphemeralContainer, errors: Errors, path: Path): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  if (mountPropagation !== undefined) {
    const supported = ['Bidirectional', 'HostToContainer', 'None'];
    if (!supported.includes(mountPropagation)) errors.notSupported(path.child('mountPropagation'), mountPropagation, supported);
    if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
      errors.forbidden(path.child('mountPropagation'), 'Bidirectional mount propagation is available only to privileged containers');
    }
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  const at = path.child('recursiveReadOnly');
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') {
    return errors.notSupported(at, recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible']);
  }
  if (mount.readOnly !== true) errors.forbidden(at, 'may only be specified when readOnly is true');
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    errors.forbidden(at, 'may only be specified when mountPropagation is None or not specified');
  }
}

function validateDevices(
  devices: readonly VolumeDevice[],
  container: Container | EphemeralContainer,
  { volumes }: PodContext,
  errors: Errors,
  path: Path,
): void {
  const paths = new Set<string>();
  const names = new Set<string>();
  const mounts = each(container.volumeMounts);
  devices.forEach(({ name, devicePath }, n) => {
    const at = path.index(n);
    const volume = volumes.get(name);
    if (name === '') errors.required(at.child('name'));
    if (names.has(name)) errors.invalid(at.child('name'), name, 'must be unique');
    if (volume !== undefined && volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      errors.invalid(at.child('name'), name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode');
    }
    if (volume === undefined) errors.notFound(at.child('name'), name);
    if (devicePath === '') errors.required(at.child('devicePath'));
    if (paths.has(devicePath)) errors.invalid(at.child('devicePath'), devicePath, 'must be unique');
    const steps = new Collector();
    noBacksteps(devicePath, steps, at);
    if (steps.list.length > 0) errors.invalid(at.child('devicePath'), devicePath, "can not contain backsteps ('..')");
    else paths.add(devicePath);
    if (mounts.some((mount) => mount.name === name)) errors.invalid(at.child('name'), name, 'must not already exist in volumeMounts');
    if (mounts.some((mount) => mount.mountPath === devicePath)) {
      errors.invalid(at.child('devicePath'), devicePath, 'must not already exist as a path in volumeMounts');
    }
    if (name !== '') names.add(name);
  });
}

function validateResizePolicy(policies: NonNullable<Container['resizePolicy']>, podPolicy: string | undefined, errors: Errors, path: Path): void {
  const seen = new Set<string>();
  policies.forEach(({ resourceName, restartPolicy }, n) => {
    if (seen.has(resourceName)) errors.duplicate(path.index(n), resourceName);
    seen.add(resourceName);
    errors.oneOf(path, resourceName, ['cpu', 'memory']);
    errors.oneOf(path, restartPolicy, ['NotRequired', 'RestartContainer']);
    if (podPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      errors.invalid(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
    }
  });
}
