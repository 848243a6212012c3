/**
 * Reads a .dockerignore: patterns a line, `#` comments, `!` brings back what an
 * earlier pattern excluded, the last match counts; `**` spans folders. A pattern that matches a folder covers what lies in it.
 * @returns whether a path (relative, forward slashes) stays out of the context
 */
export function dockerIgnore(text: string): (path: string) => boolean {
  const rules = ignorePatterns(text).map((pattern) =>
    pattern.startsWith('!') ? { negated: true, test: compile(pattern.slice(1)) } : { negated: false, test: compile(pattern) },
  );
  return (path) => {
    let excluded = false;
    for (const { negated, test } of rules) if (excluded === negated && test(path)) excluded = !negated;
    return excluded;
  };
}

/** The patterns of a .dockerignore, cleaned; `!` before those that bring back. */
export function ignorePatterns(text: string): string[] {
  return text.replace(/^\uFEFF/, '').split('\n').flatMap((line) => {
    const trimmed = line.trim();
    if (trimmed === '' || line.startsWith('#')) return [];
    const negated = trimmed.startsWith('!');
    const pattern = clean(negated ? trimmed.slice(1).trim() : trimmed);
    return pattern === '' ? [] : [negated ? `!${pattern}` : pattern];
  });
}

/** As Go's filepath.Clean on a path beneath the context: no leading or trailing slash, no `.`, `..` resolved. */
function clean(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** Matches the path itself or any folder above it. Folder by folder, without backtracking over the whole. */
function compile(pattern: string): (path: string) => boolean {
  const wanted = pattern.split('/').map((part) => (part === '**' ? '**' : segment(part)));
  return (path) => {
    const parts = path.split('/');
    // States: how many parts of the pattern have been matched.
    let states = new Set(skip(wanted, 0));
    for (const part of parts) {
      if (states.has(wanted.length)) return true;
      const next = new Set<number>();
      for (const at of states) {
        const part1 = wanted[at];
        if (part1 === undefined) continue;
        if (part1 === '**') next.add(at);
        else if (part1.test(part)) for (const to of skip(wanted, at + 1)) next.add(to);
        if (part1 === '**') for (const to of skip(wanted, at + 1)) next.add(to);
      }
      states = next;
    }
    return states.has(wanted.length);
  };
}

/** `**` may stand for nothing: where a pattern can go on from `at`. */
function* skip(wanted: readonly (RegExp | '**')[], at: number): Generator<number> {
  yield at;
  while (wanted[at] === '**') yield ++at;
}

/** One part of a path as an expression: `*`, `?`, `[…]`, `\` escapes; `**` inside of a part counts as `*`. */
function segment(part: string): RegExp {
  let source = '';
  for (let at = 0; at < part.length; at++) {
    const char = part[at]!;
    if (char === '*') {
      while (part[at + 1] === '*') at++;
      source += '[^/]*';
    } else if (char === '?') source += '[^/]';
    else if (char === '[' && part.indexOf(']', at + 1) > at) {
      const end = part.indexOf(']', at + 1);
      source += `[${part.slice(at + 1, end).replaceAll('\\', '\\\\').replace(/^!/, '^')}]`;
      at = end;
    } else if (char === '\\' && at + 1 < part.length) source += escape(part[++at]!);
    else source += escape(char);
  }
  return new RegExp(`^${source}$`, 's');
}

function escape(char: string): string {
  return char.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
