import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { encodeJson, parseTrustedJson } from '../codec/json.ts';
import type { StoredObject } from '../contract.ts';

const MARK = Buffer.from('"resourceVersion":"');
const QUOTE = 0x22;

/**
 * One revision of one object, as it lies in memory. What the store holds, a
 * GET answers, a LIST concatenates and a watch sends is one buffer: the
 * object's JSON with its resourceVersion inside. The revision is foretold
 * when the object is encoded (see commit.ts); where the prophecy failed, the
 * number is spliced anew, once.
 *
 * The object is parsed when somebody asks for it: after a start from disk
 * most are never looked at.
 */
export class Stored implements StoredObject {
  readonly revision: number;
  #object: KubeObject | undefined;
  #bytes: Buffer | undefined;
  #views: Map<string, Stored> | undefined;

  private constructor(revision: number, object: KubeObject | undefined, bytes: Buffer | undefined) {
    this.revision = revision;
    this.#object = object;
    this.#bytes = bytes;
  }

  /** From an object that carries its resourceVersion already. */
  static of(object: KubeObject, revision: number, bytes?: Buffer): Stored {
    return new Stored(revision, object, bytes);
  }

  /** From the store's bytes; `revision` is what counts, whatever number lies inside. */
  static fromBytes(value: Uint8Array, revision: number): Stored {
    return new Stored(revision, undefined, withResourceVersion(asBuffer(value), revision));
  }

  get object(): KubeObject {
    return (this.#object ??= parseTrustedJson(this.#bytes!) as KubeObject);
  }

  json(): Buffer {
    return (this.#bytes ??= encodeJson(this.#object));
  }

  /** The same state under another resourceVersion: what a DELETED event carries. */
  at(revision: number): Stored {
    if (revision === this.revision) return this;
    if (this.#object !== undefined) {
      return new Stored(revision, { ...this.#object, metadata: { ...this.#object.metadata, resourceVersion: String(revision) } }, undefined);
    }
    return new Stored(revision, undefined, withResourceVersion(this.#bytes!, revision));
  }

  /** The object in another version of its group; made once. */
  view(apiVersion: string, convert: (object: KubeObject) => KubeObject): Stored {
    const known = this.#views?.get(apiVersion);
    if (known !== undefined) return known;
    const view = new Stored(this.revision, convert(this.object), undefined);
    (this.#views ??= new Map<string, Stored>()).set(apiVersion, view);
    return view;
  }
}

export function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/**
 * The bytes with that resourceVersion. The first unescaped mark is the
 * object's own: before it come only scalars of metadata, and within a JSON
 * string its quotes would be escaped.
 */
function withResourceVersion(bytes: Buffer, revision: number): Buffer {
  const at = bytes.indexOf(MARK);
  if (at < 0) {
    const object = parseTrustedJson(bytes) as KubeObject;
    return encodeJson({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
  }
  const from = at + MARK.length;
  const digits = String(revision);
  const to = bytes.indexOf(QUOTE, from);
  if (to - from === digits.length && bytes.toString('latin1', from, to) === digits) return bytes;
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(digits), bytes.subarray(to)]);
}
