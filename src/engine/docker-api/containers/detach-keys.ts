import { LongshoreError } from '../../../lib/errors.ts';

const DEFAULT = 'ctrl-p,ctrl-q';

/** Looks for the keys that detach a terminal (`ctrl-p,ctrl-q`), also when they come in several pieces. */
export class DetachKeys {
  readonly #keys: Buffer;
  #matched = 0;

  /** @throws `invalid` */
  constructor(text = DEFAULT) {
    this.#keys = Buffer.from(text.split(',').map((key) => {
      if (key.length === 1) return key.charCodeAt(0);
      const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key);
      if (control === null) throw new LongshoreError('invalid', `Invalid detach keys (${text}) provided: Unknown character: '${key}'`);
      return control[1]!.charCodeAt(0) & 0x1f;
    }));
  }

  /** @returns what is to be passed on; keys that only began the sequence are held back until the next one tells */
  filter(piece: Buffer): { readonly data: Buffer; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of piece) {
      if (byte === this.#keys[this.#matched]) {
        if (++this.#matched === this.#keys.length) return { data: Buffer.from(out), detached: true };
        continue;
      }
      for (let i = 0; i < this.#matched; i++) out.push(this.#keys[i]!);
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) out.push(byte);
    }
    return { data: Buffer.from(out), detached: false };
  }
}
