import type { CronJob, CronJobSpec, Job, JobSpec, PodFailurePolicyRule } from '../../../../types/kubernetes/generated/batch-v1.ts';
import type { Container, PodTemplateSpec } from '../../../../types/kubernetes/generated/core-v1.ts';
import { labelSelectorMatcher } from '../../../../types/kubernetes/selectors.ts';
import { each, immutable, nonNegative, same, validateLabelSelector, validQualifiedName } from './common.ts';
import { whyNoSchedule } from './cron.ts';
import { byKey, type Errors, internalForm, OMIT_VALUE, Path } from './errors.ts';
import { dnsLabel, domainPrefixedPath, quoteList } from './formats.ts';
import { rulesOf } from './kind.ts';
import { validatePodTemplate } from './pod/spec.ts';
import { isReadable, toldSelector } from './workloads.ts';

const SPEC = new Path('spec');
const STATUS = new Path('status');
const MAX_INDEXED = 100_000;
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const OPERATORS = ['In', 'NotIn'];
const STATUSES = ['False', 'True', 'Unknown'];
const COUNTERS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

/** Labels that tie a job's pods to it, the old ones and the new ones. */
const LABELS = { uid: ['controller-uid', 'batch.kubernetes.io/controller-uid'], name: ['job-name', 'batch.kubernetes.io/job-name'] } as const;

/** @param prefixed also the labels with a domain, which jobs of old do not have */
function validateGeneratedSelector(job: Job, prefixed: boolean, errors: Errors): void {
  const spec = job.spec;
  if (spec === undefined || spec.manualSelector === true || spec.selector === undefined) return;
  const at = SPEC.child('template').child('metadata').child('labels');
  const labels = spec.template.metadata?.labels ?? {};
  const expected: Record<string, string> = {};
  for (const [keys, value] of [[LABELS.uid, job.metadata?.uid ?? ''], [LABELS.name, job.metadata?.name ?? '']] as const) {
    for (const key of prefixed ? keys : keys.slice(0, 1)) {
      expected[key] = value;
      const found = labels[key];
      if (found === undefined) errors.required(at.key(key), `must be '${value}'`);
      else if (found !== value) errors.invalid(at.key(key), byKey(labels), `must be '${value}'`);
    }
  }
  if (isReadable(spec.selector) && !labelSelectorMatcher(spec.selector)(expected)) {
    errors.invalid(SPEC.child('selector'), toldSelector(spec.selector), '`selector` not auto-generated');
  }
}

function validateWhole(spec: JobSpec, errors: Errors): void {
  validateSpec(spec, errors, SPEC);
  if (spec.selector === undefined) errors.required(SPEC.child('selector'));
  else validateLabelSelector(spec.selector, errors, SPEC.child('selector'));
  const labels = spec.template.metadata?.labels;
  if (isReadable(spec.selector) && !labelSelectorMatcher(spec.selector)(labels)) {
    errors.invalid(
      SPEC.child('template').child('metadata').child('labels'),
      byKey(labels) ?? null,
      '`selector` does not match template `labels`',
    );
  }
}

/** Of a job, and of the jobs of a CronJob. */
function validateSpec(spec: JobSpec, errors: Errors, path: Path): void {
  for (const field of COUNTERS) nonNegative(spec[field], errors, path.child(field));
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.required(path.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified');
  }
  if (spec.managedBy !== undefined) {
    if (spec.managedBy === '') errors.required(path.child('managedBy'));
    else for (const { value, detail } of domainPrefixedPath(spec.managedBy)) errors.invalid(path.child('managedBy'), value, detail);
    if (spec.managedBy.length > 63) errors.tooLong(path.child('managedBy'), 63);
  }
  validateMode(spec, errors, path);
  if (spec.podFailurePolicy !== undefined) validateFailurePolicy(spec, errors, path.child('podFailurePolicy').child('rules'));
  if (spec.successPolicy !== undefined) {
    if (spec.completionMode !== 'Indexed') {
      errors.invalid(path.child('successPolicy'), internalForm(spec.successPolicy, { Rules: null }), 'requires indexed completion mode');
    } else {
      validateSuccessPolicy(spec, errors, path.child('successPolicy').child('rules'));
    }
  }
  const replacement = spec.podReplacementPolicy;
  const replacements = spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  if (replacement !== undefined && !replacements.includes(replacement)) {
    errors.notSupported(path.child('podReplacementPolicy'), replacement, replacements);
  }
  validatePodTemplate(spec.template, errors, path.child('template'));
  const policy = spec.template.spec?.restartPolicy ?? '';
  const at = path.child('template').child('spec').child('restartPolicy');
  if (policy === 'Always' || policy === '') {
    errors.required(at, 'valid values: "OnFailure", "Never"');
  } else if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.notSupported(at, policy, ['OnFailure', 'Never']);
  } else if (spec.podFailurePolicy !== undefined && policy !== 'Never') {
    errors.invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified');
  }
}

