import { SCHEMAS } from './generated/schemas.ts';

/**
 * # The schema table
 *
 * What is known of every type on the wire. The generated table holds one
 * string for each type; it is decoded when the type is first asked for:
 *
 *     [!]field;field;…        ! : the struct is replaced as a whole by server-side apply
 *     field = name number type [flags [extras]]
 *     type  = letter | [type (list) | <type (list wrapped in a message) | {type (map from strings) | @struct
 *     flags = p pointer, e omitted when empty, o optional, a atomic map or struct, S set, m patch strategy merge, k retainKeys
 *     extras = Kkey,key (list map) Gkey (patch merge key) Djson (default) Ttype (as Go names it)
 *
 * A field without a name is an embedded struct: its fields are inline in JSON, and a message of its own in protobuf.
 */
export interface TypeSchema {
  /** As in `io.k8s.api.core.v1.Pod`. */
  readonly name: string;
  /** The type's own name, as in `Pod`. */
  readonly short: string;
  readonly atomic: boolean;
  /** By JSON name, those of embedded structs among them. */
  readonly fields: ReadonlyMap<string, FieldSchema>;
  /** As in protobuf: an embedded struct is one member with the name ''. Members with number 0 are not on that wire. */
  readonly members: readonly FieldSchema[];
}

export interface FieldSchema {
  readonly name: string;
  /** Field number in protobuf; 0 where there is none. */
  readonly number: number;
  readonly type: TypeRef;
  /** A nil pointer is told from a zero value: a zero is kept in JSON, and in protobuf. */
  readonly pointer: boolean;
  /** JSON leaves it out when it is the zero value (for a pointer: when nil). */
  readonly omitEmpty: boolean;
  readonly optional: boolean;
  /** Strategic merge patch: `merge` for lists and maps; `retainKeys` may come with it. */
  readonly patchMerge: boolean;
  readonly patchRetainKeys: boolean;
  readonly mergeKey: string | undefined;
  /** Server-side apply: how a list is merged. */
  readonly list: 'atomic' | 'set' | 'map';
  readonly listKeys: readonly string[];
  /** Server-side apply replaces the map or struct as a whole (by the field; see also TypeSchema.atomic). */
  readonly atomic: boolean;
  readonly default: unknown;
  /** The type as Go's decoder names it in errors, where it is no plain one: `v1.RestartPolicy`, `[]v1.Taint`. */
  readonly goType: string | undefined;
}

export type ScalarKind = 'string' | 'bool' | 'int32' | 'int64' | 'float64' | 'bytes' | 'Quantity' | 'IntOrString' | 'Time' | 'MicroTime' | 'Duration'
  | 'RawExtension' | 'FieldsV1' | 'JSON' | 'JSONSchemaPropsOrBool' | 'JSONSchemaPropsOrArray' | 'JSONSchemaPropsOrStringArray';

export type TypeRef =
  | { readonly kind: ScalarKind }
  /** `wrapped`: protobuf puts the list into a message as its field 1. */
  | { readonly kind: 'list'; readonly element: TypeRef; readonly wrapped: boolean }
  | { readonly kind: 'map'; readonly value: TypeRef }
  /** `schema` is decoded when it is read. */
  | { readonly kind: 'struct'; readonly name: string; readonly schema: TypeSchema };

const SCALARS: Readonly<Record<string, { readonly kind: ScalarKind }>> = {
  s: { kind: 'string' }, b: { kind: 'bool' }, i: { kind: 'int32' }, l: { kind: 'int64' }, f: { kind: 'float64' }, y: { kind: 'bytes' }, q: { kind: 'Quantity' },
  o: { kind: 'IntOrString' }, t: { kind: 'Time' }, u: { kind: 'MicroTime' }, d: { kind: 'Duration' }, r: { kind: 'RawExtension' }, F: { kind: 'FieldsV1' },
  j: { kind: 'JSON' }, B: { kind: 'JSONSchemaPropsOrBool' }, A: { kind: 'JSONSchemaPropsOrArray' }, S: { kind: 'JSONSchemaPropsOrStringArray' },
};

