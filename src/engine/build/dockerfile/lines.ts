import { DockerfileError } from './error.ts';

/** A heredoc (`<<EOF`) of an instruction. */
export interface Heredoc {
  readonly name: string;
  /** False for a quoted name: variables stay as they are. */
  readonly expand: boolean;
  readonly content: string;
}

/** One instruction as it stands in the file, its lines joined. */
export interface LogicalLine {
  readonly line: number;
  readonly endLine: number;
  /** Without comments, continued lines joined. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

export interface DockerfileLines {
  readonly escape: '\\' | '`';
  readonly syntax: string | undefined;
  readonly lines: readonly LogicalLine[];
}

/** The longest Dockerfile that is read. */
const MAX_BYTES = 2 << 20;
const HEREDOC = /^\d*<<(-?)(?:(["'])([^"'<\s]+)\2|([^"'<\s]+))$/;
const TAKES_HEREDOCS = /^\s*(?:ONBUILD\s+)?(?:ADD|COPY|RUN)\s/i;

/**
 * Splits a Dockerfile into instructions: parser directives, comments, continued lines, heredocs
 * (Dockerfile reference, "Format", "Parser directives" and "Here-Documents").
 * @throws DockerfileError
 */
export function splitLines(source: string): DockerfileLines {
  if (source.length > MAX_BYTES) throw new DockerfileError(`the file is larger than ${MAX_BYTES} bytes`, 1);
  const raw = source.replace(/^\uFEFF/, '').split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  const { escape, syntax } = directives(raw);
  const continued = escape === '\\' ? /\\[ \t]*$/ : /`[ \t]*$/;
  const lines: LogicalLine[] = [];
  for (let at = 0; at < raw.length; at++) {
    if (isComment(raw[at]!) || raw[at]!.trim() === '') continue;
    const line = at + 1;
    let text = '';
    let more = true;
    for (let first = true; more && at < raw.length; at++) {
      const piece = raw[at]!;
      if (!first && (isComment(piece) || piece.trim() === '')) continue;
      more = continued.test(piece);
      text += (first ? piece.trimStart() : piece).replace(more ? continued : /[ \t]+$/, '');
      first = false;
    }
    // One past its last line now.
    const heredocs: Heredoc[] = [];
    if (TAKES_HEREDOCS.test(text) && text.includes('<<')) {
      for (const { name, chomp, expand } of heredocsIn(text)) {
        const content: string[] = [];
        for (; ; at++) {
          if (at >= raw.length) throw new DockerfileError('unterminated heredoc', line, raw.length);
          const piece = chomp ? raw[at]!.replace(/^\t+/, '') : raw[at]!;
          if (piece === name) break;
          content.push(`${piece}\n`);
        }
        at++;
        heredocs.push({ name, expand, content: content.join('') });
      }
    }
    at--;
    lines.push({ line, endLine: at + 1, text: text.trim(), heredocs });
  }
  if (lines.length === 0) throw new DockerfileError('file with no instructions', 1);
  return { escape, syntax, lines };
}

/** `# key=value` lines before anything else. */
function directives(raw: readonly string[]): { escape: '\\' | '`'; syntax: string | undefined } {
  const found = new Map<string, string>();
  for (const [at, line] of raw.entries()) {
    const match = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line);
    if (!match) break;
    const key = match[1]!.toLowerCase();
    if (!['escape', 'syntax', 'check'].includes(key)) break;
    if (found.has(key)) throw new DockerfileError(`only one ${key} parser directive can be used`, at + 1);
    if (key === 'escape' && match[2] !== '\\' && match[2] !== '`') {
      throw new DockerfileError(`invalid escape token '${match[2]}' does not match \` or \\`, at + 1);
    }
    found.set(key, match[2]!);
  }
  return { escape: found.get('escape') === '`' ? '`' : '\\', syntax: found.get('syntax') };
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

/** Heredocs in the words of a line, in order; not within quotes. */
export function heredocsIn(text: string): { readonly name: string; readonly chomp: boolean; readonly expand: boolean; readonly word: string }[] {
  const out = [];
  for (const word of text.split(/\s+/)) {
    const match = HEREDOC.exec(word);
    if (match) out.push({ name: match[3] ?? match[4]!, chomp: match[1] === '-', expand: match[2] === undefined, word });
  }
  return out;
}
