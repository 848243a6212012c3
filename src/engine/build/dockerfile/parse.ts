import { DockerfileError, isInstruction, suggestion } from './error.ts';
import type { InstructionName } from './error.ts';
import { checkFlags } from './flags.ts';
import { parseHealthcheck } from './healthcheck.ts';
import type { Command, CopyFlags, Dockerfile, Instruction, Position, Stage } from './instructions.ts';
import { heredocsIn, splitLines } from './lines.ts';
import type { Heredoc, LogicalLine } from './lines.ts';
import { jsonForm, splitWords, takeFlags } from './words.ts';

type Line = LogicalLine & { readonly escape: string };

/**
 * Reads a Dockerfile (Dockerfile reference, docs.docker.com). Nothing is expanded yet.
 * @throws DockerfileError, with the line
 */
export function parseDockerfile(source: string): Dockerfile {
  if (source === '') throw new DockerfileError('the Dockerfile cannot be empty', 1);
  const { escape, syntax, lines } = splitLines(source);
  const globals: { name: string; value: string | undefined; line: number }[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const each of lines) {
    const line = { ...each, escape };
    const { name, rest } = nameOf(line);
    if (name === 'FROM') {
      stages.push(parseFrom(line, rest, stages.length));
      continue;
    }
    const stage = stages.at(-1);
    if (!stage) {
      if (name !== 'ARG') throw new DockerfileError('no build stage in current context', line.line, line.endLine);
      for (const arg of parseArg(line, rest)) globals.push({ ...arg, line: line.line });
      continue;
    }
    stage.instructions.push(parseInstruction(line, name, rest));
  }
  if (stages.length === 0) throw new DockerfileError('no build stage in current context', lines.at(-1)!.line);
  return { escape, syntax, globals, stages };
}

/** One instruction of its own: an ONBUILD trigger, or a change of `docker commit`. @throws DockerfileError */
export function parseTrigger(text: string): Instruction {
  const { lines } = splitLines(text);
  const line = { ...lines[0]!, escape: '\\' };
  const { name, rest } = nameOf(line);
  return parseInstruction(line, name, rest);
}

function nameOf(line: Line): { name: InstructionName; rest: string } {
  const word = /^\S+/.exec(line.text)?.[0] ?? '';
  const name = word.toUpperCase();
  if (!isInstruction(name)) throw new DockerfileError(`unknown instruction: ${word}${suggestion(word)}`, line.line, line.endLine);
  return { name, rest: line.text.slice(word.length).trim() };
}

function parseFrom(line: Line, rest: string, index: number): Stage & { instructions: Instruction[] } {
  const { flags, rest: after } = takeFlags(rest, line.escape);
  const { platform } = checkFlags(line, flags, { platform: 'value' });
  const words = splitWords(after, line.escape);
  let name: string | undefined;
  if (words.length === 3 && words[1]!.toLowerCase() === 'as') {
    name = words[2]!.toLowerCase();
    if (!/^[a-z][a-z0-9-_.]*$/.test(name)) {
      throw new DockerfileError(
        `invalid name for build stage: ${JSON.stringify(words[2])}, name can't start with a number or contain symbols`,
        line.line,
      );
    }
  } else if (words.length !== 1) throw new DockerfileError('FROM requires either one or three arguments', line.line, line.endLine);
  return { ...positionOf(line), index, name, base: words[0]!, platform: platform?.at(-1), instructions: [] };
}

