import { LongshoreError } from '../../lib/errors.ts';

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS = ['true', 'false', 'null'] as const;

/** How deep a body may be nested: JSON.parse takes more than what comes after it. */
const DEEPEST = 100;

/**
 * The one JSON value of a request's body. What is wrong with it is said in the words of Docker's daemon, which clients and their tests look for.
 * @throws `invalid`
 */
export function parseBody(text: string): unknown {
  if (isTooDeep(text)) throw new LongshoreError('invalid', 'invalid JSON: nested too deep');
  try {
    return JSON.parse(text);
  } catch (error) {
    const fault = new Scanner(text).fault();
    throw new LongshoreError('invalid', fault.after ? 'unexpected content after JSON' : `invalid JSON: ${fault.message}`, { cause: error });
  }
}

/** True when a JSON text is nested deeper than any request of this API. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      // Over the string, and what is escaped in it.
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > DEEPEST) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}

class Fault extends Error {}

/** Walks through a text that is not JSON, for where and why. Only texts that JSON.parse refused come here, and none that is nested deep. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** `after`: what is wrong comes after a whole value. */
  fault(): { readonly message: string; readonly after: boolean } {
    try {
      this.#value();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { message: error.message, after: false };
    }
    return { message: '', after: true };
  }

  #value(): void {
    const c = this.#next();
    if (c === '{') this.#list('}', 'after object key:value pair', () => this.#member());
    else if (c === '[') this.#list(']', 'after array element', () => this.#value());
    else if (c === '"') this.#string();
    else if (c === '-' || /\d/.test(c)) this.#number();
    else this.#literal(c);
  }

  #list(close: string, after: string, item: () => void): void {
    this.#at++;
    if (this.#next() === close) {
      this.#at++;
      return;
    }
    for (;;) {
      item();
      const c = this.#next();
      if (c !== ',' && c !== close) this.#refuse(after);
      this.#at++;
      if (c === close) return;
    }
  }

  #member(): void {
    if (this.#next() !== '"') this.#refuse('looking for beginning of object key string');
    this.#string();
    if (this.#next() !== ':') this.#refuse('after object key');
    this.#at++;
    this.#value();
  }

  #string(): void {
    for (this.#at++; ; this.#at++) {
      const c = this.#here();
      if (c === '"') break;
      if (c < ' ') this.#refuse('in string literal');
      if (c !== '\\') continue;
      this.#at++;
      if (this.#here() !== 'u') {
        if (!'"\\/bfnrt'.includes(this.#here())) this.#refuse('in string escape code');
        continue;
      }
      for (let digits = 0; digits < 4; digits++) {
        this.#at++;
        if (!/[\da-fA-F]/.test(this.#here())) this.#refuse('in \\u hexadecimal character escape');
      }
    }
    this.#at++;
  }

  #number(): void {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    if (found === '') {
      this.#at++; // the minus
      this.#here();
      this.#refuse('in numeric literal');
    }
    const rest = this.#text[this.#at] ?? '';
    if (rest === '.' && !/[.eE]/.test(found)) {
      this.#at++;
      this.#here();
      this.#refuse('after decimal point in numeric literal');
    }
    if (/[eE]/.test(rest) && !/[eE]/.test(found)) {
      this.#at++;
      if (/[+-]/.test(this.#here())) this.#at++;
      this.#here();
      this.#refuse('in exponent of numeric literal');
    }
  }

  #literal(first: string): void {
    const word = LITERALS.find((each) => each.startsWith(first));
    if (word === undefined) this.#refuse('looking for beginning of value');
    for (const letter of word) {
      if (this.#here() !== letter) this.#refuse(`in literal ${word} (expecting '${letter}')`);
      this.#at++;
    }
  }

  /** Over white space. */
  #next(): string {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)![0].length;
    return this.#here();
  }

  #here(): string {
    const point = this.#text.codePointAt(this.#at);
    if (point === undefined) throw new Fault('unexpected EOF');
    return String.fromCodePoint(point);
  }

  #refuse(where: string): never {
    const c = this.#here();
    const shown = c === "'" ? String.raw`'\''` : c === '"' ? `'"'` : `'${JSON.stringify(c).slice(1, -1)}'`;
    throw new Fault(`invalid character ${shown} ${where}`);
  }
}
