import type { PodTemplateSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import type { LabelSelector } from '../../../types/kubernetes/generated/meta-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { duration } from './duration.ts';

export type Cell = string | number | boolean | null;

/** One column of a Table. `priority` above 0 shows with `-o wide` alone. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean';
  /** `name` for the column that identifies the object; '' else. */
  readonly format: string;
  readonly description: string;
  readonly priority: number;
  /** @param now in milliseconds since the epoch */
  cell(object: KubeObject, now: number): Cell;
}

export function column<T extends KubeObject>(
  name: string,
  cell: (object: T, now: number) => Cell,
  options: { readonly type?: Column['type']; readonly wide?: boolean; readonly description?: string } = {},
): Column {
  return {
    name,
    type: options.type ?? 'string',
    format: '',
    description: options.description ?? name,
    priority: options.wide === true ? 1 : 0,
    cell: cell,
  };
}

/** A column for `-o wide`. */
export function wide<T extends KubeObject>(name: string, cell: (object: T, now: number) => Cell, type: Column['type'] = 'string'): Column {
  return column(name, cell, { type, wide: true });
}

export const NAME: Column = {
  name: 'Name', type: 'string', format: 'name', priority: 0,
  description: 'Name must be unique within a namespace and is chosen when the object is made; it cannot change afterwards.',
  cell: (object) => object.metadata?.name ?? '',
};

export const AGE: Column = {
  name: 'Age', type: 'string', format: '', priority: 0, description: 'How long ago the object was made.',
  cell: (object, now) => since(object.metadata?.creationTimestamp, now),
};

/** How long ago a timestamp is, as kubectl prints it; `<unknown>` without one. */
export function since(time: string | null | undefined, now: number): string {
  return time === undefined || time === null || time === '' ? '<unknown>' : duration(now - Date.parse(time));
}

/** A list in a cell; `<none>` when it is empty. */
export function joined(values: readonly string[]): string {
  return values.length === 0 ? '<none>' : values.join(',');
}

/** Names and images of a template's containers, for the wide columns of what makes pods. */
export function containerColumns<T extends KubeObject>(template: (object: T) => PodTemplateSpec | undefined): readonly Column[] {
  const list = (object: T, field: 'name' | 'image'): string => (template(object)?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',');
  return [wide<T>('Containers', (object) => list(object, 'name')), wide<T>('Images', (object) => list(object, 'image'))];
}

/** A label selector as text: `a=b,c in (d,e),!f`; `<none>` for an empty one. */
export function selectorText(selector: LabelSelector | undefined): string {
  const equals = Object.entries(selector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`);
  const rest = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In': return `${key} in (${[...values].sort().join(',')})`;
      case 'NotIn': return `${key} notin (${[...values].sort().join(',')})`;
      case 'Exists': return key;
      default: return `!${key}`;
    }
  });
  return joined([...equals, ...rest]);
}

/** A map of labels as text: `a=b,c=d`; `<none>` for an empty one. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  return selectorText({ matchLabels: labels ?? {} });
}

/** At most three of a list, and how many more there are. */
export function firstThree(all: readonly string[]): string {
  if (all.length === 0) return '<unset>';
  return all.length <= 3 ? all.join(',') : `${all.slice(0, 3).join(',')} + ${all.length - 3} more...`;
}
