import type { LabelSelector } from '../../../../types/kubernetes/generated/meta-v1.ts';
import type { Errors, Path } from './errors.ts';
import { dnsLabel, dnsSubdomain, labelKey, labelValue, portName, portNumber } from './formats.ts';
import { validateLabels } from './metadata.ts';

const EMPTY: readonly never[] = [];

/** A list that may be absent. */
export function each<T>(list: readonly T[] | undefined): readonly T[] {
  return list ?? EMPTY;
}

export function nonNegative(value: number | undefined, errors: Errors, path: Path): void {
  if (value !== undefined && value < 0) errors.invalid(path, value, 'must be greater than or equal to 0');
}

export function positive(value: number | undefined, errors: Errors, path: Path): void {
  if ((value ?? 0) <= 0) errors.invalid(path, value ?? 0, 'must be greater than zero');
}

/** A text that has to be there and obey a rule. */
export function requiredName(value: string | undefined, rule: (value: string) => readonly string[], errors: Errors, path: Path): void {
  if (value === undefined || value === '') errors.required(path);
  else checked(value, rule, errors, path);
}

/** A text that must obey a rule. */
export function checked(value: string, rule: (value: string) => readonly string[], errors: Errors, path: Path): void {
  const wrong = rule(value);
  if (wrong.length > 0) errors.invalidEach(path, value, wrong);
}

export const validLabel = (value: string, errors: Errors, path: Path): void => checked(value, dnsLabel, errors, path);
export const validSubdomain = (value: string, errors: Errors, path: Path): void => checked(value, dnsSubdomain, errors, path);
export const validQualifiedName = (value: string, errors: Errors, path: Path): void => checked(value, labelKey, errors, path);

/** A port's number, or the name of a container's port. */
export function validPortOrName(port: number | string | undefined, errors: Errors, path: Path): void {
  if (typeof port === 'string') checked(port, portName, errors, path);
  else errors.invalidEach(path, port ?? 0, portNumber(port ?? 0));
}

/** A label selector as it stands in objects. */
export function validateLabelSelector(selector: LabelSelector | undefined, errors: Errors, path: Path, allowInvalidValues = false): void {
  if (selector === undefined) return;
  if (selector.matchLabels !== undefined) validateLabels(selector.matchLabels, errors, path.child('matchLabels'));
  each(selector.matchExpressions).forEach(({ key, operator, values }, n) => {
    const at = path.child('matchExpressions').index(n);
    switch (operator) {
      case 'In': case 'NotIn':
        if (each(values).length === 0) errors.required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'");
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (each(values).length > 0) {
          errors.forbidden(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        break;
      default: errors.invalid(at.child('operator'), operator, 'not a valid selector operator');
    }
    validQualifiedName(key, errors, at.child('key'));
    if (!allowInvalidValues) each(values).forEach((value, i) => checked(value, labelValue, errors, at.child('values').index(i)));
  });
}

/** A path that stays below where it starts. */
export function relativePath(value: string, errors: Errors, path: Path): void {
  if (value.startsWith('/')) errors.invalid(path, value, 'must be a relative path');
  noBacksteps(value, errors, path);
}

export function noBacksteps(value: string, errors: Errors, path: Path): void {
  if (value.includes('..') && value.split('/').includes('..')) errors.invalid(path, value, "must not contain '..'");
}

/** A relative path that does not start with two dots: those are the kubelet's own. */
export function unreservedPath(value: string, errors: Errors, path: Path): void {
  relativePath(value, errors, path);
  if (value.startsWith('..') && !value.startsWith('../')) errors.invalid(path, value, "must not start with '..'");
}

/** Permission bits of a file. */
export function fileMode(mode: number | undefined, errors: Errors, path: Path): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) {
    errors.invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive');
  }
}

/** Deep equality of two decoded values. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let n = 0; n < a.length; n++) if (!same(a[n], b[n])) return false;
    return true;
  }
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key in left) if (left[key] !== undefined && !same(left[key], Object.hasOwn(right, key) ? right[key] : undefined)) return false;
  for (const key in right) if (right[key] !== undefined && (!Object.hasOwn(left, key) || left[key] === undefined)) return false;
  return true;
}

/** Like `same`, with absent and empty lists and texts taken as equal; an empty struct is not an absent one. */
export function sameOrEmpty(a: unknown, b: unknown): boolean {
  return same(a, b) || (isBlank(a) && isBlank(b));
}

function isBlank(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return Array.isArray(value) && value.length === 0;
}

export function immutable(value: unknown, old: unknown, errors: Errors, path: Path): void {
  if (!sameOrEmpty(value, old)) errors.invalid(path, value, 'field is immutable');
}
