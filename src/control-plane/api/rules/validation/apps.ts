import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  DeploymentSpec,
  ReplicaSet,
  StatefulSet,
  StatefulSetSpec,
} from '../../../../types/kubernetes/generated/apps-v1.ts';
import type { PodTemplateSpec, ReplicationController } from '../../../../types/kubernetes/generated/core-v1.ts';
import { each, immutable, nonNegative, sameOrEmpty, validLabel } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { dnsLabel } from './formats.ts';
import { rulesOf } from './kind.ts';
import { namedBy, validateAnnotations, validateLabels } from './metadata.ts';
import { validateClaimSpec } from './persistent-volume-claim.ts';
import { validatePodTemplate } from './pod/spec.ts';
import {
  amountOf,
  isReadable,
  isValidTemplate,
  mustMatch,
  notDecremented,
  notMoreThanAll,
  SPEC,
  STATUS,
  toldSelector,
  validateCounts,
  validateLasting,
  validateLastingTemplate,
  validateSelector,
  validIntOrPercent,
} from './workloads.ts';

function validateDeployment(deployment: Deployment, errors: Errors): void {
  const spec: Partial<DeploymentSpec> = deployment.spec ?? {};
  nonNegative(spec.replicas, errors, SPEC.child('replicas'));
  validateReplicated(spec.selector, spec.template, errors);
  validateStrategy(spec.strategy ?? {}, errors, SPEC.child('strategy'));
  nonNegative(spec.minReadySeconds, errors, SPEC.child('minReadySeconds'));
  nonNegative(spec.revisionHistoryLimit, errors, SPEC.child('revisionHistoryLimit'));
  const deadline = spec.progressDeadlineSeconds;
  if (deadline === undefined) return;
  nonNegative(deadline, errors, SPEC.child('progressDeadlineSeconds'));
  if (deadline <= (spec.minReadySeconds ?? 0)) {
    errors.invalid(SPEC.child('progressDeadlineSeconds'), deadline, 'must be greater than minReadySeconds');
  }
}

function validateReplicated(selector: DeploymentSpec['selector'] | undefined, template: PodTemplateSpec | undefined, errors: Errors): void {
  validateSelector(selector, 'deployment', errors);
  if (!isReadable(selector)) return errors.invalid(SPEC.child('selector'), selector && toldSelector(selector), 'invalid label selector');
  mustMatch(selector, template, errors, true);
  validateLastingTemplate(template, 'ReplicaSet', errors);
}

function validateStrategy(strategy: Partial<NonNullable<DeploymentSpec['strategy']>>, errors: Errors, path: Path): void {
  const { type = '', rollingUpdate: rolling } = strategy;
  const at = path.child('rollingUpdate');
  if (type === 'Recreate') {
    if (rolling !== undefined) errors.forbidden(at, "may not be specified when strategy `type` is 'Recreate'");
  } else if (type !== 'RollingUpdate') errors.notSupported(path, internalStrategy(strategy), ['Recreate', 'RollingUpdate']);
  else if (rolling === undefined) errors.required(at, 'this should be defaulted and never be nil');
  else {
    validIntOrPercent(rolling.maxUnavailable, errors, at.child('maxUnavailable'));
    validIntOrPercent(rolling.maxSurge, errors, at.child('maxSurge'));
    if (amountOf(rolling.maxUnavailable) === 0 && amountOf(rolling.maxSurge) === 0) {
      errors.invalid(at.child('maxUnavailable'), rolling.maxUnavailable, 'may not be 0 when `maxSurge` is 0');
    }
    notMoreThanAll(rolling.maxUnavailable, errors, at.child('maxUnavailable'));
  }
}

interface UpdateStrategy {
  readonly type?: string;
  readonly rollingUpdate?: { readonly maxUnavailable?: number | string; readonly maxSurge?: number | string };
}

/** As upstream shows its inner form of a strategy. */
function internalStrategy({ type = '', rollingUpdate: rolling }: UpdateStrategy): unknown {
  return { Type: type, RollingUpdate: rolling === undefined ? null : { MaxUnavailable: rolling.maxUnavailable ?? 0, MaxSurge: rolling.maxSurge ?? 0 } };
}

