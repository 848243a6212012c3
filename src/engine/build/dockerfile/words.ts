/**
 * Splits text at spaces, quotes and escapes left in place: `a="b c"` is one word.
 * @param escape the Dockerfile's escape character
 */
export function splitWords(text: string, escape: string): string[] {
  const out: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === '' && /\s/.test(char)) {
      if (word !== '') out.push(word);
      word = '';
      continue;
    }
    word += char;
    if (char === escape && quote !== "'" && at + 1 < text.length) word += text[++at]!;
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
  }
  if (word !== '') out.push(word);
  return out;
}

/** The flags (`--name=value`) that an instruction's arguments begin with, and what follows. */
export function takeFlags(text: string, escape: string): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let rest = text.trimStart();
  while (rest.startsWith('--')) {
    const [word = ''] = splitWords(rest, escape);
    // Found again in the text, which has kept its form.
    rest = rest.slice(word.length).trimStart();
    if (word === '--') break;
    flags.push(unquote(word));
  }
  return { flags, rest };
}

/** A list in JSON form; undefined for the shell form. */
export function jsonForm(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  try {
    const parsed = JSON.parse(text) as unknown;
    return Array.isArray(parsed) && parsed.every((item) => typeof item === 'string') ? parsed : undefined;
  } catch {
    // Then it is a command that begins with a bracket.
    return undefined;
  }
}

function unquote(word: string): string {
  return word.replaceAll(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
    (_, double: string | undefined, single: string | undefined) => single ?? double?.replaceAll(/\\(["\\$])/g, '$1') ?? '',
  );
}