const PREFIXES: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.',
  metrics: 'io.k8s.metrics.pkg.apis.',
};
const API = 'io.k8s.api.';

const decoded = new Map<string, TypeSchema>();

/** The schema of a type by its OpenAPI name; undefined when there is none. Decoded once. */
export function schemaOf(name: string): TypeSchema | undefined {
  return schemaOfShort(shortName(name));
}

/** Like schemaOf, for a type that must be there. */
export function requireSchema(name: string): TypeSchema {
  const schema = schemaOf(name);
  if (schema === undefined) throw new Error(`the schema table has no type ${name}`);
  return schema;
}

/** The OpenAPI names of all types. */
export function schemaNames(): string[] {
  return Object.keys(SCHEMAS).map(longName);
}

function shortName(name: string): string {
  if (name.startsWith(API)) return name.slice(API.length);
  const at = name.indexOf('.pkg.apis.');
  return at < 0 ? name : name.slice(at + '.pkg.apis.'.length);
}

function longName(short: string): string {
  return (PREFIXES[short.slice(0, short.indexOf('.'))] ?? API) + short;
}

function schemaOfShort(short: string): TypeSchema | undefined {
  const known = decoded.get(short);
  if (known !== undefined) return known;
  if (!Object.hasOwn(SCHEMAS, short)) return undefined;
  const schema = decode(short, SCHEMAS[short]!);
  decoded.set(short, schema);
  return schema;
}

function decode(short: string, text: string): TypeSchema {
  const atomic = text.startsWith('!');
  const dot = short.lastIndexOf('.');
  const own = short.slice(0, dot + 1);
  const body = atomic ? text.slice(1) : text;
  const members = body === '' ? [] : body.split(';').map((field) => decodeField(field, own));
  const fields = new Map<string, FieldSchema>();
  for (const member of members) {
    if (member.name !== '') fields.set(member.name, member);
    else if (member.type.kind === 'struct') for (const inner of member.type.schema.fields.values()) fields.set(inner.name, inner);
  }
  return { name: longName(short), short: short.slice(dot + 1), atomic, fields, members };
}

function decodeField(text: string, own: string): FieldSchema {
  const [name = '', number, type = '', flags = '', ...extras] = text.split(' ');
  const extra = (letter: string): string | undefined => extras.find((e) => e.startsWith(letter))?.slice(1);
  const keys = extra('K')?.split(',') ?? [];
  const fallback = extra('D');
  return {
    name, number: Number(number), type: decodeType(type, own),
    pointer: flags.includes('p'), omitEmpty: flags.includes('e'), optional: flags.includes('o'),
    patchMerge: flags.includes('m'), patchRetainKeys: flags.includes('k'), mergeKey: extra('G'),
    list: keys.length > 0 ? 'map' : flags.includes('S') ? 'set' : 'atomic', listKeys: keys,
    atomic: flags.includes('a'), default: fallback === undefined ? undefined : JSON.parse(fallback) as unknown, goType: extra('T'),
  };
}

function decodeType(code: string, own: string): TypeRef {
  switch (code[0]) {
    case '[': return { kind: 'list', element: decodeType(code.slice(1), own), wrapped: false };
    case '<': return { kind: 'list', element: decodeType(code.slice(1), own), wrapped: true };
    case '{': return { kind: 'map', value: decodeType(code.slice(1), own) };
    case '@': {
      const short = code.includes('.') ? code.slice(1) : own + code.slice(1);
      return { kind: 'struct', name: longName(short), get schema() { return schemaOfShort(short)!; } };
    }
    default: {
      const scalar = SCALARS[code];
      if (scalar === undefined) throw new Error(`the schema table has an unknown type code ${code}`);
      return scalar;
    }
  }
}