function validateMode(spec: JobSpec, errors: Errors, path: Path): void {
  const { completionMode: mode, completions, parallelism = 0, maxFailedIndexes: failed, backoffLimitPerIndex: perIndex } = spec;
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed') {
    errors.notSupported(path.child('completionMode'), mode, ['NonIndexed', 'Indexed']);
  }
  if (mode === 'Indexed') {
    if (completions === undefined) errors.required(path.child('completions'), 'when completion mode is Indexed');
    if (parallelism > MAX_INDEXED) {
      errors.invalid(
        path.child('parallelism'),
        parallelism,
        `must be less than or equal to ${MAX_INDEXED} when completion mode is Indexed`,
      );
    }
    if (completions !== undefined && failed !== undefined && failed > completions) {
      errors.invalid(path.child('maxFailedIndexes'), failed, 'must be less than or equal to completions');
    }
    if (failed !== undefined && failed > MAX_INDEXED) {
      errors.invalid(path.child('maxFailedIndexes'), failed, `must be less than or equal to ${MAX_INDEXED}`);
    }
    if ((completions ?? 0) <= MAX_INDEXED || perIndex === undefined) return;
    const why = `must be less than or equal to 10000 when completions are above ${MAX_INDEXED} and used with backoff limit per index`;
    if (failed === undefined) errors.required(path.child('maxFailedIndexes'), `must be specified when completions is above ${MAX_INDEXED}`);
    if (parallelism > 10_000) errors.invalid(path.child('parallelism'), parallelism, why);
    if (failed !== undefined && failed > 10_000) errors.invalid(path.child('maxFailedIndexes'), failed, why);
  } else if (mode === undefined || mode === 'NonIndexed') {
    if (perIndex !== undefined) errors.invalid(path.child('backoffLimitPerIndex'), perIndex, 'requires indexed completion mode');
    if (failed !== undefined) errors.invalid(path.child('maxFailedIndexes'), failed, 'requires indexed completion mode');
  }
}

function validateFailurePolicy(spec: JobSpec, errors: Errors, path: Path): void {
  const rules = each(spec.podFailurePolicy!.rules);
  if (rules.length > 20) errors.tooMany(path, rules.length, 20);
  const names = new Set([...each(spec.template.spec?.containers), ...each(spec.template.spec?.initContainers)].map(({ name }) => name));
  rules.forEach((rule, n) => {
    const at = path.index(n);
    const { action } = rule;
    if (action === '') errors.required(at.child('action'), `valid values: ${quoteList(ACTIONS)}`);
    else if (action === 'FailIndex') {
      if (spec.backoffLimitPerIndex === undefined) {
        errors.invalid(at.child('action'), action, 'requires the backoffLimitPerIndex to be set');
      }
    } else if (!ACTIONS.includes(action)) errors.notSupported(at.child('action'), action, ACTIONS);
    validateRule(rule, names, errors, at);
  });
}

