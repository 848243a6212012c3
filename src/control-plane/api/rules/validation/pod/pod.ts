import type { Pod, PodSpec } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { validIP } from '../addresses.ts';
import { checked, each, same, sameOrEmpty, validQualifiedName } from '../common.ts';
import { type Errors, Path } from '../errors.ts';
import { dnsSubdomain, inRange } from '../formats.ts';
import { rulesOf } from '../kind.ts';
import { differences } from './differences.ts';
import { validateNarrowing, withoutNarrowing } from './gated.ts';
import { validateTolerations } from './scheduling.ts';
import { validatePodAnnotations, validatePodSpec } from './spec.ts';

const SPEC = new Path('spec');
const STATUS = new Path('status');
const ANNOTATIONS = new Path('metadata').child('annotations');
const MAX_INT32 = 2_147_483_647;
const MIRROR = 'kubernetes.io/config.mirror';
const CHANGEABLE =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized']);

const specOf = (pod: Pod): PodSpec => pod.spec ?? { containers: [] };

function validateWhole(pod: Pod, errors: Errors): void {
  const spec = specOf(pod);
  validatePodAnnotations(pod.metadata?.annotations, spec, errors, ANNOTATIONS);
  validatePodSpec(spec, pod.metadata ?? {}, errors, SPEC);
  if ((spec.serviceAccountName ?? '') === '') {
    each(spec.volumes).forEach((volume, n) =>
      each(volume.projected?.sources).forEach((source, i) => {
        if (source.serviceAccountToken === undefined) return;
        errors.forbidden(
          SPEC.child('volumes').index(n).child('projected').child('sources').index(i).child('serviceAccountToken'),
          'must not be specified when serviceAccountName is not set',
        );
      }),
    );
  }
  for (const list of ['containers', 'initContainers'] as const) {
    const containers = each(spec[list]);
    for (let n = 0; n < containers.length; n++) {
      const image = containers[n]!.image ?? '';
      if (image.trim() !== image) {
        errors.invalid(SPEC.child(list).index(n).child('image'), image, 'must not have leading or trailing whitespace');
      }
    }
  }
}

function create(pod: Pod, errors: Errors): void {
  validateWhole(pod, errors);
  const spec = specOf(pod);
  if (each(spec.ephemeralContainers).length > 0) errors.forbidden(SPEC.child('ephemeralContainers'), 'cannot be set on create');
  if ((spec.nodeName ?? '') !== '' && each(spec.schedulingGates).length > 0) {
    errors.forbidden(SPEC.child('nodeName'), 'cannot be set until all schedulingGates have been cleared');
  }
}

function validateAnnotationUpdate(pod: Pod, old: Pod, errors: Errors): void {
  const [now, before] = [pod.metadata?.annotations ?? {}, old.metadata?.annotations ?? {}];
  if (before[MIRROR] !== undefined && before[MIRROR] !== now[MIRROR]) {
    errors.forbidden(ANNOTATIONS.key(MIRROR), 'may not remove or update mirror pod annotation');
  } else if (before[MIRROR] === undefined && now[MIRROR] !== undefined) {
    errors.forbidden(ANNOTATIONS.key(MIRROR), 'may not add mirror pod annotation');
  }
}

function update(pod: Pod, old: Pod, errors: Errors): void {
  validateWhole(pod, errors);
  validateAnnotationUpdate(pod, old, errors);
  const [spec, before] = [specOf(pod), specOf(old)];
  for (const list of ['containers', 'initContainers'] as const) {
    if (each(spec[list]).length !== each(before[list]).length) {
      return errors.forbidden(SPEC.child(list), 'pod updates may not add or remove containers');
    }
  }
  if (!deadlineMayBecome(spec.activeDeadlineSeconds, before.activeDeadlineSeconds, errors)) return;
  validateAddedTolerations(spec, before, errors);
  const gates = each(before.schedulingGates).map(({ name }) => name);
  each(spec.schedulingGates).forEach(({ name }, n) => {
    if (!gates.includes(name)) {
      errors.forbidden(
        SPEC.child('schedulingGates').index(n).child('name'),
        `only deletion is allowed, but found new scheduling gate '${name}'`,
      );
    }
  });
  if (same(spec, before)) return;
  if (gates.length > 0) validateNarrowing(spec, before, errors, SPEC);
  const masked = mask(spec, before);
  if (!sameSpec(masked, before)) {
    errors.forbidden(SPEC, `pod updates may not change fields other than ${CHANGEABLE}\n${differences(before, masked)}`);
  }
}

/** @returns false when nothing else is to be looked at, as upstream has it */
function deadlineMayBecome(value: number | undefined, before: number | undefined, errors: Errors): boolean {
  const path = SPEC.child('activeDeadlineSeconds');
  if (value === undefined) {
    if (before !== undefined) errors.invalid(path, null, 'must not update from a positive integer to nil value');
    return true;
  }
  const faults = errors.list.length;
  if (value < 0 || value > MAX_INT32) errors.invalid(path, value, inRange(0, MAX_INT32));
  else if (before !== undefined && before < value) errors.invalid(path, value, 'must be less than or equal to previous value');
  return errors.list.length === faults;
}

