import type { Event as CoreEvent } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { Event } from '../../../../types/kubernetes/generated/events-v1.ts';
import { checked, immutable, same, validQualifiedName } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { byteLength, dnsSubdomain, pathSegment } from './formats.ts';
import { rulesOf } from './kind.ts';

/** What both versions of an event say, under one set of names. */
interface Told {
  readonly namespace: string;
  readonly about: { readonly namespace?: string } | undefined;
  /** null, like undefined: not set. */
  readonly eventTime: string | null | undefined;
  readonly controller: string;
  readonly instance: string;
  readonly action: string;
  readonly reason: string;
  readonly note: string;
}

function validate(event: Told, controllerField: string, errors: Errors): void {
  const about = event.about?.namespace ?? '';
  const at = new Path('involvedObject').child('namespace');
  if (!event.eventTime) {
    const fits = about === '' ? event.namespace === '' || event.namespace === 'default' : event.namespace === about;
    if (!fits) errors.invalid(at, about, 'does not match event.namespace');
  } else {
    if (about === '' && event.namespace !== 'default' && event.namespace !== 'kube-system') {
      errors.invalid(at, about, 'does not match event.namespace');
    }
    if (event.controller === '') errors.required(new Path(controllerField));
    validQualifiedName(event.controller, errors, new Path(controllerField));
    for (const [field, value, most] of [['reportingInstance', event.instance, 128], ['action', event.action, 128], ['reason', event.reason, 128]] as const) {
      if (value === '') errors.required(new Path(field));
      if (byteLength(value) > most) errors.invalid(new Path(field), '', `can have at most ${most} characters`);
    }
    if (byteLength(event.note) > 1024) errors.invalid(new Path('message'), '', 'can have at most 1024 characters');
  }
  if (event.namespace !== '') checked(event.namespace, dnsSubdomain, errors, new Path('namespace'));
}

/** What both versions call alike. */
function alike({ metadata, eventTime, reportingInstance, action, reason }: CoreEvent | Event): Omit<Told, 'about' | 'controller' | 'note'> {
  return { namespace: metadata?.namespace ?? '', eventTime, instance: reportingInstance ?? '', action: action ?? '', reason: reason ?? '' };
}

function validateCore(event: CoreEvent, errors: Errors): void {
  const told = { ...alike(event), about: event.involvedObject, controller: event.reportingComponent ?? '', note: event.message ?? '' };
  validate(told, 'reportingComponent', errors);
}

export const CORE_EVENT = rulesOf<CoreEvent>({ name: pathSegment, create: validateCore, update: (event, _old, errors) => validateCore(event, errors) });

function validateSeries(event: Event, errors: Errors): void {
  if (event.series === undefined) return;
  if (event.series.count < 2) errors.invalid(new Path('series.count'), '', 'should be at least 2');
  if (!event.series.lastObservedTime) errors.required(new Path('series.lastObservedTime'));
}

function validateNew(event: Event, errors: Errors): void {
  const told = { ...alike(event), about: event.regarding, controller: event.reportingController ?? '', note: event.note ?? '' };
  validate(told, 'reportingController', errors);
}

export const EVENT = rulesOf<Event>({
  create: (event, errors) => {
    validateNew(event, errors);
    validateSeries(event, errors);
    if (!event.eventTime) errors.required(new Path('eventTime'));
    if (event.type !== 'Normal' && event.type !== 'Warning') errors.invalid(new Path('type'), '', `has invalid value: ${event.type ?? ''}`);
    if (event.deprecatedFirstTimestamp) errors.invalid(new Path('firstTimestamp'), '', 'needs to be unset');
    if (event.deprecatedLastTimestamp) errors.invalid(new Path('lastTimestamp'), '', 'needs to be unset');
    if ((event.deprecatedCount ?? 0) !== 0) errors.invalid(new Path('count'), '', 'needs to be unset');
    if ((event.deprecatedSource?.component ?? '') !== '' || (event.deprecatedSource?.host ?? '') !== '') {
      errors.invalid(new Path('source'), '', 'needs to be unset');
    }
  },
  update: (event, old, errors) => {
    validateNew(event, errors);
    if (!same(event.series, old.series)) validateSeries(event, errors);
    const fields = {
      regarding: 'involvedObject',
      reason: 'reason',
      note: 'message',
      deprecatedSource: 'source',
      deprecatedFirstTimestamp: 'firstTimestamp',
      deprecatedLastTimestamp: 'lastTimestamp',
      deprecatedCount: 'count',
      type: 'type',
      eventTime: 'eventTime',
      action: 'action',
      related: 'related',
      reportingController: 'reportingController',
      reportingInstance: 'reportingInstance',
    } as const;
    for (const [field, told] of Object.entries(fields)) {
      immutable(event[field as keyof typeof fields], old[field as keyof typeof fields], errors, new Path(told));
    }
  },
});