const REPLICA_COUNTS = ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration', 'terminatingReplicas'];

function availableIsReady(
  status: { readonly availableReplicas?: number; readonly readyReplicas?: number } | undefined,
  than: string,
  errors: Errors,
): void {
  if ((status?.availableReplicas ?? 0) > (status?.readyReplicas ?? 0)) {
    errors.invalid(STATUS.child('availableReplicas'), status?.availableReplicas, `cannot be greater than ${than}`);
  }
}

export const DEPLOYMENT = rulesOf<Deployment>({
  create: validateDeployment,
  update: (deployment, old, errors) => {
    validateDeployment(deployment, errors);
    immutable(deployment.spec?.selector, old.spec?.selector, errors, SPEC.child('selector'));
  },
  subresources: {
    status: (deployment, old, errors) => {
      validateCounts(
        deployment.status ?? {},
        [
          'observedGeneration',
          'replicas',
          'updatedReplicas',
          'readyReplicas',
          'availableReplicas',
          'unavailableReplicas',
          'terminatingReplicas',
          'collisionCount',
        ],
        ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
        errors,
      );
      availableIsReady(deployment.status, 'readyReplicas', errors);
      notDecremented(deployment.status?.collisionCount, old.status?.collisionCount, errors);
    },
  },
});

function validateReplicaSet(set: ReplicaSet, errors: Errors): void {
  nonNegative(set.spec?.replicas, errors, SPEC.child('replicas'));
  nonNegative(set.spec?.minReadySeconds, errors, SPEC.child('minReadySeconds'));
  validateReplicated(set.spec?.selector, set.spec?.template, errors);
}