function validateRule(rule: PodFailurePolicyRule, names: ReadonlySet<string>, errors: Errors, path: Path): void {
  const { onExitCodes: codes, onPodConditions } = rule;
  const conditions = each(onPodConditions);
  if (codes !== undefined) {
    const at = path.child('onExitCodes');
    const values = each(codes.values);
    if (codes.operator === '') errors.required(at.child('operator'), `valid values: ${quoteList(OPERATORS)}`);
    else if (!OPERATORS.includes(codes.operator)) errors.notSupported(at.child('operator'), codes.operator, OPERATORS);
    if (codes.containerName !== undefined && !names.has(codes.containerName)) {
      errors.invalid(
        at.child('containerName'),
        codes.containerName,
        'must be one of the container or initContainer names in the pod template',
      );
    }
    if (values.length === 0) errors.invalid(at.child('values'), codes.values ?? null, 'at least one value is required');
    else if (values.length > 255) errors.tooMany(at.child('values'), values.length, 255);
    values.forEach((value, n) => {
      if (codes.operator === 'In' && value === 0) errors.invalid(at.child('values').index(n), value, 'must not be 0 for the In operator');
      if (values.indexOf(value) < n) errors.duplicate(at.child('values').index(n), value);
    });
    if (values.some((value, n) => n > 0 && values[n - 1]! > value)) errors.invalid(at.child('values'), values, 'must be ordered');
  }
  if (conditions.length > 20) errors.tooMany(path.child('onPodConditions'), conditions.length, 20);
  conditions.forEach(({ type, status }, n) => {
    const at = path.child('onPodConditions').index(n);
    validQualifiedName(type, errors, at.child('type'));
    if (status === '') errors.required(at.child('status'), `valid values: ${quoteList(STATUSES)}`);
    else if (!STATUSES.includes(status)) errors.notSupported(at.child('status'), status, STATUSES);
  });
  if (codes !== undefined && conditions.length > 0) {
    errors.invalid(path, OMIT_VALUE, 'specifying both OnExitCodes and OnPodConditions is not supported');
  }
  if (codes === undefined && conditions.length === 0) {
    errors.invalid(path, OMIT_VALUE, 'specifying one of OnExitCodes and OnPodConditions is required');
  }
}

function validateSuccessPolicy(spec: JobSpec, errors: Errors, path: Path): void {
  const rules = each(spec.successPolicy!.rules);
  const completions = spec.completions ?? 0;
  if (rules.length === 0) errors.required(path, 'at least one rules must be specified when the successPolicy is specified');
  if (rules.length > 20) errors.tooMany(path, rules.length, 20);
  rules.forEach(({ succeededCount, succeededIndexes }, n) => {
    const at = path.index(n);
    if (succeededCount === undefined && succeededIndexes === undefined) {
      errors.required(at, 'at least one of succeededCount or succeededIndexes must be specified');
    }
    const indexes = succeededIndexes === undefined ? undefined : countIndexes(succeededIndexes, completions);
    if (typeof indexes === 'string') {
      errors.invalid(at.child('succeededIndexes'), succeededIndexes, `error parsing succeededIndexes: ${indexes}`);
    }
    if (succeededCount === undefined) return;
    nonNegative(succeededCount, errors, at.child('succeededCount'));
    if (succeededCount > completions) {
      errors.invalid(
        at.child('succeededCount'),
        succeededCount,
        `must be less than or equal to ${completions} (the number of specified completions)`,
      );
    }
    if (typeof indexes === 'number' && succeededCount > indexes) {
      errors.invalid(
        at.child('succeededCount'),
        succeededCount,
        `must be less than or equal to ${indexes} (the number of indexes in the specified succeededIndexes field)`,
      );
    }
  });
}

/** How many indexes `1,3-5` names; a text says why it names none. */
function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let last = -1;
  let total = 0;
  for (const part of text.split(',')) {
    const found = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (found === null) {
      return part.split('-').length > 2
        ? `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`
        : `cannot convert string to integer for index: ${JSON.stringify(part)}`;
    }
    const [from, to] = [Number(found[1]), Number(found[2] ?? found[1])];
    if (from >= completions || to >= completions) return `too large index: ${JSON.stringify(String(from >= completions ? from : to))}`;
    if (from <= last) return `non-increasing order, previous: ${last}, current: ${from}`;
    if (found[2] !== undefined && to <= from) return `non-increasing order, previous: ${from}, current: ${to}`;
    total += to - from + 1;
    last = to;
  }
  return total;
}

