import type { PodTemplateSpec } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { LabelSelector } from '../../../../types/kubernetes/generated/meta-v1.ts';
import { labelSelectorMatcher } from '../../../../types/kubernetes/selectors.ts';
import { each, nonNegative, validateLabelSelector } from './common.ts';
import { byKey, type Errors, Errors as Collector, Path } from './errors.ts';
import { percent } from './formats.ts';
import { validatePodTemplate } from './pod/spec.ts';

export const SPEC = new Path('spec');
export const STATUS = new Path('status');

type IntOrPercent = number | string;

/** The selector of a controller. @param kind as its message names it */
export function validateSelector(selector: LabelSelector | undefined, kind: string, errors: Errors, required = true): void {
  const at = SPEC.child('selector');
  if (selector === undefined) {
    if (required) errors.required(at);
    return;
  }
  validateLabelSelector(selector, errors, at);
  if (Object.keys(selector.matchLabels ?? {}).length + each(selector.matchExpressions).length === 0) {
    errors.invalid(at, toldSelector(selector), `empty selector is invalid for ${kind}`);
  }
}

/** A selector as an error shows it. */
export function toldSelector(selector: LabelSelector): unknown {
  return selector.matchLabels === undefined ? selector : { ...selector, matchLabels: byKey(selector.matchLabels) };
}

/** True when the selector says anything: one with a fault selects nothing, not even wrongly. */
export function isReadable(selector: LabelSelector | undefined): boolean {
  const errors = new Collector();
  validateLabelSelector(selector, errors, SPEC);
  return errors.list.length === 0;
}

export function mustMatch(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined, errors: Errors, emptyMatches: boolean): void {
  const labels = template?.metadata?.labels;
  const empty = selector !== undefined && Object.keys(selector.matchLabels ?? {}).length + each(selector.matchExpressions).length === 0;
  if (emptyMatches && empty) return;
  if (!labelSelectorMatcher(selector)(labels)) {
    errors.invalid(
      SPEC.child('template').child('metadata').child('labels'),
      byKey(labels) ?? null,
      '`selector` does not match template `labels`',
    );
  }
}

/** The template of pods that are to run for ever. @param kind as its messages name it */
export function validateLastingTemplate(template: PodTemplateSpec | undefined, kind: string, errors: Errors): void {
  const at = SPEC.child('template');
  if (template === undefined) return errors.required(at);
  validatePodTemplate(template, errors, at);
  validateLasting(template, kind, errors);
}

export function validateLasting(template: PodTemplateSpec, kind: string, errors: Errors): void {
  const at = SPEC.child('template').child('spec');
  const policy = template.spec?.restartPolicy ?? '';
  if (policy !== 'Always') errors.notSupported(at.child('restartPolicy'), policy, ['Always']);
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    errors.forbidden(at.child('activeDeadlineSeconds'), `activeDeadlineSeconds in ${kind} is not Supported`);
  }
}

export function validIntOrPercent(value: IntOrPercent | undefined, errors: Errors, path: Path): void {
  if (typeof value === 'string') errors.invalidEach(path, value, percent(value));
  else nonNegative(value, errors, path);
}

/** 25 of `25%`, 3 of `3`; 0 of what is neither. */
export function amountOf(value: IntOrPercent | undefined): number {
  if (typeof value === 'number') return value;
  return value !== undefined && /^\d+%?$/.test(value) ? Number.parseInt(value, 10) : 0;
}

export function notMoreThanAll(value: IntOrPercent | undefined, errors: Errors, path: Path): void {
  if (typeof value === 'string' && percent(value).length === 0 && amountOf(value) > 100) {
    errors.invalid(path, value, 'must not be greater than 100%');
  }
}

/** Counts of a status that are not negative, and not above their total. */
export function validateCounts(status: object, counts: readonly string[], below: readonly string[], errors: Errors): void {
  const of = (name: string): number => ((status as Record<string, unknown>)[name] as number | undefined) ?? 0;
  for (const name of counts) nonNegative(of(name), errors, STATUS.child(name));
  for (const name of below) {
    if (of(name) > of('replicas')) {
      errors.invalid(STATUS.child(name), of(name), 'cannot be greater than status.replicas');
    }
  }
}

export function notDecremented(now: number | undefined, before: number | undefined, errors: Errors): void {
  if (before !== undefined && (now === undefined || now < before)) {
    errors.invalid(STATUS.child('collisionCount'), now ?? 0, 'cannot be decremented');
  }
}

/** True when the template has no fault of its own. */
export function isValidTemplate(template: PodTemplateSpec): boolean {
  const errors = new Collector();
  validatePodTemplate(template, errors, SPEC);
  return errors.list.length === 0;
}