export const REPLICA_SET = rulesOf<ReplicaSet>({
  create: validateReplicaSet,
  update: (set, old, errors) => {
    validateReplicaSet(set, errors);
    immutable(set.spec?.selector, old.spec?.selector, errors, SPEC.child('selector'));
  },
  subresources: {
    status: (set, _old, errors) => {
      validateCounts(set.status ?? {}, REPLICA_COUNTS, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'], errors);
      availableIsReady(set.status, 'readyReplicas', errors);
    },
  },
});

function validateController(controller: ReplicationController, errors: Errors): void {
  const { minReadySeconds, selector = {}, replicas, template } = controller.spec ?? {};
  nonNegative(minReadySeconds, errors, SPEC.child('minReadySeconds'));
  if (Object.keys(selector).length === 0) errors.required(SPEC.child('selector'));
  if (replicas === undefined) errors.required(SPEC.child('replicas'));
  else nonNegative(replicas, errors, SPEC.child('replicas'));
  if (template !== undefined) mustMatch({ matchLabels: selector }, template, errors, true);
  validateLastingTemplate(template, 'ReplicationController', errors);
}

export const REPLICATION_CONTROLLER = rulesOf<ReplicationController>({
  create: validateController, update: (controller, _old, errors) => validateController(controller, errors),
  subresources: {
    status: (controller, _old, errors) => {
      validateCounts(controller.status ?? {}, REPLICA_COUNTS.slice(0, 5), ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'], errors);
      availableIsReady(controller.status, 'readyReplicas', errors);
    },
  },
});

function validateDaemonSet(set: DaemonSet, errors: Errors): void {
  const { selector, template, minReadySeconds, updateStrategy, revisionHistoryLimit } = set.spec ?? {};
  validateSelector(selector, 'daemonset', errors, false);
  if (isReadable(selector)) mustMatch(selector, template, errors, false);
  validateLastingTemplate(template ?? {}, 'DaemonSet', errors);
  nonNegative(minReadySeconds, errors, SPEC.child('minReadySeconds'));
  validateDaemonStrategy(updateStrategy ?? {}, errors, SPEC.child('updateStrategy'));
  nonNegative(revisionHistoryLimit, errors, SPEC.child('revisionHistoryLimit'));
}

function validateDaemonStrategy(strategy: UpdateStrategy, errors: Errors, path: Path): void {
  const { type = '', rollingUpdate: rolling } = strategy;
  const at = path.child('rollingUpdate');
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') return errors.notSupported(path, internalStrategy(strategy), ['RollingUpdate', 'OnDelete']);
  if (rolling === undefined) return errors.required(at);
  validIntOrPercent(rolling.maxUnavailable, errors, at.child('maxUnavailable'));
  validIntOrPercent(rolling.maxSurge, errors, at.child('maxSurge'));
  notMoreThanAll(rolling.maxUnavailable, errors, at.child('maxUnavailable'));
  notMoreThanAll(rolling.maxSurge, errors, at.child('maxSurge'));
  const [unavailable, surge] = [amountOf(rolling.maxUnavailable) !== 0, amountOf(rolling.maxSurge) !== 0];
  if (unavailable && surge) errors.invalid(at.child('maxSurge'), rolling.maxSurge, 'may not be set when maxUnavailable is non-zero');
  else if (!unavailable && !surge) errors.required(at.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0');
}

export const DAEMON_SET = rulesOf<DaemonSet>({
  create: validateDaemonSet,
  update: (set, old, errors) => {
    immutable(set.spec?.selector, old.spec?.selector, errors, SPEC.child('selector'));
    validateDaemonSet(set, errors);
  },
  subresources: {
    status: (set, old, errors) => {
      validateCounts(
        set.status ?? {},
        [
          'currentNumberScheduled',
          'numberMisscheduled',
          'desiredNumberScheduled',
          'numberReady',
          'observedGeneration',
          'updatedNumberScheduled',
          'numberAvailable',
          'numberUnavailable',
          'collisionCount',
        ],
        [],
        errors,
      );
      notDecremented(set.status?.collisionCount, old.status?.collisionCount, errors);
    },
  },
});

/** @param old undefined for a new set */
function validateStatefulSet(set: StatefulSet, old: StatefulSet | undefined, errors: Errors): void {
  const spec: Partial<StatefulSetSpec> = set.spec ?? {};
  const management = spec.podManagementPolicy ?? '';
  if (management === '') {
    errors.required(SPEC.child('podManagementPolicy'));
  } else if (management !== 'OrderedReady' && management !== 'Parallel') {
    errors.invalid(SPEC.child('podManagementPolicy'), management, "must be 'OrderedReady' or 'Parallel'");
  }
  validateStatefulStrategy(spec, errors);
  for (const field of ['whenDeleted', 'whenScaled'] as const) {
    const policy = spec.persistentVolumeClaimRetentionPolicy?.[field] ?? '';
    if (policy !== 'Retain' && policy !== 'Delete') {
      errors.notSupported(SPEC.child('persistentVolumeClaimRetentionPolicy').child(field), policy, ['Retain', 'Delete']);
    }
  }
  if (old === undefined) {
    each(spec.volumeClaimTemplates).forEach((claim, n) =>
      validateClaimSpec(claim.spec ?? {}, errors, SPEC.child('volumeClaimTemplates').index(n).child('spec')),
    );
  }
  nonNegative(spec.replicas, errors, SPEC.child('replicas'));
  nonNegative(spec.minReadySeconds, errors, SPEC.child('minReadySeconds'));
  nonNegative(spec.ordinals?.start, errors, SPEC.child('ordinals.start'));
  if (old === undefined && (spec.serviceName ?? '') !== '') validLabel(spec.serviceName!, errors, SPEC.child('serviceName'));
  validateSelector(spec.selector, 'statefulset', errors);
  if (!isReadable(spec.selector)) errors.invalid(SPEC.child('selector'), spec.selector && toldSelector(spec.selector), '');
  else validateStatefulTemplate(spec, old, errors);
  if (spec.template !== undefined) validateLasting(spec.template, 'StatefulSet', errors);
}

function shownRolling(rolling: { readonly partition?: number; readonly maxUnavailable?: number | string }): unknown {
  return { Partition: rolling.partition ?? 0, MaxUnavailable: rolling.maxUnavailable ?? null };
}

function validateStatefulStrategy(spec: Partial<StatefulSetSpec>, errors: Errors): void {
  const strategy = spec.updateStrategy ?? {};
  const rolling = strategy.rollingUpdate;
  const at = SPEC.child('updateStrategy');
  switch (strategy.type ?? '') {
    case '': return errors.required(at);
    case 'OnDelete':
      if (rolling !== undefined) {
        errors.invalid(at.child('rollingUpdate'), shownRolling(rolling), "only allowed for updateStrategy 'RollingUpdate'");
      }
      return;
    case 'RollingUpdate': {
      if (rolling === undefined) return;
      const most = at.child('rollingUpdate').child('maxUnavailable');
      nonNegative(rolling.partition, errors, at.child('rollingUpdate').child('partition'));
      if (rolling.maxUnavailable === undefined) return;
      validIntOrPercent(rolling.maxUnavailable, errors, most);
      if (amountOf(rolling.maxUnavailable) === 0) errors.invalid(most, rolling.maxUnavailable, 'cannot be 0');
      return notMoreThanAll(rolling.maxUnavailable, errors, most);
    }
    default:
      errors.invalid(
        at,
        { Type: strategy.type, RollingUpdate: rolling === undefined ? null : shownRolling(rolling) },
        "must be 'RollingUpdate' or 'OnDelete'",
      );
  }
}

/** The set itself fills in host name, subdomain and the volumes of its claims. */
function validateStatefulTemplate(spec: Partial<StatefulSetSpec>, old: StatefulSet | undefined, errors: Errors): void {
  const template = spec.template ?? {};
  const names = [...new Set(each(spec.volumeClaimTemplates).map((claim) => claim.metadata?.name ?? ''))];
  const volumes = [
    ...names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...each(template.spec?.volumes).filter((volume) => !names.includes(volume.name)),
  ];
  const { hostname: _h, subdomain: _s, ...pod } = template.spec ?? { containers: [] };
  const filled: PodTemplateSpec = { ...template, spec: names.length === 0 ? pod : { ...pod, volumes } };
  mustMatch(spec.selector, filled, errors, true);
  const at = SPEC.child('template');
  // What was accepted once must not stand in the way of other changes.
  if (old?.spec === undefined || isValidTemplate(old.spec.template)) return validatePodTemplate(filled, errors, at);
  if (template.metadata?.labels !== undefined) validateLabels(template.metadata.labels, errors, at.child('labels'));
  if (template.metadata?.annotations !== undefined) validateAnnotations(template.metadata.annotations, errors, at.child('annotations'));
}

const CHANGEABLE = ['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'];

export const STATEFUL_SET = rulesOf<StatefulSet>({
  name: namedBy(dnsLabel),
  create: (set, errors) => validateStatefulSet(set, undefined, errors),
  update: (set, old, errors) => {
    validateStatefulSet(set, old, errors);
    const [now, before] = [(set.spec ?? {}) as Record<string, unknown>, (old.spec ?? {}) as Record<string, unknown>];
    const fixed = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => !CHANGEABLE.includes(key));
    if (fixed.some((key) => !sameOrEmpty(now[key], before[key]))) {
      errors.forbidden(
        SPEC,
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
    }
  },
  subresources: {
    status: (set, old, errors) => {
      validateCounts(
        set.status ?? {},
        ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas', 'observedGeneration', 'collisionCount'],
        ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
        errors,
      );
      availableIsReady(set.status, 'status.readyReplicas', errors);
      notDecremented(set.status?.collisionCount, old.status?.collisionCount, errors);
    },
  },
});

export const CONTROLLER_REVISION = rulesOf<ControllerRevision>({
  create: (revision, errors) => {
    nonNegative(revision.revision, errors, new Path('revision'));
    if (revision.data === undefined || revision.data === null) {
      errors.required(new Path('data'), 'data is mandatory');
    } else if (typeof revision.data !== 'object' || Array.isArray(revision.data)) {
      errors.required(new Path('data'), 'data must be a valid JSON object');
    }
  },
  update: (revision, old, errors) => {
    nonNegative(revision.revision, errors, new Path('revision'));
    immutable(revision.data, old.data, errors, new Path('data'));
  },
});
