const NEWLINE = 0x0a;

/**
 * Splits a stream of newline-delimited JSON. Bytes are looked at once and
 * copied at most once, whatever the size of a line or of the chunks.
 */
export class JsonLines {
  readonly #line: (value: unknown) => void;
  readonly #limitBytes: number;
  #parts: Buffer[] = [];
  #held = 0;

  /** @param limitBytes the longest line that is accepted */
  constructor(line: (value: unknown) => void, limitBytes: number) {
    this.#line = line;
    this.#limitBytes = limitBytes;
  }

  /** @throws SyntaxError for a line that is not JSON; RangeError for one that is too long */
  push(chunk: Buffer): void {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, at);
      start = at + 1;
      if (this.#held === 0) this.#emit(piece);
      else {
        this.#parts.push(piece);
        const whole = Buffer.concat(this.#parts);
        this.#parts = [];
        this.#held = 0;
        this.#emit(whole);
      }
    }
    if (start < chunk.length) {
      this.#parts.push(start === 0 ? chunk : chunk.subarray(start));
      this.#held += chunk.length - start;
      if (this.#held > this.#limitBytes) throw new RangeError(`a line is longer than ${this.#limitBytes} bytes`);
    }
  }

  #emit(line: Buffer): void {
    if (line.length > 0) this.#line(JSON.parse(line.toString('utf8')));
  }
}