function parseInstruction(line: Line, name: InstructionName, rest: string): Instruction {
  const at = positionOf(line);
  const fail = (message: string): never => {
    throw new DockerfileError(message, line.line, line.endLine);
  };
  const noFlags = (): string => {
    const { flags, rest: after } = takeFlags(rest, line.escape);
    checkFlags(line, flags, {});
    return after;
  };
  const one = (): string => (rest === '' ? fail(`${name} requires exactly one argument`) : noFlags());
  switch (name) {
    case 'FROM':
      return fail('FROM is not allowed here');
    case 'ADD':
    case 'COPY':
      return { ...at, kind: name, ...parseCopy(line, name, rest) };
    case 'ARG':
      return { ...at, kind: 'ARG', names: parseArg(line, rest) };
    case 'CMD':
    case 'ENTRYPOINT':
      return { ...at, kind: name, command: commandOf(rest, true) };
    case 'ENV':
    case 'LABEL':
      return { ...at, kind: name, pairs: parsePairs(line, name, noFlags()) };
    case 'EXPOSE':
      return { ...at, kind: 'EXPOSE', ports: rest === '' ? fail('EXPOSE requires at least one argument') : splitWords(rest, line.escape) };
    case 'HEALTHCHECK':
      return { ...at, kind: 'HEALTHCHECK', health: parseHealthcheck(line, rest) };
    case 'MAINTAINER':
      return { ...at, kind: 'MAINTAINER', name: one() };
    case 'ONBUILD': {
      const trigger = /^\S+/.exec(rest)?.[0]?.toUpperCase() ?? '';
      if (trigger === '') fail('ONBUILD requires at least one argument');
      if (trigger === 'ONBUILD') fail("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
      if (trigger === 'FROM' || trigger === 'MAINTAINER') fail(`${trigger} isn't allowed as an ONBUILD trigger`);
      if (line.heredocs.length > 0) fail('ONBUILD with a heredoc is not supported');
      // Read now for its mistakes, kept as text.
      const inner = { ...line, text: rest };
      const found = nameOf(inner);
      parseInstruction(inner, found.name, found.rest);
      return { ...at, kind: 'ONBUILD', trigger: rest };
    }
    case 'RUN': {
      const { flags, rest: after } = takeFlags(rest, line.escape);
      const { mount = [], network, security } = checkFlags(line, flags, { mount: 'list', network: 'value', security: 'value', device: 'list' });
      const mode = network?.at(-1) ?? 'default';
      if (mode !== 'default' && mode !== 'none' && mode !== 'host') fail(`invalid network mode ${JSON.stringify(mode)}`);
      if (security !== undefined && security.at(-1) !== 'sandbox') fail(`security ${JSON.stringify(security.at(-1))} is not supported`);
      if (after === '') fail('RUN requires at least one argument');
      return { ...at, kind: 'RUN', command: commandOf(after, false), heredocs: line.heredocs, mounts: mount, network: mode as 'default' };
    }
    case 'SHELL': {
      const shell = jsonForm(rest);
      if (!shell) return fail('SHELL requires the arguments to be in JSON form');
      if (shell.length === 0) fail('SHELL requires at least one argument');
      return { ...at, kind: 'SHELL', shell };
    }
    case 'STOPSIGNAL':
    case 'USER':
    case 'WORKDIR':
      return { ...at, kind: name, value: one() };
    case 'VOLUME': {
      const paths = jsonForm(rest) ?? splitWords(noFlags(), line.escape);
      if (paths.length === 0) fail('VOLUME requires at least one argument');
      if (paths.includes('')) fail('VOLUME specified can not be an empty string');
      return { ...at, kind: 'VOLUME', paths };
    }
    default:
      return fail(`unknown instruction: ${String(name)}`);
  }
}

function parseArg(line: Line, rest: string): { name: string; value: string | undefined }[] {
  const words = splitWords(rest, line.escape);
  if (words.length === 0) throw new DockerfileError('ARG requires at least one argument', line.line);
  return words.map((word) => {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (name === '') throw new DockerfileError('ARG names can not be blank', line.line);
    return { name, value: equals < 0 ? undefined : word.slice(equals + 1) };
  });
}

function parsePairs(line: Line, name: string, rest: string): [string, string][] {
  const fail = (message: string): never => {
    throw new DockerfileError(message, line.line, line.endLine);
  };
  const words = splitWords(rest, line.escape);
  if (words.length === 0) fail(`${name} requires at least one argument`);
  if (!words[0]!.includes('=')) {
    // The old form: one key, and the rest of the line as its value.
    if (words.length < 2) fail(`${name} must have two arguments`);
    const key = words[0]!;
    return [[key, rest.slice(rest.indexOf(key) + key.length).trim()]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) fail(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (equals === 0) fail(`${name} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function parseCopy(line: Line, name: 'ADD' | 'COPY', rest: string): { flags: CopyFlags; sources: string[]; heredocs: Heredoc[]; destination: string } {
  const { flags: given, rest: after } = takeFlags(rest, line.escape);
  const { from, chown, chmod, link, parents, exclude = [], checksum, 'keep-git-dir': keep, unpack } = checkFlags(
    line,
    given,
    name === 'COPY'
      ? { from: 'value', chown: 'value', chmod: 'value', link: 'boolean', parents: 'boolean', exclude: 'list' }
      : {
          chown: 'value',
          chmod: 'value',
          link: 'boolean',
          exclude: 'list',
          checksum: 'value',
          'keep-git-dir': 'boolean',
          unpack: 'boolean',
        },
  );
  const words = jsonForm(after) ?? splitWords(after, line.escape);
  if (words.length < 2) {
    throw new DockerfileError(
      words.length === 0
        ? `${name} requires at least two arguments`
        : `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
      line.line,
      line.endLine,
    );
  }
  const destination = words.pop()!;
  if (heredocsIn(destination).length > 0) throw new DockerfileError(`${name} cannot accept a heredoc as a destination`, line.line);
  const isTrue = (value: readonly string[] | undefined): boolean => value?.at(-1) === 'true';
  const value = (list: readonly string[] | undefined): string | undefined => list?.at(-1);
  const flags: CopyFlags = {
    ...(value(from) === undefined ? {} : { from: value(from)! }),
    ...(value(chown) === undefined ? {} : { chown: value(chown)! }),
    ...(value(chmod) === undefined ? {} : { chmod: value(chmod)! }),
    ...(value(checksum) === undefined ? {} : { checksum: value(checksum)! }),
    ...(unpack === undefined ? {} : { unpack: isTrue(unpack) }),
    link: isTrue(link),
    parents: isTrue(parents),
    keepGitDir: isTrue(keep),
    exclude,
  };
  return { flags, sources: words.filter((word) => heredocsIn(word).length === 0), heredocs: [...line.heredocs], destination };
}

/** @param bare whether no words at all are an empty list (CMD) */
function commandOf(rest: string, bare: boolean): Command {
  const args = jsonForm(rest);
  if (args && (args.length > 0 || bare)) return { form: 'exec', args };
  return rest === '' && bare ? { form: 'exec', args: [] } : { form: 'shell', line: rest };
}

function positionOf(line: Line): Position {
  return { line: line.line, endLine: line.endLine, text: line.text };
}