function create(job: Job, errors: Errors): void {
  const { spec } = job;
  if (spec === undefined) return errors.required(SPEC);
  validateAll(job, spec, true, errors);
}

function validateAll(job: Job, spec: JobSpec, prefixed: boolean, errors: Errors): void {
  validateGeneratedSelector(job, prefixed, errors);
  validateWhole(spec, errors);
  if (spec.completionMode !== 'Indexed' || (spec.completions ?? 0) <= 0) return;
  const host = `${job.metadata?.name ?? ''}-${spec.completions! - 1}`;
  if (dnsLabel(host).length > 0) {
    errors.invalid(
      new Path('metadata').child('name'),
      job.metadata?.name ?? '',
      `will not able to create pod with invalid DNS label: ${host}`,
    );
  }
}

function update(job: Job, old: Job, errors: Errors): void {
  const [spec, before] = [job.spec, old.spec];
  if (spec === undefined || before === undefined) return errors.required(SPEC);
  const labels = before.template.metadata?.labels ?? {};
  validateAll(job, spec, labels[LABELS.uid[1]] !== undefined && labels[LABELS.name[1]] !== undefined, errors);
  // An indexed job may change its size, if parallelism goes with it.
  const elastic =
    spec.completionMode === 'Indexed' &&
    spec.completions !== undefined &&
    before.completions !== undefined &&
    spec.completions === spec.parallelism;
  if (!elastic) immutable(spec.completions, before.completions, errors, SPEC.child('completions'));
  immutable(spec.selector, before.selector, errors, SPEC.child('selector'));
  if (before.suspend === true && mayChangeTemplate(old)) {
    if (!same(free(spec.template), free(before.template))) {
      errors.invalid(SPEC.child('template.spec'), spec.template.spec, 'field is immutable');
    }
  } else if (!same(spec.template, before.template)) errors.invalid(SPEC.child('template'), spec.template, 'field is immutable');
  for (const field of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const) {
    immutable(spec[field], before[field], errors, SPEC.child(field));
  }
}

/** A job at rest: suspended, and none of its pods left. */
function mayChangeTemplate(old: Job): boolean {
  return (old.status?.startTime === undefined || isTrue(old, 'Suspended')) && (old.status?.active ?? 0) === 0;
}

/** The template without what may change while a job is at rest: where its pods may run, and with what. */
function free(template: PodTemplateSpec): unknown {
  const { nodeSelector: _n, tolerations: _t, schedulingGates: _g, affinity, containers, initContainers, ...spec } = template.spec ?? { containers: [] };
  const { nodeAffinity: _a, ...others } = affinity ?? {};
  const plain = (list: readonly Container[] | undefined): unknown => each(list).map(({ resources: _r, ...container }) => container);
  return { ...spec, containers: plain(containers), initContainers: plain(initContainers), affinity: Object.keys(others).length > 0 ? others : undefined };
}

function isTrue(job: Job, type: string): boolean {
  return each(job.status?.conditions).some((condition) => condition.type === type && condition.status === 'True');
}

