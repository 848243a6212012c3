import { type FieldFacts, type Facts, place, type TypeFacts } from './facts.ts';

/** Types of meta/v1 that are written by hand, and where. */
const BY_HAND: Readonly<Record<string, string>> = {
  ObjectMeta: '../meta.ts', OwnerReference: '../meta.ts', ManagedFieldsEntry: '../meta.ts', ListMeta: '../meta.ts',
  Status: '../status.ts', StatusDetails: '../status.ts', StatusCause: '../status.ts', TypeMeta: '',
};

const SCALARS: Readonly<Record<string, string>> = {
  string: 'string', bool: 'boolean', int32: 'number', int64: 'number', float64: 'number', bytes: 'string', Quantity: 'Quantity', IntOrString: 'IntOrString',
  Time: 'Time', MicroTime: 'Time', Duration: 'Duration', FieldsV1: 'unknown', RawExtension: 'unknown', JSON: 'unknown',
};

/** One file of interfaces for each group-version. */
export function writeInterfaces(facts: Facts): [string, string][] {
  const byFile = new Map<string, TypeFacts[]>();
  for (const type of facts.types) {
    const { file } = place(type.name);
    byFile.set(file, [...(byFile.get(file) ?? []), type]);
  }
  const kinds = new Set(facts.kinds.map((k) => k.type));
  return [...byFile].map(([file, types]) => [`${file}.ts`, new FileWriter(file, types, kinds, facts).text()]);
}

class FileWriter {
  readonly #file: string;
  readonly #types: readonly TypeFacts[];
  readonly #kinds: ReadonlySet<string>;
  readonly #facts: Facts;
  readonly #imports = new Map<string, Set<string>>();
  readonly #local: ReadonlySet<string>;

  constructor(file: string, types: readonly TypeFacts[], kinds: ReadonlySet<string>, facts: Facts) {
    this.#file = file;
    this.#types = types;
    this.#kinds = kinds;
    this.#facts = facts;
    this.#local = new Set(types.map((t) => place(t.name).type));
  }

  text(): string {
    const meta = this.#file === 'meta-v1';
    const body = this.#types
      .filter((t) => !(meta && place(t.name).type in BY_HAND))
      .map((t) => this.#interface(t))
      .join('\n');
    const imports = [...this.#imports]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([from, names]) => `import type { ${[...names].sort().join(', ')} } from '${from}';\n`)
      .join('');
    const again = meta
      ? ['../meta.ts', '../status.ts']
          .map(
            (from) =>
              `export type { ${Object.keys(BY_HAND)
                .filter((n) => BY_HAND[n] === from)
                .sort()
                .join(', ')} } from '${from}';\n`,
          )
          .join('')
      : '';
    return `${imports}${again}\n${body}`;
  }

  #interface(type: TypeFacts): string {
    const { type: name } = place(type.name);
    const kind = this.#kinds.has(type.name);
    if (kind) this.#import('../meta.ts', 'KubeObject');
    const lines = this.#flat(type)
      .filter((f) => !(kind && ['metadata', 'kind', 'apiVersion'].includes(f.name)))
      .map(
        (f) =>
          `  readonly ${/^\w+$/.test(f.name) ? f.name : `'${f.name}'`}${f.omitEmpty === true || f.pointer === true ? '?' : ''}: ${this.#type(f.type)};\n`,
      );
    return `export interface ${name}${kind ? ' extends KubeObject' : ''} {\n${lines.join('')}}\n`;
  }

  #flat(type: TypeFacts): FieldFacts[] {
    return type.fields.flatMap((f) => {
      if (f.name !== '') return [f];
      const inner = this.#facts.types.find((t) => t.name === f.type.slice(1))!;
      return place(inner.name).type === 'TypeMeta' && this.#kinds.has(type.name) ? [] : this.#flat(inner);
    });
  }

  #type(code: string): string {
    if (code.startsWith('[]')) return this.#list(code.slice(2));
    if (code.startsWith('items[]')) return this.#list(code.slice(7));
    if (code.startsWith('map[]')) return `Readonly<Record<string, ${this.#type(code.slice(5))}>>`;
    if (code.startsWith('@')) return this.#ref(code.slice(1));
    if (code === 'JSONSchemaPropsOrBool') return 'JSONSchemaProps | boolean';
    if (code === 'JSONSchemaPropsOrArray') return 'JSONSchemaProps | readonly JSONSchemaProps[]';
    if (code === 'JSONSchemaPropsOrStringArray') return 'JSONSchemaProps | readonly string[]';
    const scalar = SCALARS[code];
    if (scalar === undefined) throw new Error(`no TypeScript type for ${code}`);
    if (/^[A-Z]/.test(scalar)) this.#import('../scalars.ts', scalar);
    return scalar;
  }

  #list(element: string): string {
    const type = this.#type(element);
    return /[ |]/.test(type) && !type.startsWith('Readonly<') ? `readonly (${type})[]` : `readonly ${type}[]`;
  }

  #ref(name: string): string {
    const { file, type } = place(name);
    if (file === this.#file) {
      if (file === 'meta-v1' && type in BY_HAND) this.#import(BY_HAND[type]!, type);
      return type;
    }
    if (file === 'meta-v1' && BY_HAND[type] !== undefined && BY_HAND[type] !== '') return this.#import(BY_HAND[type], type);
    const group = file.split('-')[0]!;
    if (!this.#local.has(type)) return this.#import(`./${file}.ts`, type);
    const alias = group[0]!.toUpperCase() + group.slice(1) + type;
    this.#import(`./${file}.ts`, `${type} as ${alias}`);
    return alias;
  }

  #import(from: string, name: string): string {
    this.#imports.set(from, (this.#imports.get(from) ?? new Set()).add(name));
    return name;
  }
}
