import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { type FieldSchema, requireSchema, schemaOf, type TypeRef, type TypeSchema } from '../../../types/kubernetes/schema.ts';

/** How a type takes part in server-side apply: as a whole, or in parts. */
export type Shape =
  /** A scalar, or a list, map or struct that is owned and replaced as a whole. */
  | { readonly kind: 'leaf' }
  | {
      readonly kind: 'struct';
      readonly fields: ReadonlyMap<string, ShapedField>;
      /** Those that are there as null where they are absent. */ readonly always: readonly ShapedField[];
    }
  | { readonly kind: 'map'; readonly element: Shape }
  | { readonly kind: 'set' }
  | { readonly kind: 'list'; readonly keys: readonly string[]; readonly defaults: Readonly<Record<string, unknown>>; readonly element: Shape }
  /** No schema: maps in parts, all else as a whole. */
  | { readonly kind: 'any' };

export interface ShapedField {
  readonly name: string;
  readonly shape: Shape;
  /** `f:` and the name: the field as an element of a path. */
  readonly element: string;
  /** Absent means null, and is never a value that is missing: what Go always writes. */
  readonly always: boolean;
}

const LEAF: Shape = { kind: 'leaf' };
const SET: Shape = { kind: 'set' };
const ANY: Shape = { kind: 'any' };
const structs = new Map<string, Shape>();
const roots = new Map<string, Shape>();

/** Metadata that the server sets; nobody owns it. */
const SYSTEM_METADATA = ['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion'];

/** What a write through an endpoint cannot change, and therefore does not own: paths below the object. */
function resetFields(resource: ResourceInfo, subresource: string | undefined): readonly string[] {
  const hasStatus = resource.subresources.some((s) => s.name === 'status');
  const { group, resource: name } = resource;
  if (name === 'certificatesigningrequests') {
    return subresource === 'status' ? ['spec', 'status.conditions'] : subresource === 'approval' ? ['spec', 'status.certificate'] : ['spec', 'status'];
  }
  if (subresource === 'finalize') return ['status'];
  if (subresource !== 'status') return hasStatus ? ['status'] : [];
  if (name === 'pods') return ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'];
  if (name === 'deployments' && group === 'apps') return ['spec', 'metadata.labels'];
  if (
    [
      'servicecidrs',
      'volumeattachments',
      'flowschemas',
      'prioritylevelconfigurations',
      'customresourcedefinitions',
      'apiservices',
    ].includes(name)
  ) {
    return ['spec', 'metadata'];
  }
  return ['spec'];
}

/** The shape of a whole object as one endpoint may write it: without type and system metadata, and without what that endpoint resets. */
export function rootShape(resource: ResourceInfo, subresource: string | undefined): Shape {
  const key = `${resource.group}/${resource.version}/${resource.resource}/${subresource ?? ''}`;
  const known = roots.get(key);
  if (known !== undefined) return known;
  const made = makeRoot(resource, subresource);
  roots.set(key, made);
  return made;
}

function makeRoot(resource: ResourceInfo, subresource: string | undefined): Shape {
  const schema = schemaOf(resource.schema);
  // A kind without a schema (a custom resource): its metadata is known all the same.
  const whole: Shape = schema === undefined ? struct(new Map()) : structShape(schema.name);
  if (whole.kind !== 'struct') throw new Error(`${resource.kind} has no fields to own`);
  const gone = new Set(resetFields(resource, subresource));
  const fields = new Map<string, ShapedField>();
  for (const [name, field] of whole.fields) {
    if (name === 'apiVersion' || name === 'kind' || gone.has(name)) continue;
    const below = [...gone].filter((path) => path.startsWith(`${name}.`)).map((path) => path.slice(name.length + 1));
    fields.set(name, { ...field, shape: without(field.shape, name === 'metadata' ? [...below, ...SYSTEM_METADATA] : below) });
  }
  return struct(fields);
}

function struct(fields: ReadonlyMap<string, ShapedField>): Shape {
  return { kind: 'struct', fields, always: [...fields.values()].filter((field) => field.always) };
}

function without(shape: Shape, names: readonly string[]): Shape {
  if (names.length === 0 || shape.kind !== 'struct') return shape;
  return struct(new Map([...shape.fields].filter(([name]) => !names.includes(name))));
}

function structShape(name: string): Shape {
  const known = structs.get(name);
  if (known !== undefined) return known;
  const fields = new Map<string, ShapedField>();
  const always: ShapedField[] = [];
  const shape: Shape = { kind: 'struct', fields, always };
  // Types may refer to themselves: the place is taken before the fields are looked at.
  structs.set(name, shape);
  const schema: TypeSchema = requireSchema(name);
  for (const field of schema.fields.values()) {
    const shaped: ShapedField = { name: field.name, shape: fieldShape(field), element: `f:${field.name}`, always: isAlways(field) };
    fields.set(field.name, shaped);
    if (shaped.always) always.push(shaped);
  }
  return shape;
}

function isAlways(field: FieldSchema): boolean {
  if (field.pointer) return false;
  switch (field.type.kind) {
    // Go leaves out no struct, and a time is one; only this field says that it may be.
    case 'Time': case 'MicroTime': return field.name !== 'creationTimestamp';
    case 'list': case 'map': case 'bytes': return !field.omitEmpty;
    default: return false;
  }
}

function fieldShape(field: FieldSchema): Shape {
  if (field.atomic) return LEAF;
  if (field.type.kind !== 'list') return typeShape(field.type);
  if (field.list === 'set') return SET;
  if (field.list === 'atomic' || field.type.element.kind !== 'struct') return LEAF;
  const element = field.type.element.schema;
  const defaults: Record<string, unknown> = {};
  for (const key of field.listKeys) {
    const value = keyDefault(element.fields.get(key));
    if (value !== undefined) defaults[key] = value;
  }
  // In the order of their names: so they stand in the element of a path.
  return { kind: 'list', keys: [...field.listKeys].sort(), defaults, element: typeShape(field.type.element) };
}

/** What an absent key counts as: its default, or the zero value where Go always writes it. */
function keyDefault(field: FieldSchema | undefined): unknown {
  if (field === undefined || field.default !== undefined) return field?.default;
  if (field.pointer || field.omitEmpty) return undefined;
  switch (field.type.kind) {
    case 'string': return '';
    case 'bool': return false;
    case 'int32': case 'int64': return 0;
    default: return undefined;
  }
}

function typeShape(type: TypeRef): Shape {
  switch (type.kind) {
    case 'struct': return type.schema.atomic ? LEAF : structShape(type.name);
    case 'map': return { kind: 'map', element: typeShape(type.value) };
    case 'RawExtension': case 'JSON': case 'FieldsV1': return ANY;
    default: return LEAF;
  }
}
