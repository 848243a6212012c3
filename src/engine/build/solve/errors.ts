import { LongshoreError } from '../../../lib/errors.ts';

/** A command of a RUN that ended with another code than 0. */
export class CommandError extends LongshoreError {
  readonly command: string;
  readonly exitCode: number;

  constructor(command: string, exitCode: number) {
    super('invalid', `process ${JSON.stringify(command)} did not complete successfully: exit code: ${exitCode}`);
    this.name = 'CommandError';
    this.command = command;
    this.exitCode = exitCode;
  }
}

/** Where in the Dockerfile a step stands whose work failed: kept beside the error, which says what. */
const places = new WeakMap<Error, { readonly line: number; readonly endLine: number }>();

export function placeError(error: unknown, line: number, endLine: number): unknown {
  if (error instanceof Error && !places.has(error)) places.set(error, { line, endLine });
  return error;
}

export function placeOf(error: unknown): { readonly line: number; readonly endLine: number } | undefined {
  return error instanceof Error ? places.get(error) : undefined;
}
