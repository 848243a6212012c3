// Words a JSON syntax error as Go's decoder does: clients and people know these sentences from the API server.

type Step = (c: number) => string | undefined;

const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isHex = (c: number): boolean => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
const LITERALS: Readonly<Record<number, string>> = { 0x74: 'true', 0x66: 'false', 0x6e: 'null' };
const END = 'unexpected end of JSON input';

/** The sentence for bytes that are not JSON; undefined when they are. A state machine over bytes, as deep as it may be. */
export function jsonSyntaxError(bytes: Uint8Array): string | undefined {
  const scanner = new Scanner();
  for (const byte of bytes) {
    const wrong = scanner.step(byte);
    if (wrong !== undefined) return `invalid character ${quoted(byte)} ${wrong}`;
  }
  return scanner.complete() ? undefined : END;
}

function quoted(byte: number): string {
  if (byte === 0x27) return `'\\''`;
  if (byte === 0x22) return `'"'`;
  const text = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  return `'${byte >= 0x7f ? `\\u00${byte.toString(16).padStart(2, '0')}` : text}'`;
}

class Scanner {
  step: Step;
  /** What is open: object key, object value, array element. */
  readonly #open: ('key' | 'value' | 'element')[] = [];
  #done = false;
  #number = false;

  constructor() {
    this.step = this.#beginValue;
  }

  complete(): boolean {
    return this.#done || (this.#number && this.#open.length === 0);
  }

  readonly #beginValueOrEmpty: Step = (c) => {
    if (SPACE.has(c)) return undefined;
    return c === 0x5d ? this.#endValue(c) : this.#beginValue(c);
  };

  readonly #beginValue: Step = (c) => {
    if (SPACE.has(c)) return undefined;
    if (c === 0x7b) {
      this.#open.push('key');
      this.step = this.#beginKeyOrEmpty;
    } else if (c === 0x5b) {
      this.#open.push('element');
      this.step = this.#beginValueOrEmpty;
    } else if (c === 0x22) this.step = this.#string(() => this.#close());
    else if (c === 0x2d) this.step = this.#neg;
    else if (c === 0x30) this.#digits(this.#zero);
    else if (isDigit(c)) this.#digits(this.#whole);
    else if (LITERALS[c] !== undefined) this.step = this.#literal(LITERALS[c], 1);
    else return 'looking for beginning of value';
    return undefined;
  };

  readonly #beginKeyOrEmpty: Step = (c) => {
    if (SPACE.has(c)) return undefined;
    if (c === 0x7d) {
      this.#open.pop();
      this.#close();
      return undefined;
    }
    return this.#beginKey(c);
  };

  readonly #beginKey: Step = (c) => {
    if (SPACE.has(c)) return undefined;
    if (c !== 0x22) return 'looking for beginning of object key string';
    this.step = this.#string(() => {
      this.step = this.#endValue;
    });
    return undefined;
  };

  #close(): void {
    this.#number = false;
    this.step = this.#open.length === 0 ? this.#after : this.#endValue;
    this.#done = this.#open.length === 0;
  }

  readonly #after: Step = (c) => (SPACE.has(c) ? undefined : 'after top-level value');

  readonly #endValue: Step = (c) => {
    if (SPACE.has(c)) {
      this.#number = false;
      this.#done = this.#open.length === 0;
      this.step = this.#done ? this.#after : this.#endValue;
      return undefined;
    }
    const top = this.#open.length - 1;
    switch (this.#open[top]) {
      case undefined: return 'after top-level value';
      case 'key':
        if (c !== 0x3a) return 'after object key';
        this.#open[top] = 'value';
        this.step = this.#beginValue;
        return undefined;
      case 'value':
        if (c === 0x2c) {
          this.#open[top] = 'key';
          this.step = this.#beginKey;
          return undefined;
        }
        if (c !== 0x7d) return 'after object key:value pair';
        break;
      case 'element':
        if (c === 0x2c) {
          this.step = this.#beginValue;
          return undefined;
        }
        if (c !== 0x5d) return 'after array element';
        break;
      default:
    }
    this.#open.pop();
    this.#close();
    return undefined;
  };

  #string(then: () => void): Step {
    let left = 0;
    let escaped = false;
    return (c) => {
      if (left > 0) {
        if (!isHex(c)) return 'in \\u hexadecimal character escape';
        left--;
      } else if (escaped) {
        if (!'bfnrt\\/"u'.includes(String.fromCharCode(c))) return 'in string escape code';
        if (c === 0x75) left = 4;
        escaped = false;
      } else if (c === 0x5c) escaped = true;
      else if (c === 0x22) then();
      else if (c < 0x20) return 'in string literal';
      return undefined;
    };
  }

  #literal(word: string, at: number): Step {
    return (c) => {
      if (c !== word.charCodeAt(at)) return `in literal ${word} (expecting '${word[at]!}')`;
      if (at + 1 === word.length) this.#close();
      else this.step = this.#literal(word, at + 1);
      return undefined;
    };
  }

  #digits(step: Step): void {
    this.#number = true;
    this.step = step;
  }

  readonly #neg: Step = (c) => {
    if (!isDigit(c)) return 'in numeric literal';
    this.#digits(c === 0x30 ? this.#zero : this.#whole);
    return undefined;
  };

  readonly #whole: Step = (c) => (isDigit(c) ? undefined : this.#zero(c));

  readonly #zero: Step = (c) => {
    if (c === 0x2e) this.#unfinished((d) => (isDigit(d) ? this.#digits(this.#fraction) : 'after decimal point in numeric literal'));
    else if (c === 0x65 || c === 0x45) this.#exponent();
    else return this.#endValue(c);
    return undefined;
  };

  readonly #fraction: Step = (c) => {
    if (isDigit(c)) return undefined;
    if (c !== 0x65 && c !== 0x45) return this.#endValue(c);
    this.#exponent();
    return undefined;
  };

  #exponent(): void {
    const digit = (c: number): string | void => (isDigit(c) ? this.#digits(this.#power) : 'in exponent of numeric literal');
    this.#unfinished((c) => (c === 0x2b || c === 0x2d ? this.#unfinished(digit) : digit(c)));
  }

  readonly #power: Step = (c) => (isDigit(c) ? undefined : this.#endValue(c));

  #unfinished(step: (c: number) => string | void): void {
    this.#number = false;
    this.step = (c) => step(c) ?? undefined;
  }
}