function validateAddedTolerations(spec: PodSpec, before: PodSpec, errors: Errors): void {
  for (const { tolerationSeconds: _, ...old } of each(before.tolerations)) {
    if (!each(spec.tolerations).some(({ tolerationSeconds: __, ...now }) => same(now, old))) {
      return errors.forbidden(SPEC.child('tolerations'), 'existing toleration can not be modified except its tolerationSeconds');
    }
  }
  validateTolerations(spec.tolerations, errors, SPEC.child('tolerations'));
}

/** The spec with the old values where new ones are allowed. */
function mask(spec: PodSpec, before: PodSpec): PodSpec {
  const images = (list: 'containers' | 'initContainers'): PodSpec['containers'] =>
    each(spec[list]).map((container, n) => ({ ...container, image: before[list]![n]!.image! }));
  const grace =
    (before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1
      ? before.terminationGracePeriodSeconds
      : spec.terminationGracePeriodSeconds;
  const masked = {
    ...(each(before.schedulingGates).length > 0 ? withoutNarrowing(spec, before) : spec),
    containers: images('containers'),
    ...(spec.initContainers !== undefined && { initContainers: images('initContainers') }),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    schedulingGates: before.schedulingGates,
    tolerations: before.tolerations,
    terminationGracePeriodSeconds: grace,
  };
  return Object.fromEntries(Object.entries(masked).filter(([, value]) => value !== undefined)) as unknown as PodSpec;
}

function sameSpec(a: PodSpec, b: PodSpec): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof PodSpec>;
  // Of a map, empty is as good as absent.
  return [...keys].every((key) => (key === 'nodeSelector' || key === 'overhead' ? same(a[key] ?? {}, b[key] ?? {}) : sameOrEmpty(a[key], b[key])));
}

function status(pod: Pod, old: Pod, errors: Errors): void {
  validateAnnotationUpdate(pod, old, errors);
  const [now, before] = [pod.status ?? {}, old.status ?? {}];
  each(now.conditions).forEach((condition, n) => {
    if (!SYSTEM_CONDITIONS.has(condition.type)) {
      validQualifiedName(condition.type, errors, STATUS.child('conditions').index(n).child('Type'));
    }
  });
  const nominated = now.nominatedNodeName ?? '';
  if (nominated !== '' && nominated !== (before.nominatedNodeName ?? '')) {
    checked(nominated, dnsSubdomain, errors, STATUS.child('nominatedNodeName'));
    if (old.spec?.nodeName) errors.forbidden(STATUS.child('nominatedNodeName'), 'may not be set on pods that are already bound to a node');
  }
  if ((now.qosClass ?? '') !== (before.qosClass ?? '')) errors.invalid(STATUS.child('qosClass'), now.qosClass ?? '', 'field is immutable');
  validateTransitions(pod, old, errors);
  each(now.podIPs).forEach(({ ip }, n) => validIP(ip, errors, STATUS.child('podIPs').index(n), each(before.podIPs).map((known) => known.ip)));
  const hosts = each(now.hostIPs);
  if (hosts.length > 0 && hosts[0]!.ip !== (now.hostIP ?? '')) {
    errors.invalid(STATUS.child('hostIPs').index(0).child('ip'), hosts[0]!.ip, 'must be equal to `hostIP`');
  }
  hosts.forEach(({ ip }, n) =>
    validIP(
      ip,
      errors,
      STATUS.child('hostIPs').index(n),
      each(before.hostIPs).map((known) => known.ip),
    ),
  );
}

/** A container of a pod that is never restarted, once ended, stays so. */
function validateTransitions(pod: Pod, old: Pod, errors: Errors): void {
  if (specOf(old).restartPolicy === 'Always') return;
  each(old.status?.containerStatuses).forEach((before, n) => {
    if (before.state?.terminated === undefined) return;
    if (before.state.terminated.exitCode !== 0 && specOf(old).restartPolicy === 'OnFailure') return;
    const container = each(specOf(old).containers).find(({ name }) => name === before.name);
    if (container?.restartPolicy !== undefined) return;
    const now = each(pod.status?.containerStatuses).find(({ name }) => name === before.name);
    if (now !== undefined && now.state?.terminated === undefined) {
      errors.forbidden(STATUS.child('containerStatuses').index(n).child('state'), 'may not be transitioned to non-terminated state');
    }
  });
}

function ephemeralContainers(pod: Pod, old: Pod, errors: Errors): void {
  validateWhole(pod, errors);
  validateAnnotationUpdate(pod, old, errors);
  const now = new Map(each(pod.spec?.ephemeralContainers).map((container) => [container.name, container]));
  const path = SPEC.child('ephemeralContainers');
  for (const before of each(old.spec?.ephemeralContainers)) {
    const container = now.get(before.name);
    if (container === undefined) {
      errors.forbidden(path, `existing ephemeral containers ${JSON.stringify(before.name)} may not be removed\n`);
    } else if (!same(container, before)) {
      errors.forbidden(
        path,
        `existing ephemeral containers ${JSON.stringify(before.name)} may not be changed\n${differences(before, container)}`,
      );
    }
  }
}

export const POD = rulesOf<Pod>({ create, update, subresources: { status, ephemeralcontainers: ephemeralContainers } });
