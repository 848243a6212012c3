import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { homeAt, type Home } from '../app/home.ts';
import { LongshoreError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { EXIT_CODES } from './exit-codes.ts';
import type { Talk } from './output.ts';

/** What a command gets from the world. */
export interface CommandContext {
  readonly talk: Talk;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Writes data to standard output. */
  readonly print: (text: string) => void;
  /** Asks a yes-or-no question on the terminal; undefined without one. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
  /** What aborts when the user interrupts, from now on. */
  readonly interruption: () => AbortSignal;
}

/** The same, and the instance that the command is about. */
export interface InstanceContext extends CommandContext {
  readonly home: Home;
}

export interface Flag {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** What stands for the value in help. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly describe: string;
}

export type Flags = Readonly<Record<string, Flag>>;
/** What was given, by the flags' names. */
export type Values<F extends Flags> = { readonly [K in keyof F]?: F[K]['type'] extends 'boolean' ? boolean : string };

export interface Spec<F extends Flags = Flags> {
  /** A paragraph for `longshore help COMMAND`. */
  readonly about: string;
  /** How words that are no flags are shown in help, as `[DIR…]`; without it there are none. */
  readonly words?: string;
  readonly mostWords?: number;
  readonly flags: F;
}

/** One command a file. */
export interface CommandModule {
  readonly spec: Spec;
  /** Resolves with the exit code. @throws UsageError */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}

/** The command line is wrong: exit code 2. */
export class UsageError extends LongshoreError {
  constructor(message: string, remedy?: string) {
    super('invalid', message, remedy === undefined ? {} : { remedy });
  }
}

/** Flags of every command. */
const COMMON: Flags = {
  home: { type: 'string', value: 'DIR', describe: "the instance's folder (default: LONGSHORE_HOME, else /var/lib/longshore)" },
  help: { type: 'boolean', short: 'h', describe: 'show this' },
};

export const FORMATS = ['json', 'yaml', 'name'] as const;
export const OUTPUT = {
  type: 'string',
  short: 'o',
  value: 'FORMAT',
  choices: FORMATS,
  describe: 'print data as json, yaml, or names alone',
} as const satisfies Flag;
export const NAMESPACE = {
  type: 'string',
  short: 'n',
  value: 'NAMESPACE',
  describe: 'namespace of the objects (default: default)',
} as const satisfies Flag;

/** Makes a command of its description and its work. */
export function command<const F extends Flags>(
  spec: Spec<F>,
  work: (context: InstanceContext, values: Values<F>, words: readonly string[]) => Promise<number>,
): CommandModule {
  return {
    spec,
    run(args, context) {
      const { values, words } = parse(spec, args);
      return work({ ...context, home: homeAt((values.home as string | undefined) ?? context.environment.LONGSHORE_HOME) }, values as Values<F>, words);
    },
  };
}

function parse(spec: Spec, args: readonly string[]): { readonly values: Readonly<Record<string, string | boolean>>; readonly words: readonly string[] } {
  const flags: Flags = { ...spec.flags, ...COMMON };
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(flags).map(([name, { type, short }]) => [name, { type, ...(short !== undefined && { short }) }]),
  );
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true });
  const values: Record<string, string | boolean> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = flags[token.name];
    if (flag === undefined) throw new UsageError(`there is no flag ${token.rawName}`, didYouMean(token.name, Object.keys(flags)));
    if (flag.type === 'boolean' && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    if (flag.type === 'string' && (token.value === undefined || (!token.inlineValue && /^--?[a-z]/i.test(token.value)))) {
      throw new UsageError(`${token.rawName} wants a value: ${token.rawName} ${flag.value ?? 'VALUE'}`);
    }
    if (flag.choices && !flag.choices.includes(token.value!)) {
      throw new UsageError(
        `${token.rawName} ${token.value} is none of ${flag.choices.join(', ')}`,
        didYouMean(token.value!, flag.choices, ''),
      );
    }
    values[token.name] = token.value ?? true;
  }
  const most = spec.words === undefined ? 0 : (spec.mostWords ?? Number.POSITIVE_INFINITY);
  if (words.length > most) {
    throw new UsageError(most === 0 ? `"${words[0]}" is too much: this command takes flags alone` : `"${words[most]}" is too much`);
  }
  return { values, words };
}

function didYouMean(typed: string, words: readonly string[], dashes = '--'): string | undefined {
  const meant = nearest(typed, words);
  return meant === undefined ? undefined : `Did you mean ${dashes}${meant}?`;
}

/** What `longshore NAME --help` prints. */
export function helpOf(name: string, { about, flags, words }: Spec): string {
  const rows = Object.entries({ ...flags, ...COMMON }).map(
    ([flag, { short, type, value, describe }]) =>
      [`${short === undefined ? '    ' : `-${short}, `}--${flag}${type === 'string' ? ` ${value ?? 'VALUE'}` : ''}`, describe] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const codes = Object.values(EXIT_CODES).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return `${about}\n\nUsage: longshore ${name} [FLAGS]${words === undefined ? '' : ` ${words}`}\n\nFlags:\n${rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')}\n\nExit codes:\n${codes.join('\n')}\n`;
}
