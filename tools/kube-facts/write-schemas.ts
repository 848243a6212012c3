import { type Facts, type FieldFacts, shortName } from './facts.ts';

const CODES: Readonly<Record<string, string>> = {
  string: 's', bool: 'b', int32: 'i', int64: 'l', float64: 'f', bytes: 'y', Quantity: 'q', IntOrString: 'o', Time: 't', MicroTime: 'u', Duration: 'd',
  RawExtension: 'r', FieldsV1: 'F', JSON: 'j', JSONSchemaPropsOrBool: 'B', JSONSchemaPropsOrArray: 'A', JSONSchemaPropsOrStringArray: 'S',
};

/** The schema table: one string a type; schema.ts beside it describes and decodes the format. */
export function writeSchemas(facts: Facts): string {
  const lines = facts.types.map((t) => {
    const own = shortName(t.name).replace(/\.[^.]+$/, '');
    const fields = t.fields.map((f) => field(f, own)).join(';');
    return `  '${shortName(t.name)}': '${t.atomic === true ? '!' : ''}${fields}',\n`;
  });
  return `export const SCHEMAS: Readonly<Record<string, string>> = {\n${lines.join('')}};\n`;
}

function field(f: FieldFacts, own: string): string {
  const flags = [
    f.pointer === true ? 'p' : '', f.omitEmpty === true ? 'e' : '', f.optional === true ? 'o' : '', f.atomic === true ? 'a' : '',
    f.list === 'set' ? 'S' : '', f.patch?.includes('merge') === true ? 'm' : '', f.patch?.includes('retainKeys') === true ? 'k' : '',
  ].join('');
  const extras = [
    f.keys === undefined || f.keys.length === 0 ? '' : ` K${f.keys.join(',')}`,
    f.mergeKey === undefined || f.mergeKey === '' ? '' : ` G${f.mergeKey}`,
    f.default === undefined ? '' : ` D${f.default}`,
    f.goType === undefined ? '' : ` T${f.goType}`,
  ].join('');
  return `${f.name} ${f.number ?? 0} ${type(f.type, own)}${flags === '' && extras === '' ? '' : ` ${flags}`}${extras}`;
}

function type(code: string, own: string): string {
  if (code.startsWith('[]')) return `[${type(code.slice(2), own)}`;
  if (code.startsWith('items[]')) return `<${type(code.slice(7), own)}`;
  if (code.startsWith('map[]')) return `{${type(code.slice(5), own)}`;
  if (code.startsWith('@')) {
    const name = shortName(code.slice(1));
    return `@${name.startsWith(`${own}.`) ? name.slice(own.length + 1) : name}`;
  }
  const short = CODES[code];
  if (short === undefined) throw new Error(`no code for the type ${code}`);
  return short;
}
