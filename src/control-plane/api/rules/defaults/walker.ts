import { type FieldSchema, requireSchema, type TypeRef, type TypeSchema } from '../../../../types/kubernetes/schema.ts';

/** An object while it is being completed: a private copy. */
export type Draft = Record<string, unknown>;

/** Fills in what is missing of one type, in place. */
export type Defaulter = (object: Draft) => void;

type Walk = ((value: unknown) => void) | undefined;

/**
 * Applies defaults to a whole object. What to fill in is said per type (a table of defaulters, and the `default` of the schema's
 * fields); this class makes, once per type, a walk that visits only those fields below which there is something to do. A type's own
 * defaulter runs before those of what it holds.
 */
export class DefaultsWalker {
  readonly #defaulters: Readonly<Record<string, Defaulter>>;
  readonly #resourceList: Defaulter;
  readonly #walks = new Map<string, { walk: Walk }>();

  /**
   * @param defaulters by the type's name without its prefix, as in `core.v1.Container`
   * @param resourceList runs on maps of quantities by resource name
   */
  constructor(defaulters: Readonly<Record<string, Defaulter>>, resourceList: Defaulter) {
    this.#defaulters = defaulters;
    this.#resourceList = resourceList;
  }

  /** @param schema OpenAPI name of the type */
  apply(schema: string, object: Draft): void {
    this.#struct(schema).walk?.(object);
  }

  #struct(name: string): { walk: Walk } {
    const known = this.#walks.get(name);
    if (known !== undefined) return known;
    // Taken before the fields are looked at: JSONSchemaProps, which refers to itself, has nothing to do.
    const entry: { walk: Walk } = { walk: undefined };
    this.#walks.set(name, entry);
    entry.walk = this.#compile(requireSchema(name));
    return entry;
  }

  #compile(schema: TypeSchema): Walk {
    const own = this.#own(schema);
    const below: { readonly name: string; readonly walk: (value: unknown) => void }[] = [];
    const fill: { readonly name: string; readonly value: unknown }[] = [];
    for (const field of schema.fields.values()) {
      const walk = this.#field(field);
      if (walk !== undefined) below.push({ name: field.name, walk });
      if (field.default !== undefined && (field.pointer || (field.default !== '' && field.default !== 0))) {
        fill.push({ name: field.name, value: field.default });
      }
    }
    if (own.length === 0 && below.length === 0 && fill.length === 0) return undefined;
    return (value) => {
      const object = value as Draft;
      for (const defaulter of own) defaulter(object);
      for (const { name, value: fallback } of fill) if (object[name] === undefined || object[name] === '') object[name] = fallback;
      for (const { name, walk } of below) {
        const item = object[name];
        if (item !== undefined && item !== null) walk(item);
      }
    };
  }

  /** The type's own defaulter, and those of structs that are embedded in it. */
  #own(schema: TypeSchema): Defaulter[] {
    const found: Defaulter[] = [];
    const own = this.#defaulters[tableKey(schema.name)];
    if (own !== undefined) found.push(own);
    for (const member of schema.members) {
      if (member.name === '' && member.type.kind === 'struct') {
        found.push(...this.#own(member.type.schema));
      }
    }
    return found;
  }

  #field(field: FieldSchema): Walk {
    if (field.goType === 'v1.ResourceList') return this.#resourceList as (value: unknown) => void;
    return this.#type(field.type);
  }

  #type(type: TypeRef): Walk {
    switch (type.kind) {
      case 'struct': return this.#struct(type.name).walk;
      case 'list': {
        const walk = this.#type(type.element);
        return walk && ((list) => { for (const item of list as unknown[]) walk(item); });
      }
      case 'map': {
        const walk = this.#type(type.value);
        return walk && ((map) => { for (const item of Object.values(map as Draft)) walk(item); });
      }
      default: return undefined;
    }
  }
}

/** `io.k8s.api.core.v1.Pod` as `core.v1.Pod`. */
function tableKey(name: string): string {
  return name.split('.').slice(-3).join('.');
}
