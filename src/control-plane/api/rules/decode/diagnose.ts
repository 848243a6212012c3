import { messageOf } from '../../../../lib/errors.ts';
import { parseQuantity } from '../../../../types/kubernetes/quantity.ts';
import { type FieldSchema, requireSchema, type TypeRef, type TypeSchema } from '../../../../types/kubernetes/schema.ts';
import { badBase64At, SCALAR_DECODERS } from './scalars.ts';
import { whyNoTime } from './time.ts';

/** What is wrong with a body. Found by a second, slow walk, which only a body that is wrong pays for. */
export interface Diagnosis {
  /** The first value that does not fit, in the words of Go's decoder. */
  readonly misfit: string | undefined;
  /** Paths of fields that the schema does not know, as in `spec.containers[0].foo`. */
  readonly unknown: readonly string[];
}

const MAX_UNKNOWN = 100;
const JSON_SCHEMA_PROPS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';

export function diagnose(schema: TypeSchema, body: unknown): Diagnosis {
  const walker = new Walker();
  walker.struct(schema, body, '', { owner: schema.short, path: '', goType: `v1.${schema.short}` });
  return { misfit: walker.misfit, unknown: walker.unknown };
}

/** How Go names the place: the innermost struct, and the path without indices, but with the structs that are embedded on the way. */
interface Place {
  readonly owner: string;
  readonly path: string;
  readonly goType: string;
}

class Walker {
  misfit: string | undefined;
  readonly unknown: string[] = [];

  struct(schema: TypeSchema, value: unknown, path: string, place: Place): void {
    if (value === null) return;
    if (typeof value !== 'object' || Array.isArray(value)) return this.#mismatch(value, place);
    const embedded = embeddings(schema);
    for (const [key, item] of Object.entries(value)) {
      const field = schema.fields.get(key);
      const at = path === '' ? key : `${path}.${key}`;
      if (field === undefined) {
        if (this.unknown.length < MAX_UNKNOWN) this.unknown.push(at);
        continue;
      }
      const inside = embedded.get(key);
      const goPath = (place.path === '' ? '' : `${place.path}.`) + (inside === undefined ? key : `${inside}.${key}`);
      this.#value(field.type, item, at, { owner: schema.short, path: goPath, goType: field.goType ?? goTypeOf(field.type) });
    }
  }

  #value(type: TypeRef, value: unknown, path: string, place: Place): void {
    if (value === null) return;
    switch (type.kind) {
      case 'struct': return this.struct(type.schema, value, path, place);
      case 'list':
        if (!Array.isArray(value)) return this.#mismatch(value, place);
        value.forEach((item, n) => this.#value(type.element, item, `${path}[${n}]`, { ...place, goType: elementType(place.goType, type.element) }));
        return;
      case 'map':
        if (typeof value !== 'object' || Array.isArray(value)) return this.#mismatch(value, place);
        for (const [key, item] of Object.entries(value)) {
          this.#value(type.value, item, `${path}.${key}`, { ...place, goType: elementType(place.goType, type.value) });
        }
        return;
      case 'JSONSchemaPropsOrBool': case 'JSONSchemaPropsOrArray': case 'JSONSchemaPropsOrStringArray': return this.#schemaOr(type.kind, value, path, place);
      default: return this.#scalar(type.kind, value, place);
    }
  }

  #schemaOr(kind: string, value: unknown, path: string, place: Place): void {
    if (kind.endsWith('Bool') && typeof value === 'boolean') return;
    if (Array.isArray(value) && !kind.endsWith('Bool')) {
      for (const [n, item] of value.entries()) {
        if (kind.endsWith('StringArray')) this.#scalar('string', item, place);
        else this.struct(requireSchema(JSON_SCHEMA_PROPS), item, `${path}[${n}]`, place);
      }
      return;
    }
    this.struct(requireSchema(JSON_SCHEMA_PROPS), value, path, place);
  }

  #scalar(kind: keyof typeof SCALAR_DECODERS, value: unknown, place: Place): void {
    if (this.misfit !== undefined) return;
    try {
      SCALAR_DECODERS[kind](value);
    } catch {
      // What it threw says only that the value does not fit.
      this.#explain(kind, value, place);
    }
  }

  #explain(kind: keyof typeof SCALAR_DECODERS, value: unknown, place: Place): void {
    if (kind === 'Quantity') this.misfit = whyNoQuantity(value);
    else if (typeof value === 'string' && (kind === 'Time' || kind === 'MicroTime')) this.misfit = whyNoTime(value, kind === 'MicroTime');
    else if (typeof value === 'string' && kind === 'Duration') this.misfit = `time: invalid duration ${JSON.stringify(value)}`;
    else if (typeof value === 'string' && kind === 'bytes') this.misfit = `illegal base64 data at input byte ${badBase64At(value)}`;
    else {
      const exact = (kind === 'int32' || kind === 'int64' || kind === 'IntOrString') && (typeof value === 'number' || typeof value === 'bigint');
      const shown = exact ? `number ${typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : String(value)}` : undefined;
      this.#mismatch(value, kind === 'IntOrString' ? { ...place, goType: 'int32' } : place, shown);
    }
  }

  #mismatch(value: unknown, place: Place, shown = jsonType(value)): void {
    const where = place.path === '' ? `Go value of type ${place.goType}` : `Go struct field ${place.owner}.${place.path} of type ${place.goType}`;
    this.misfit ??= `json: cannot unmarshal ${shown} into ${where}`;
  }
}

/** The embedded struct that a field comes from, by the field's name. */
function embeddings(schema: TypeSchema): Map<string, string> {
  const found = new Map<string, string>();
  for (const member of schema.members) {
    if (member.name !== '' || member.type.kind !== 'struct' || member.number === 0) continue;
    for (const name of member.type.schema.fields.keys()) found.set(name, member.type.schema.short);
  }
  return found;
}

function whyNoQuantity(value: unknown): string {
  try {
    parseQuantity(typeof value === 'string' ? value : '');
  } catch (error) {
    return messageOf(error);
  }
  return 'not a quantity';
}

/** What Go's decoder calls the type of a parsed value. */
export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'number';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

const GO_TYPES: Readonly<Record<string, string>> = {
  bytes: '[]uint8',
  Time: 'string',
  MicroTime: 'string',
  Duration: 'string',
  Quantity: 'resource.Quantity',
  IntOrString: 'int32',
  FieldsV1: 'v1.FieldsV1',
  RawExtension: 'runtime.RawExtension',
};

function goTypeOf(type: FieldSchema['type']): string {
  switch (type.kind) {
    case 'list': return `[]${goTypeOf(type.element)}`;
    case 'map': return `map[string]${goTypeOf(type.value)}`;
    case 'struct': {
      const parts = type.name.split('.');
      return `${parts.at(-2)}.${parts.at(-1)}`;
    }
    default: return GO_TYPES[type.kind] ?? type.kind;
  }
}

/** `[]v1.Taint` holds v1.Taint; of a named list or map only the schema tells. */
function elementType(goType: string, element: TypeRef): string {
  if (goType.startsWith('[]')) return goType.slice(2);
  if (goType.startsWith('map[string]')) return goType.slice('map[string]'.length);
  return goTypeOf(element);
}
