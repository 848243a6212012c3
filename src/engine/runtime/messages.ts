import { LongshoreError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';

/**
 * The last error in what an OCI runtime wrote to its standard error: logrus text lines
 * (`time="…" level=error msg="…"`), JSON lines, or plain text.
 */
function runtimeMessage(output: string): string {
  const lines = output.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  for (const line of lines.toReversed()) {
    if (/\blevel="?(error|fatal)/.test(line)) {
      const quoted = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line);
      if (quoted !== null) return unquote(quoted[1]!);
      const plain = /\bmsg=(\S+)/.exec(line);
      if (plain !== null) return plain[1]!;
    }
    if (line.startsWith('{') && line.includes('"msg"')) {
      const parsed = parse(line);
      if (parsed !== undefined) return parsed;
    }
  }
  return lines.join('; ') || 'the runtime gave no reason';
}

function parse(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { msg?: unknown };
    return typeof entry.msg === 'string' ? entry.msg : undefined;
  } catch {
    return undefined; // not one of its log lines: shown as it is
  }
}

function unquote(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (whole, escape: string) => {
    if (escape.length > 1) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return ({ n: '\n', t: '\t', r: '\r' } as Record<string, string>)[escape] ?? (escape === '"' || escape === '\\' ? escape : whole);
  });
}

/** What the command line of docker looks for to tell exit codes 126 and 127 apart from 125. */
const NOT_FOUND = /executable file not found|no such file or directory/;
const NOT_ALLOWED = /permission denied|is a directory/;

/** The exit code that shells give to a program that could not be started: 127 not found, 126 not executable, else 128. */
export function startFailureCode(message: string): number {
  if (NOT_FOUND.test(message)) return 127;
  if (NOT_ALLOWED.test(message)) return 126;
  return 128;
}

/** A runtime's failure as users of Docker know it: `failed to create task for container: … OCI runtime create failed: runc create failed: …: unknown`. */
export function createFailure(id: string, output: string): LongshoreError {
  const message = runtimeMessage(output);
  return failure(id, `failed to create task for container: failed to create shim task: OCI runtime create failed: ${message}: unknown`, message);
}

/** The same for a process in a running container. */
export function execFailure(id: string, output: string): LongshoreError {
  const message = runtimeMessage(output);
  return failure(id, `OCI runtime exec failed: ${message}: unknown`, message);
}

function failure(id: string, text: string, message: string): LongshoreError {
  const code: ErrorCode = startFailureCode(message) === 128 ? 'internal' : 'invalid';
  const remedy = limitRemedy(message);
  return new LongshoreError(code, text, { object: `container ${id.slice(0, 12)}`, ...(remedy === undefined ? {} : { remedy }) });
}

function limitRemedy(message: string): string | undefined {
  if (/can't get final child's PID from pipe/.test(message)) return 'Leave out --oom-score-adj: this machine does not allow a lower one.';
  if (/rlimit|RLIMIT/.test(message)) return 'Ask for a lower --ulimit: the hard limit of this machine can not be raised.';
  return undefined;
}
