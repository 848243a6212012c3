/** Writes protobuf messages front to back; nested ones are made first and copied in. Enough for documents that are made once. */
export class ProtoWriter {
  #parts: Buffer[] = [];

  string(number: number, value: unknown): this {
    if (typeof value === 'string' && value !== '') this.bytes(number, Buffer.from(value));
    return this;
  }

  strings(number: number, values: unknown): this {
    if (Array.isArray(values)) for (const value of values) this.bytes(number, Buffer.from(String(value)));
    return this;
  }

  bool(number: number, value: unknown): this {
    if (value === true) this.#parts.push(varint(number * 8), Buffer.from([1]));
    return this;
  }

  bytes(number: number, value: Buffer): this {
    this.#parts.push(varint(number * 8 + 2), varint(value.length), value);
    return this;
  }

  message(number: number, message: ProtoWriter | undefined): this {
    return message === undefined ? this : this.bytes(number, message.finish());
  }

  finish(): Buffer {
    const out = Buffer.concat(this.#parts);
    this.#parts = [out];
    return out;
  }
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let left = value;
  while (left >= 0x80) {
    out.push((left % 0x80) | 0x80);
    left = Math.floor(left / 0x80);
  }
  out.push(left);
  return Buffer.from(out);
}
