import { requireSchema, type FieldSchema, type ScalarKind, type TypeRef } from '../../../types/kubernetes/schema.ts';
import { describeField, describeType } from './descriptions.ts';
import { enumOf } from './enums.ts';

/** A JSON Schema object of OpenAPI. */
export type Schema = Record<string, unknown>;
/** 2: Swagger, with `#/definitions/`; 3: OpenAPI 3.0, with `#/components/schemas/`. */
export type Flavour = 2 | 3;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const PLAIN: Partial<Readonly<Record<ScalarKind, Schema>>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
};

/** Scalars that have a definition of their own: name, and the schema in each flavour. */
const NAMED: Partial<Readonly<Record<ScalarKind, readonly [string, Schema, Schema?]>>> = {
  Quantity: ['io.k8s.apimachinery.pkg.api.resource.Quantity', { type: 'string' }, { oneOf: [{ type: 'string' }, { type: 'number' }] }],
  IntOrString: [
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    { type: 'string', format: 'int-or-string' },
    { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  ],
  Time: [`${META}Time`, { type: 'string', format: 'date-time' }],
  MicroTime: [`${META}MicroTime`, { type: 'string', format: 'date-time' }],
  Duration: [`${META}Duration`, { type: 'string' }],
  RawExtension: ['io.k8s.apimachinery.pkg.runtime.RawExtension', { type: 'object' }],
  FieldsV1: [`${META}FieldsV1`, { type: 'object' }],
  JSON: ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON', {}],
  JSONSchemaPropsOrBool: ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool', {}],
  JSONSchemaPropsOrArray: ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray', {}],
  JSONSchemaPropsOrStringArray: ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray', {}],
};

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Gathers definitions, with all that they refer to, from the schema table. */
export class SchemaCollector {
  readonly #flavour: Flavour;
  readonly #found = new Map<string, Schema>();

  constructor(flavour: Flavour) {
    this.#flavour = flavour;
  }

  ref(name: string): string {
    return `#/${this.#flavour === 2 ? 'definitions' : 'components/schemas'}/${name}`;
  }

  /** Takes in a type and what it refers to. `gvk` is put on a type that is a kind. */
  add(name: string, ...gvks: readonly GroupVersionKind[]): void {
    if (!this.#found.has(name)) this.#build(name);
    if (gvks.length === 0) return;
    const schema = this.#found.get(name)!;
    const known = (schema['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[];
    const fresh = gvks.filter((gvk) => !known.some((one) => one.group === gvk.group && one.version === gvk.version && one.kind === gvk.kind));
    schema['x-kubernetes-group-version-kind'] = [...known, ...fresh];
  }

  /** A list of a kind: the schema table has none, since all lists look alike. */
  addList(item: string, gvk: GroupVersionKind): string {
    const name = `${item}List`;
    if (this.#found.has(name)) return name;
    this.add(item);
    this.add(`${META}ListMeta`);
    this.#found.set(name, {
      type: 'object', required: ['items'],
      properties: {
        apiVersion: { type: 'string' },
        items: { type: 'array', items: this.#pointTo(item) },
        kind: { type: 'string' },
        metadata: this.#pointTo(`${META}ListMeta`),
      },
      'x-kubernetes-group-version-kind': [{ ...gvk, kind: `${gvk.kind}List` }],
    });
    return name;
  }

  addPlain(name: string, schema: Schema): void {
    this.#found.set(name, schema);
  }

  /** All, by name, sorted. */
  schemas(): Record<string, Schema> {
    return Object.fromEntries([...this.#found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #build(name: string): void {
    const { fields } = requireSchema(name);
    const text = describeType(name);
    const schema: Schema = { ...(text !== undefined && { description: text }), type: 'object' };
    this.#found.set(name, schema); // Before its fields: types may hold themselves.
    const all = [...fields.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const required = all.filter((field) => !field.optional && !field.omitEmpty).map((field) => field.name);
    if (required.length > 0) schema.required = required;
    const isKind = fields.has('apiVersion') && fields.has('kind') && fields.has('metadata');
    if (all.length > 0) {
      schema.properties = Object.fromEntries(
        all.map((field) => [field.name, this.#field(name, field, describeField(name, field.name, isKind))]),
      );
    }
  }

  #field(owner: string, field: FieldSchema, text: string | undefined): Schema {
    const schema: Schema = { ...(text !== undefined && { description: text }), ...this.#type(field.type) };
    const values = enumOf(owner, field.goType);
    if (values !== undefined && field.type.kind === 'string') schema.enum = values;
    if (values !== undefined && field.type.kind === 'list' && field.type.element.kind === 'string') {
      schema.items = { type: 'string', enum: values };
    }
    if (this.#flavour === 3 && field.type.kind === 'struct' && !field.pointer) schema.default = {};
    // Version 2 tells no defaults.
    if (field.default !== undefined && this.#flavour === 3) schema.default = field.default;
    if (field.type.kind === 'list') {
      if (field.list !== 'atomic' || !field.patchMerge) schema['x-kubernetes-list-type'] = field.list;
      if (field.listKeys.length > 0) schema['x-kubernetes-list-map-keys'] = field.listKeys;
    } else if (field.atomic) schema['x-kubernetes-map-type'] = 'atomic';
    if (field.mergeKey !== undefined) schema['x-kubernetes-patch-merge-key'] = field.mergeKey;
    const strategy = [...(field.patchMerge ? ['merge'] : []), ...(field.patchRetainKeys ? ['retainKeys'] : [])].join(',');
    if (strategy !== '') schema['x-kubernetes-patch-strategy'] = strategy;
    return schema;
  }

  #type(type: TypeRef): Schema {
    switch (type.kind) {
      case 'list': return { type: 'array', items: this.#type(type.element) };
      case 'map': return { type: 'object', additionalProperties: this.#type(type.value) };
      case 'struct': {
        this.add(type.name);
        return this.#pointTo(type.name);
      }
      default: {
        const named = NAMED[type.kind];
        if (named === undefined) return { ...PLAIN[type.kind] };
        const [name, two, three] = named;
        if (!this.#found.has(name)) this.#found.set(name, { ...(this.#flavour === 3 ? three ?? two : two) });
        return this.#pointTo(name);
      }
    }
  }

  /** In OpenAPI 3.0 nothing may stand beside a `$ref`. */
  #pointTo(name: string): Schema {
    return this.#flavour === 2 ? { $ref: this.ref(name) } : { allOf: [{ $ref: this.ref(name) }] };
  }
}
