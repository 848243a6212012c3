import { StatusError } from '../../../types/kubernetes/status.ts';
import { encodeJsonText } from '../codec/json.ts';
import { badRequest, failure } from '../errors.ts';
import { copyOwn, isObject, setOwn, type JsonObject } from './own.ts';

const MAX_OPERATIONS = 10_000;
/** How many bytes all copies of one patch may make together. */
const MAX_COPIED = 3 * 1024 * 1024;

/** How many elements of lists all operations of one patch may move to make or close a gap. */
const MAX_SHIFTED = 10_000_000;
/** What an error shows of a path. */
const MAX_SHOWN = 1024;

interface Operation {
  readonly op: string;
  readonly path: readonly string[];
  readonly from: readonly string[] | undefined;
  readonly value: unknown;
  readonly hasValue: boolean;
  /** As it was written, for messages. */
  readonly text: string;
}

/** 422: the patch is well-formed and doesn't fit the object. */
function unprocessable(why: string): StatusError {
  return new StatusError(
    failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {
      causes: [{ reason: 'UnexpectedServerResponse', message: why }],
    }),
  );
}

/**
 * Applies a JSON Patch (RFC 6902), atomically. Containers on the way to a
 * change are copied, all else is shared with `target`, which stays as it is.
 * @throws StatusError 400 (malformed), 413 (too much), 422 (a test or a path fails)
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${patch === null ? 'null' : typeof patch} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (patch.length > MAX_OPERATIONS) {
    throw new StatusError(
      failure(
        413,
        'RequestEntityTooLarge',
        `Request entity is too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
      ),
    );
  }
  const document = new Document(target);
  for (const [index, raw] of patch.entries()) document.apply(parse(raw, index));
  return document.root;
}

function parse(raw: unknown, index: number): Operation {
  if (!isObject(raw)) throw badRequest(`error decoding patch: operation ${index} is not an object`);
  const { op, path, from } = raw;
  if (typeof op !== 'string' || !['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op)) {
    throw unprocessable(`Unexpected kind: ${typeof op === 'string' ? op.slice(0, MAX_SHOWN) : typeof op}`);
  }
  if (typeof path !== 'string') throw unprocessable(`operation ${index} has no path`);
  if ((op === 'move' || op === 'copy') && typeof from !== 'string') throw unprocessable(`operation ${index} (${op}) has no from`);
  const hasValue = Object.hasOwn(raw, 'value');
  if ((op === 'add' || op === 'replace') && !hasValue) throw badRequest(`error decoding patch: operation ${index} (${op}) has no value`);
  return { op, path: pointer(path), from: typeof from === 'string' ? pointer(from) : undefined, value: raw.value, hasValue, text: path.slice(0, MAX_SHOWN) };
}

/** RFC 6901. */
function pointer(text: string): string[] {
  if (text === '') return [];
  if (!text.startsWith('/')) {
    throw badRequest(`error decoding patch: the path ${JSON.stringify(text.slice(0, MAX_SHOWN))} does not start with /`);
  }
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A document under change. Remembers which containers are its own, so that each is copied once. */
class Document {
  #root: unknown;
  readonly #owned = new Set<object>();
  #copied = 0;
  #shifted = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  get root(): unknown {
    return this.#root;
  }

  apply(operation: Operation): void {
    switch (operation.op) {
      case 'add': return this.#add(operation.path, operation.value, operation.text);
      case 'remove': return void this.#remove(operation.path, operation.text);
      case 'replace': return this.#replace(operation.path, operation.value, operation.text);
      case 'test': {
        const found = operation.path.length === 0 ? this.#root : this.#find(operation.path, operation.text, true);
        if (!same(found, operation.hasValue ? operation.value : null)) throw unprocessable(`testing path ${operation.text} value failed`);
        return;
      }
      case 'copy': {
        const value = this.#find(operation.from!, `/${operation.from!.join('/').slice(0, MAX_SHOWN)}`, false);
        this.#copied += encodeJsonText(value).length;
        if (this.#copied > MAX_COPIED) {
          throw unprocessable(
            `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, exceeding the limit ${MAX_COPIED}`,
          );
        }
        this.#disown(value);
        return this.#add(operation.path, value, operation.text);
      }
      default: {
        const from = operation.from!;
        if (operation.path.length > from.length && from.every((token, i) => token === operation.path[i])) {
          throw unprocessable(`${operation.text} lies within what is moved`);
        }
        return this.#add(operation.path, this.#remove(from, `/${from.join('/').slice(0, MAX_SHOWN)}`), operation.text);
      }
    }
  }

  /** A copied value has two places from now on: neither may be changed in place. */
  #disown(value: unknown): void {
    if (value === null || typeof value !== 'object' || !this.#owned.delete(value)) return;
    for (const item of Object.values(value)) this.#disown(item);
  }

  #add(path: readonly string[], value: unknown, text: string): void {
    if (path.length === 0) {
      this.#root = value;
      return;
    }
    const parent = this.#own(path, text);
    const token = path.at(-1)!;
    if (Array.isArray(parent)) {
      parent.splice(this.#shift(parent, token === '-' ? parent.length : index(token, parent.length, text, true)), 0, value);
    } else {
      setOwn(parent, token, value);
    }
  }

  #remove(path: readonly string[], text: string): unknown {
    if (path.length === 0) throw unprocessable('the whole document cannot be removed');
    const parent = this.#own(path, text);
    const token = path.at(-1)!;
    if (Array.isArray(parent)) return parent.splice(this.#shift(parent, index(token, parent.length, text, false)), 1)[0];
    if (!Object.hasOwn(parent, token)) throw missing(text);
    const value = parent[token];
    delete parent[token];
    return value;
  }

  /** Counts what a change at `at` moves. @throws StatusError 413 when a patch moves too much */
  #shift(list: readonly unknown[], at: number): number {
    this.#shifted += list.length - at;
    if (this.#shifted > MAX_SHIFTED) {
      throw new StatusError(
        failure(
          413,
          'RequestEntityTooLarge',
          `Request entity is too large: the operations of the JSON patch move more than ${MAX_SHIFTED} elements of lists`,
        ),
      );
    }
    return at;
  }

  #replace(path: readonly string[], value: unknown, text: string): void {
    if (path.length === 0) {
      this.#root = value;
      return;
    }
    const parent = this.#own(path, text);
    const token = path.at(-1)!;
    if (Array.isArray(parent)) parent[index(token, parent.length, text, false)] = value;
    // Upstream's library makes a member that is not there, too.
    else setOwn(parent, token, value);
  }

  /** The container of the path's last token, and all above it, made ours. */
  #own(path: readonly string[], text: string): unknown[] | JsonObject {
    this.#root = this.#mine(this.#root, text);
    let at = this.#root as unknown[] | JsonObject;
    for (const token of path.slice(0, -1)) {
      if (Array.isArray(at)) {
        const i = index(token, at.length, text, false);
        at = (at[i] = this.#mine(at[i], text));
      } else {
        if (!Object.hasOwn(at, token)) throw missing(text);
        const child: unknown[] | JsonObject = this.#mine(at[token], text);
        setOwn(at, token, child);
        at = child;
      }
    }
    return at;
  }

  #mine(value: unknown, text: string): unknown[] | JsonObject {
    if (value === null || typeof value !== 'object') throw missing(text);
    if (this.#owned.has(value)) return value as unknown[] | JsonObject;
    const copy = Array.isArray(value) ? value.slice() as unknown[] : copyOwn(value as JsonObject);
    this.#owned.add(copy);
    return copy;
  }

  #find(path: readonly string[], text: string, absentIsNull: boolean): unknown {
    let at: unknown = this.#root;
    for (const [i, token] of path.entries()) {
      if (Array.isArray(at)) at = at[index(token, at.length, text, false)];
      else if (isObject(at) && Object.hasOwn(at, token)) at = at[token];
      else if (isObject(at) && absentIsNull && i === path.length - 1) return null;
      else throw missing(text);
    }
    return at;
  }
}

function missing(text: string): StatusError {
  return unprocessable(`${text}: missing value`);
}

/** An array index; negative ones count from the end, as upstream's library has it. */
function index(token: string, length: number, text: string, insert: boolean): number {
  if (!/^[-+]?\d{1,9}$/.test(token)) throw unprocessable(`${text}: ${JSON.stringify(token.slice(0, MAX_SHOWN))} is not an array index`);
  const limit = insert ? length : length - 1;
  const at = Number(token) < 0 ? Number(token) + length + (insert ? 1 : 0) : Number(token);
  if (at < 0 || at > limit) throw unprocessable(`${text}: index ${token} is out of bounds`);
  return at;
}

/** RFC 6902, section 4.6: numbers by value, objects without order. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'bigint' || typeof b === 'bigint') return String(a) === String(b);
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object' || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same((a as JsonObject)[key], (b as JsonObject)[key]));
}
