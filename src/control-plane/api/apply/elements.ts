import type { Shape } from './shape.ts';

type ListShape = Extract<Shape, { kind: 'list' }>;

/** Text as Go writes it into JSON: three characters are escaped that JSON.stringify leaves alone. */
function jsonText(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  return /[<>&\u2028\u2029]/.test(text) ? text.replaceAll(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`) : text;
}

/** The element of a path that names a list's item by its keys: `k:{"name":"web"}`. Keys that are absent and have no default are left out. */
export function itemElement(shape: ListShape, item: unknown): string {
  const object = item as Readonly<Record<string, unknown>>;
  const { keys, defaults } = shape;
  if (keys.length === 1) {
    const key = keys[0]!;
    const value = object[key] ?? defaults[key];
    return value === undefined ? 'k:{}' : `k:{"${key}":${jsonText(value)}}`;
  }
  let text = '';
  for (const key of keys) {
    const value = object[key] ?? defaults[key];
    if (value !== undefined) text += `${text === '' ? '' : ','}"${key}":${jsonText(value)}`;
  }
  return `k:{${text}}`;
}

/** The element of a path that names a value of a set: `v:"x"`. */
export function valueElement(value: unknown): string {
  return `v:${jsonText(value)}`;
}

/** The element of a path for an item of a list that is not atomic. */
export function listElement(shape: Shape, item: unknown): string {
  return shape.kind === 'list' ? itemElement(shape, item) : valueElement(item);
}
