import type { CommandContext } from './command.ts';

/** Data in the forms in which it can be printed. */
export interface Data {
  readonly value: unknown;
  /** One a line. */
  readonly names: readonly string[];
  /** For people. */
  readonly text: string;
}

/** Prints data in the form that -o asks for. */
export async function printData({ print }: Pick<CommandContext, 'print'>, format: string | undefined, { value, names, text }: Data): Promise<void> {
  if (format === 'json') print(JSON.stringify(value, undefined, 2) + '\n');
  else if (format === 'yaml') {
    const { stringify } = await import('yaml');
    print(stringify(value, { aliasDuplicateObjects: false }));
  } else if (format === 'name') print(names.map((name) => `${name}\n`).join(''));
  else print(text);
}

/** Rows beneath headings, in columns. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ').trimEnd()}\n`).join('');
}

/** Bytes for people: `1.5 GiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [n, unit] = [count, 0];
  while (n >= 1024 && unit < units.length - 1) [n, unit] = [n / 1024, unit + 1];
  return `${unit === 0 ? n : n.toFixed(1)} ${units[unit]}`;
}
