import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { type FieldSchema, requireSchema, type TypeRef, type TypeSchema } from '../../../types/kubernetes/schema.ts';
import { literalText, plainText, typeText } from '../go-text.ts';
import { itemElement } from './elements.ts';
import { LEAF, pathsOf } from './field-set.ts';

/**
 * What of a configuration does not fit its kind: fields that the schema does
 * not know, and values of another type. Asked for only when something is
 * wrong; the words are those of the API server, Go's ways to print included.
 * @returns each with its path, as in `.spec.ports[port=80,protocol="TCP"].nam: field not declared in schema`
 */
export function faultsOf(resource: Pick<ResourceInfo, 'schema'>, body: KubeObject): string[] {
  const out: string[] = [];
  struct(requireSchema(resource.schema), body, '', out);
  return out;
}

function tell(path: string, what: string, out: string[]): void {
  out.push(path === '' ? what : `${path}: ${what}`);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function struct(schema: TypeSchema, value: unknown, path: string, out: string[]): void {
  if (value === null) return;
  if (!isMap(value)) return tell(path, `expected map, got ${printed(value)}`, out);
  for (const key of Object.keys(value)) {
    const field = schema.fields.get(key);
    if (field === undefined) tell(`${path}.${key}`, 'field not declared in schema', out);
    else any(field.type, field, value[key], `${path}.${key}`, out);
  }
}

function any(type: TypeRef, field: FieldSchema | undefined, value: unknown, path: string, out: string[]): void {
  if (value === null || value === undefined) return;
  switch (type.kind) {
    case 'struct': return struct(type.schema, value, path, out);
    case 'map':
      if (!isMap(value)) return tell(path, `expected map, got ${printed(value)}`, out);
      for (const key of Object.keys(value)) any(type.value, undefined, value[key], `${path}.${key}`, out);
      return;
    case 'list':
      if (!Array.isArray(value)) return tell(path, `expected list, got ${printed(value)}`, out);
      for (const [at, item] of (value as unknown[]).entries()) {
        any(type.element, undefined, item, path + elementOf(type.element, field, item, at), out);
      }
      return;
    case 'bool':
      if (typeof value !== 'boolean') tell(path, `expected boolean, got ${printed(value)}`, out);
      return;
    case 'int32':
    case 'int64':
    case 'float64':
      if (typeof value !== 'number' && typeof value !== 'bigint') {
        tell(path, `expected numeric (int or float), got ${typeText(value)}`, out);
      }
      return;
    case 'string': case 'bytes':
      if (typeof value !== 'string') tell(path, `expected string, got &value.valueUnstructured{Value:${literalText(value)}}`, out);
      return;
    case 'Quantity': case 'IntOrString': case 'Time': case 'MicroTime': case 'Duration':
      if (typeof value === 'object') tell(path, `expected any scalar, got ${printed(value)}`, out);
      return;
    default:
  }
}

/** How a path names an item of a list: by its keys, its value or its place. */
function elementOf(type: TypeRef, field: FieldSchema | undefined, item: unknown, at: number): string {
  if (field?.list === 'set') return `[=${JSON.stringify(item)}]`;
  if (field?.list !== 'map' || type.kind !== 'struct' || !isMap(item)) return `[${at}]`;
  const defaults = Object.fromEntries(field.listKeys.map((key) => [key, type.schema.fields.get(key)?.default]).filter(([, value]) => value !== undefined));
  return pathsOf({ [itemElement({ kind: 'list', keys: field.listKeys.toSorted(), defaults, element: { kind: 'leaf' } }, item)]: LEAF })[0]!;
}

/** `%v` of a pointer to the struct that holds the value. */
function printed(value: unknown): string {
  return `&{${plainText(value)}}`;
}
