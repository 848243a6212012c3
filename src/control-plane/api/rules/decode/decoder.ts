import { type FieldSchema, requireSchema, type TypeRef, type TypeSchema } from '../../../../types/kubernetes/schema.ts';
import { MISFIT, SCALAR_DECODERS } from './scalars.ts';

/** What a walk learns besides the value. */
export interface Walk {
  /** How many fields the schema does not know; diagnose.ts finds their paths. */
  unknown: number;
}

/** Takes any value but null. Returns a fresh copy in canonical form, or undefined to leave the field out. @throws MISFIT */
export type Decoder = (value: unknown, walk: Walk) => unknown;

const JSON_SCHEMA_PROPS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
const structs = new Map<string, Decoder>();

/**
 * The decoder of a type: closures made from the schema once, when the type is first met. As Go's decoder and encoder would do in turn,
 * null is left out, empty values are left out where the field says so, and fields that are always written come with their zero value.
 */
export function structDecoder(name: string): Decoder {
  const known = structs.get(name);
  if (known !== undefined) return known;
  // Types refer to themselves, so the place is taken before the type is looked at; the closures follow on first use.
  let made: Decoder | undefined;
  const lazy: Decoder = (value, walk) => (made ??= compileStruct(requireSchema(name)))(value, walk);
  structs.set(name, lazy);
  return lazy;
}

function compileStruct(schema: TypeSchema): Decoder {
  const fields = new Map<string, Decoder>();
  const always: { readonly name: string; readonly zero: () => unknown }[] = [];
  for (const field of schema.fields.values()) {
    fields.set(field.name, fieldDecoder(field));
    const zero = zeroOf(field);
    if (zero !== undefined) always.push({ name: field.name, zero });
  }
  const decode: Decoder = (value, walk) => {
    if (typeof value !== 'object' || Array.isArray(value)) throw MISFIT;
    const input = value as Record<string, unknown>;
    const out: Record<string, unknown> = {};
    for (const key in input) {
      const field = fields.get(key);
      if (field === undefined) {
        walk.unknown++;
        continue;
      }
      const item = input[key];
      if (item === null || item === undefined) continue;
      const decoded = field(item, walk);
      if (decoded !== undefined) out[key] = decoded;
    }
    for (const { name, zero } of always) if (out[name] === undefined) out[name] = zero();
    return out;
  };
  structs.set(schema.name, decode);
  return decode;
}

/** What an absent field is written as; undefined when it stays absent. Lists and maps stay absent (Go would write null). */
function zeroOf(field: FieldSchema): (() => unknown) | undefined {
  if (field.pointer) return undefined;
  const { type } = field;
  switch (type.kind) {
    case 'struct': {
      const decode = structDecoder(type.name);
      return () => decode({}, { unknown: 0 });
    }
    case 'Quantity': return () => '0';
    case 'IntOrString': return () => 0;
    case 'string': return field.omitEmpty ? undefined : () => '';
    case 'bool': return field.omitEmpty ? undefined : () => false;
    case 'int32': case 'int64': case 'float64': return field.omitEmpty ? undefined : () => 0;
    case 'Duration': return () => '0s';
    // A time is a struct, which omitempty does not leave out; this one field says omitzero.
    case 'Time': case 'MicroTime': return field.name === 'creationTimestamp' ? undefined : () => null;
    default: return undefined;
  }
}

function fieldDecoder(field: FieldSchema): Decoder {
  const decode = typeDecoder(field.type);
  if (!field.omitEmpty || field.pointer) return decode;
  switch (field.type.kind) {
    case 'string': case 'bytes': return (value, walk) => (value === '' ? undefined : decode(value, walk));
    case 'bool': return (value, walk) => (value === false ? undefined : decode(value, walk));
    case 'int32': case 'int64': case 'float64': return (value, walk) => (value === 0 ? undefined : decode(value, walk));
    case 'list': return (value, walk) => {
      const list = decode(value, walk) as unknown[];
      return list.length === 0 ? undefined : list;
    };
    case 'map': return (value, walk) => {
      const map = decode(value, walk) as object;
      for (const _ in map) return map;
      return undefined;
    };
    default: return decode;
  }
}

function typeDecoder(type: TypeRef): Decoder {
  switch (type.kind) {
    case 'struct': {
      let decode = structDecoder(type.name);
      // The first call goes through the lazy decoder, which puts the compiled one in its place.
      return (value, walk) => {
        const decoded = decode(value, walk);
        decode = structs.get(type.name)!;
        return decoded;
      };
    }
    case 'list': return listDecoder(type.element);
    case 'map': return mapDecoder(type.value);
    case 'JSONSchemaPropsOrBool': {
      const struct = structDecoder(JSON_SCHEMA_PROPS);
      return (value, walk) => (typeof value === 'boolean' ? value : struct(value, walk));
    }
    case 'JSONSchemaPropsOrArray': {
      const struct = structDecoder(JSON_SCHEMA_PROPS);
      const list = listDecoder({ kind: 'struct', name: JSON_SCHEMA_PROPS, get schema() { return requireSchema(JSON_SCHEMA_PROPS); } });
      return (value, walk) => (Array.isArray(value) ? list(value, walk) : struct(value, walk));
    }
    case 'JSONSchemaPropsOrStringArray': {
      const struct = structDecoder(JSON_SCHEMA_PROPS);
      const list = listDecoder({ kind: 'string' });
      return (value, walk) => (Array.isArray(value) ? list(value, walk) : struct(value, walk));
    }
    case 'JSON': case 'RawExtension': return (value) => structuredCopy(value);
    default: return SCALAR_DECODERS[type.kind];
  }
}

/** A value without a schema, copied. Recursion is bounded by the parser's limit on depth. */
function structuredCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(structuredCopy);
  const out: Record<string, unknown> = {};
  for (const key in value) put(out, key, structuredCopy((value as Record<string, unknown>)[key]));
  return out;
}

/** Sets a key that may be any text: `__proto__` is a key like others. */
function put(out: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true });
  else out[key] = value;
}

/** The value that null stands for inside of a list or map. */
function emptyOf(type: TypeRef): unknown {
  switch (type.kind) {
    case 'struct': return structDecoder(type.name)({}, { unknown: 0 });
    case 'string': case 'bytes': return '';
    case 'bool': return false;
    case 'int32': case 'int64': case 'float64': return 0;
    case 'Quantity': return '0';
    case 'list': return [];
    case 'map': return {};
    default: return null;
  }
}

function listDecoder(element: TypeRef): Decoder {
  if (element.kind === 'struct') structDecoder(element.name);
  const decode = typeDecoder(element);
  return (value, walk) => {
    if (!Array.isArray(value)) throw MISFIT;
    const out: unknown[] = [];
    for (const item of value as unknown[]) out.push(item === null ? emptyOf(element) : decode(item, walk));
    return out;
  };
}

function mapDecoder(element: TypeRef): Decoder {
  if (element.kind === 'struct') structDecoder(element.name);
  const decode = typeDecoder(element);
  return (value, walk) => {
    if (typeof value !== 'object' || Array.isArray(value)) throw MISFIT;
    const input = value as Record<string, unknown>;
    const out: Record<string, unknown> = {};
    for (const key in input) {
      const item = input[key];
      const decoded = item === null ? emptyOf(element) : decode(item, walk);
      if (key === '__proto__') put(out, key, decoded);
      else out[key] = decoded;
    }
    return out;
  };
}
