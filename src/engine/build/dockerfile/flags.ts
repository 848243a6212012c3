import { DockerfileError, suggestion } from './error.ts';

type FlagKind = 'value' | 'boolean' | 'list';

/**
 * Sorts an instruction's flags by name.
 * @throws DockerfileError for an unknown, doubled or malformed one
 */
export function checkFlags(
  line: { readonly line: number; readonly endLine: number },
  flags: readonly string[],
  known: Readonly<Record<string, FlagKind>>,
): Readonly<Record<string, readonly string[] | undefined>> {
  const found: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  const fail = (message: string): never => {
    throw new DockerfileError(message, line.line, line.endLine);
  };
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const name = flag.slice(2, equals < 0 ? undefined : equals);
    if (!Object.hasOwn(known, name)) fail(`unknown flag: --${name}${suggestion(name, Object.keys(known))}`);
    const kind = known[name]!;
    let value = equals < 0 ? undefined : flag.slice(equals + 1);
    if (kind === 'boolean') {
      value = value?.toLowerCase() ?? 'true';
      if (value !== 'true' && value !== 'false') fail(`expecting boolean value for flag --${name}, not: ${value}`);
    } else if (value === undefined) fail(`missing a value on flag: --${name}`);
    if (found[name] && kind !== 'list') fail(`duplicate flag specified: --${name}`);
    (found[name] ??= []).push(value!);
  }
  return found;
}
