import { LongshoreError } from '../../../lib/errors.ts';

/** A mistake in a Dockerfile, with the lines that it is on. */
export class DockerfileError extends LongshoreError {
  readonly line: number;
  readonly endLine: number;

  constructor(message: string, line: number, endLine = line) {
    super('invalid', `dockerfile parse error on line ${line}: ${message}`, { object: `Dockerfile:${line}` });
    this.name = 'DockerfileError';
    this.line = line;
    this.endLine = endLine;
  }
}

const INSTRUCTIONS = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const;
export type InstructionName = (typeof INSTRUCTIONS)[number];

export function isInstruction(word: string): word is InstructionName {
  return (INSTRUCTIONS as readonly string[]).includes(word);
}

/** ` (did you mean RUN?)`, when one is near enough. */
export function suggestion(word: string, known: readonly string[] = INSTRUCTIONS): string {
  const upper = word.toUpperCase();
  let best: string | undefined;
  let least = 3;
  for (const candidate of known) {
    const distance = editDistance(upper.slice(0, 40), candidate.toUpperCase());
    if (distance < least && distance < candidate.length) {
      least = distance;
      best = candidate;
    }
  }
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
