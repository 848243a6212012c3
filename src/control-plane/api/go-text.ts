// How Go prints values, where errors of the API server hold such text.

type Json = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `%v` of a decoded JSON value: `map[a:1 b:[x y]]`. */
export function plainText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(plainText).join(' ')}]`;
  if (isMap(value)) return `map[${Object.keys(value).sort().map((key) => `${key}:${plainText(value[key])}`).join(' ')}]`;
  return scalarText(value);
}

/** `%#v` of a decoded JSON value: `map[string]interface {}{"a":1}`. */
export function literalText(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(literalText).join(', ')}}`;
  if (isMap(value)) {
    return `map[string]interface {}{${Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${literalText(value[key])}`)
      .join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : scalarText(value);
}

/** `%T` of a decoded JSON value. */
export function typeText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (isMap(value)) return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'bigint' ? 'int64' : typeof value === 'boolean' ? 'bool' : 'string';
}

function scalarText(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}
