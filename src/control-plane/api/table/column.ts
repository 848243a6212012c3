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

/** The shape in which columns read an object: everything may be missing. */
export type Loose<T> = T extends readonly (infer E)[] ? readonly Loose<E>[] : T extends object ? { readonly [K in keyof T]?: Loose<T[K]> | null } : T;

export function column<T extends KubeObject>(name: string, cell: (object: T, now: number) => Cell, options: { readonly type?: Column['type']; readonly wide?: boolean; readonly description?: string } = {}): Column {
  return { name, type: options.type ?? 'string', format: '', description: options.description ?? name, priority: options.wide === true ? 1 : 0, cell: cell };
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