function status(job: Job, old: Job, errors: Errors): void {
  const now = job.status ?? {};
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
    nonNegative(now[field], errors, STATUS.child(field));
  }
  const conditions = STATUS.child('conditions');
  const [complete, failed] = [isTrue(job, 'Complete'), isTrue(job, 'Failed')];
  if (complete && failed) errors.invalid(conditions, OMIT_VALUE, 'cannot set Complete=True and Failed=true conditions');
  if (complete && isTrue(job, 'FailureTarget')) {
    errors.invalid(conditions, OMIT_VALUE, 'cannot set Complete=True and FailureTarget=true conditions');
  }
  if (now.completionTime !== undefined && !complete) {
    errors.invalid(
      STATUS.child('completionTime'),
      now.completionTime,
      'cannot set completionTime when there is no Complete=True condition',
    );
  }
  if (now.completionTime === undefined && complete) {
    errors.required(STATUS.child('completionTime'), 'completionTime is required for Complete jobs');
  }
  if (failed && !isTrue(job, 'FailureTarget')) {
    errors.invalid(conditions, OMIT_VALUE, 'cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (complete && !isTrue(job, 'SuccessCriteriaMet')) {
    errors.invalid(conditions, OMIT_VALUE, 'cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
  if (complete || failed) {
    if ((now.active ?? 0) > 0) errors.invalid(STATUS.child('active'), now.active, 'active>0 is invalid for finished job');
    if (now.startTime === undefined) errors.required(STATUS.child('startTime'), 'startTime is required for finished job');
  }
  if ((now.ready ?? 0) > (now.active ?? 0)) errors.invalid(STATUS.child('ready'), now.ready, 'cannot set more ready pods than active');
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (isTrue(old, type) && !isTrue(job, type)) {
      errors.invalid(conditions, OMIT_VALUE, `cannot disable the terminal ${type}=True condition`);
    }
  }
  for (const field of ['failed', 'succeeded'] as const) {
    if ((now[field] ?? 0) < (old.status?.[field] ?? 0)) {
      errors.invalid(STATUS.child(field), now[field] ?? 0, `cannot decrease the ${field} counter`);
    }
  }
}

export const JOB = rulesOf<Job>({ create, update, subresources: { status } });

function validateCronJob(job: CronJob, old: CronJob | undefined, errors: Errors): void {
  const spec: Partial<CronJobSpec> = job.spec ?? {};
  const { schedule = '', timeZone, concurrencyPolicy = '' } = spec;
  const at = SPEC.child('schedule');
  if (schedule === '') errors.required(at);
  else {
    const wrong = whyNoSchedule(schedule);
    if (wrong !== undefined) errors.invalid(at, schedule, wrong);
    if (schedule.includes('TZ') && old?.spec?.schedule.includes('TZ') !== true) {
      errors.invalid(at, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
    }
  }
  nonNegative(spec.startingDeadlineSeconds, errors, SPEC.child('startingDeadlineSeconds'));
  if (timeZone !== undefined && timeZone !== old?.spec?.timeZone) validateTimeZone(timeZone, errors);
  errors.oneOf(SPEC.child('concurrencyPolicy'), concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
  const template = spec.jobTemplate?.spec;
  const templateAt = SPEC.child('jobTemplate').child('spec');
  if (template !== undefined) {
    validateSpec(template, errors, templateAt);
    if (template.selector !== undefined) {
      errors.invalid(templateAt.child('selector'), template.selector, '`selector` will be auto-generated');
    }
    if (template.manualSelector === true) errors.notSupported(templateAt.child('manualSelector'), true, ['nil', 'false']);
  }
  nonNegative(spec.successfulJobsHistoryLimit, errors, SPEC.child('successfulJobsHistoryLimit'));
  nonNegative(spec.failedJobsHistoryLimit, errors, SPEC.child('failedJobsHistoryLimit'));
}

function validateTimeZone(zone: string, errors: Errors): void {
  const at = SPEC.child('timeZone');
  if (zone === '') return errors.invalid(at, zone, 'timeZone must be nil or non-empty string');
  if (zone.toLowerCase() === 'local') {
    return errors.invalid(at, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones');
  }
  try {
    Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    // That it throws is how Intl says that it knows no such zone.
    errors.invalid(at, zone, `unknown time zone ${zone}`);
  }
}

export const CRON_JOB = rulesOf<CronJob>({
  create: (job, errors) => {
    validateCronJob(job, undefined, errors);
    const name = job.metadata?.name ?? '';
    if (name.length > 52) errors.invalid(new Path('metadata').child('name'), name, 'must be no more than 52 characters');
  },
  update: (job, old, errors) => validateCronJob(job, old, errors),
});
