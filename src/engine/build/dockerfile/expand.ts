/** Looks a variable up; undefined when it isn't set. */
export type Lookup = (name: string) => string | undefined;

/** A mistake in a word; the caller knows the line. */
export class WordError extends Error {}

/** How long a word may grow by expansion. */
const MAX_LENGTH = 1 << 20;

/**
 * One word as a shell would make it: quotes taken away, `$name`, `${name}` and the modifiers
 * `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//` applied, escapes honoured. It stays one word, spaces and all.
 * @throws WordError
 */
export function expandWord(word: string, lookup: Lookup, escape = '\\'): string {
  const reader = new Reader(word, lookup, escape);
  return reader.until('');
}

/** As expandWord, then split at spaces that were not quoted. */
export function expandWords(text: string, lookup: Lookup, escape = '\\'): string[] {
  const reader = new Reader(text, lookup, escape);
  reader.until('');
  return reader.words();
}

/** The variables of a heredoc's text: quotes are text there, and an escape only keeps a variable from being one. */
export function expandHeredoc(text: string, lookup: Lookup, escape = '\\'): string {
  return new Reader(text, lookup, escape, true).until('');
}

class Reader {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escape: string;
  readonly #raw: boolean;
  #at = 0;
  #depth = 0;
  #words: string[] = [];
  #word: string | undefined;

  constructor(text: string, lookup: Lookup, escape: string, raw = false) {
    this.#raw = raw;
    this.#text = text;
    this.#lookup = lookup;
    this.#escape = escape;
  }

  words(): string[] {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
    return this.#words;
  }

  /** Up to a closing character ('' for the end), which is taken. */
  until(stop: string): string {
    const top = this.#depth++ === 0;
    let out = '';
    const add = (piece: string, quoted: boolean): void => {
      out += piece;
      if (out.length > MAX_LENGTH) throw new WordError('a word is too long after its variables were expanded');
      if (!top) return;
      if (quoted) this.#word = (this.#word ?? '') + piece;
      else
        for (const [n, part] of piece.split(/[ \t\n]+/).entries()) {
          if (n > 0) this.words();
          if (part !== '') this.#word = (this.#word ?? '') + part;
        }
    };
    for (;;) {
      if (this.#at >= this.#text.length) {
        if (stop !== '') {
          throw new WordError(`unexpected end of statement while looking for matching ${stop === '}' ? 'closing brace' : stop}`);
        }
        this.#depth--;
        return out;
      }
      const char = this.#text[this.#at]!;
      if (char === stop) {
        this.#at++;
        this.#depth--;
        return out;
      }
      if (this.#raw && top && char !== '$') {
        const escaped = char === this.#escape && this.#text[this.#at + 1] === '$';
        out += escaped ? '$' : char;
        this.#at += escaped ? 2 : 1;
      } else if (char === "'") add(this.#single(), true);
      else if (char === '"') add(this.#double(), true);
      else if (char === '$') add(this.#dollar(), false);
      else if (char === this.#escape) {
        this.#at++;
        if (this.#at < this.#text.length) add(this.#text[this.#at++]!, true);
      } else {
        this.#at++;
        add(char, false);
      }
    }
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new WordError("unexpected end of statement while looking for matching single-quote");
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    let out = '';
    this.#at++;
    for (;;) {
      if (this.#at >= this.#text.length) throw new WordError('unexpected end of statement while looking for matching double-quote');
      const char = this.#text[this.#at]!;
      if (char === '"') {
        this.#at++;
        return out;
      }
      if (char === '$') out += this.#dollar();
      else if (char === this.#escape) {
        const next = this.#text[this.#at + 1];
        // Only before these does it mean anything within quotes.
        if (next === '"' || next === '$' || next === this.#escape) {
          out += next;
          this.#at += 2;
        } else {
          out += char;
          this.#at++;
        }
      } else {
        out += char;
        this.#at++;
      }
    }
  }

  #dollar(): string {
    this.#at++;
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#lookup(name) ?? '');
    }
    this.#at++;
    const name = this.#name();
    if (name === '') throw new WordError('syntax error: bad substitution');
    const value = this.#lookup(name);
    const char = this.#text[this.#at];
    if (char === undefined) throw new WordError('syntax error: missing \'}\'');
    this.#at++;
    switch (char) {
      case '}':
        return value ?? '';
      case ':': {
        const kind = this.#text[this.#at++] ?? '';
        if (kind !== '-' && kind !== '+' && kind !== '?') throw new WordError(`unsupported modifier (${char}${kind}) in substitution`);
        return this.#conditional(kind, name, value === '' ? undefined : value, ': must be set and not empty');
      }
      case '-':
      case '+':
      case '?':
        return this.#conditional(char, name, value, ': must be set');
      case '#':
      case '%': {
        const greedy = this.#text[this.#at] === char;
        if (greedy) this.#at++;
        return trim(value ?? '', this.#nested('}'), char === '#', greedy);
      }
      case '/': {
        const all = this.#text[this.#at] === '/';
        if (all) this.#at++;
        const pattern = this.#nested('/');
        return replace(value ?? '', pattern, this.#nested('}'), all);
      }
      default:
        throw new WordError(`unsupported modifier (${char}) in substitution`);
    }
  }

  #conditional(kind: string, name: string, value: string | undefined, complaint: string): string {
    const word = this.#nested('}');
    if (kind === '-') return value ?? word;
    if (kind === '+') return value === undefined ? '' : word;
    if (value === undefined) throw new WordError(`${name}: ${word === '' ? `not allowed to be unset${complaint}` : word}`);
    return value;
  }

  #nested(stop: string): string {
    if (this.#depth > 50) throw new WordError('substitutions are nested too deeply');
    this.#depth++;
    const result = this.until(stop);
    this.#depth--;
    return result;
  }

  #name(): string {
    const rest = this.#text.slice(this.#at, this.#at + 256);
    const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#])/.exec(rest)?.[0] ?? '';
    this.#at += name.length;
    return name;
  }
}

/** `${x#p}` and the like: takes away the shortest or longest beginning or end that matches. */
function trim(value: string, pattern: string, start: boolean, greedy: boolean): string {
  const lengths = Array.from({ length: Math.min(value.length, 4096) + 1 }, (_, n) => n);
  for (const length of greedy ? lengths.toReversed() : lengths) {
    const part = start ? value.slice(0, length) : value.slice(value.length - length);
    if (globMatches(pattern, part)) return start ? value.slice(length) : value.slice(0, value.length - length);
  }
  return value;
}

function replace(value: string, pattern: string, by: string, all: boolean): string {
  if (pattern === '') return value;
  let out = '';
  for (let at = 0; at < value.length; ) {
    let length = 0;
    for (let n = Math.min(value.length - at, 4096); n > 0 && length === 0; n--) {
      if (globMatches(pattern, value.slice(at, at + n))) {
        length = n;
      }
    }
    if (length === 0) {
      out += value[at++];
      continue;
    }
    out += by;
    at += length;
    if (!all) return out + value.slice(at);
  }
  return out;
}

/** `*` and `?`, without backtracking further than the last star. */
function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t] || (pattern[p] === '\\' && pattern[p + 1] === text[t]))) {
      if (pattern[p] === '\\' && pattern[p] !== text[t]) p++;
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
