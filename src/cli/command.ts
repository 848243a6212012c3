import type { Talk } from './output.ts';

/** What a command gets from the world. */
export interface CommandContext {
  readonly args: readonly string[];
  readonly talk: Talk;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Writes data to standard output. */
  readonly print: (text: string) => void;
}

/** One command a file. Resolves with the exit code. */
export interface CommandModule {
  run(context: CommandContext): Promise<number>;
}
