/**
 * Reads JSON and keeps what a double would lose: an integer beyond 2^53
 * becomes `<integer DIGITS>`.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, keepInteger) as unknown;
}

function keepInteger(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined || !/^-?\d+$/.test(context.source)) {
    return value;
  }
  return `<integer ${context.source}>`;
}
