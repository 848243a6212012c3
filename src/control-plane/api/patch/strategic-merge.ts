import type { FieldSchema, TypeRef, TypeSchema } from '../../../types/kubernetes/schema.ts';
import { badRequest, unexpected } from '../errors.ts';
import { plainText, typeText } from '../go-text.ts';
import { inOrder, type KeyOf } from './list-order.ts';
import { copyOwn, getOwn, isObject, setOwn, type JsonObject } from './own.ts';

const DIRECTIVE = '$patch';
const RETAIN = '$retainKeys';
const ORDER = '$setElementOrder/';
const REMOVE = '$deleteFromPrimitiveList/';

/**
 * Applies a strategic merge patch: a merge patch that knows from the schema
 * which lists are maps in disguise, and by which key. Directives:
 * `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/<list>`,
 * `$deleteFromPrimitiveList/<list>`. What is given is left as it is.
 * @param schema of the type; undefined where none is known: objects merge, lists are replaced
 * @throws StatusError 400, 500 (a directive that makes no sense, as upstream)
 */
export function strategicMerge(original: JsonObject, patch: JsonObject, schema: TypeSchema | undefined): JsonObject {
  const directive = getOwn(patch, DIRECTIVE);
  if (directive !== undefined) {
    if (directive === 'replace') return withoutDirectives(omit(patch, DIRECTIVE)) as JsonObject;
    if (directive === 'delete') return {};
    if (directive !== 'merge') throw unknownDirective(directive, patch);
  }
  const out = retained(original, patch);
  const done = new Set([DIRECTIVE, RETAIN]);
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const field = key.slice(ORDER.length);
    done.add(key).add(field);
    mergeOrdered(out, patch, field, patch[key], schema?.fields.get(field));
  }
  for (const key of Object.keys(patch)) {
    if (done.has(key)) continue;
    if (key.startsWith(REMOVE)) removeValues(out, key.slice(REMOVE.length), patch[key]);
    else mergeMember(out, key, patch[key], schema?.fields.get(key));
  }
  return out;
}

function omit(source: JsonObject, key: string): JsonObject {
  const out = copyOwn(source);
  delete out[key];
  return out;
}

function unknownDirective(directive: unknown, patch: JsonObject): Error {
  return unexpected(`unknown patch type: ${plainText(directive)} in map: ${plainText(patch)}`);
}

function notAList(value: unknown): Error {
  return unexpected(`expected a []interface {}, but received a ${typeText(value)}`);
}

/** A copy of the original, cut down to `$retainKeys` where the patch has it. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = getOwn(patch, RETAIN);
  const out = copyOwn(original);
  if (keys === undefined) return out;
  if (!Array.isArray(keys)) throw badRequest('invalid patch format of retainKeys');
  const kept = new Set<unknown>(keys);
  for (const key of Object.keys(patch)) {
    if (!key.startsWith('$') && !kept.has(key) && patch[key] !== null) throw badRequest('invalid patch format of retainKeys');
  }
  for (const key of Object.keys(out)) if (!kept.has(key)) delete out[key];
  return out;
}

function mergeMember(out: JsonObject, key: string, value: unknown, field: FieldSchema | undefined): void {
  if (value === null) {
    delete out[key];
    return;
  }
  const before = getOwn(out, key);
  if (isObject(before) && isObject(value)) {
    setOwn(out, key, strategicMerge(before, value, schemaOfMap(field?.type)));
  } else if (Array.isArray(before) && Array.isArray(value) && field?.patchMerge === true) {
    setOwn(out, key, mergeList(before, value, field));
  } else if (Array.isArray(value) && field?.patchMerge === true) {
    setOwn(out, key, withoutDirectives(value.filter((item) => !isDirective(item))));
  } else {
    setOwn(out, key, withoutDirectives(value));
  }
}

/** The schema of what lies below: a struct's own; below a map from strings there is none but that of its values. */
function schemaOfMap(type: TypeRef | undefined): TypeSchema | undefined {
  if (type?.kind === 'struct') return type.schema;
  if (type?.kind === 'map' && type.value.kind === 'struct') return valuesOf(type.value.schema);
  return undefined;
}

/** A schema in which any name has that type. */
function valuesOf(schema: TypeSchema): TypeSchema {
  const field = {
    name: '',
    number: 0,
    type: { kind: 'struct', name: schema.name, schema },
    pointer: false,
    omitEmpty: false,
    optional: false,
    patchMerge: false,
    patchRetainKeys: false,
    mergeKey: undefined,
    list: 'atomic',
    listKeys: [],
    atomic: false,
    default: undefined,
  } as const;
  return { name: '', short: '', atomic: false, members: [], fields: { get: () => field } as unknown as TypeSchema['fields'] };
}

/** An element that is nothing but an order to the list, or that says of another that it goes. */
function isDirective(item: unknown): boolean {
  if (!isObject(item)) return false;
  const directive = getOwn(item, DIRECTIVE);
  return directive === 'delete' || (directive !== undefined && Object.keys(item).length === 1);
}

/** Takes directives and nulls out of what is added as a whole. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isDirective(item)).map(withoutDirectives);
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (key === DIRECTIVE || key === RETAIN || key.startsWith(ORDER) || key.startsWith(REMOVE) || value[key] === null) continue;
    setOwn(out, key, withoutDirectives(value[key]));
  }
  return out;
}

function elementSchema(field: FieldSchema): TypeSchema | undefined {
  return field.type.kind === 'list' && field.type.element.kind === 'struct' ? field.type.element.schema : undefined;
}

function keyReader(field: FieldSchema | undefined): KeyOf {
  const mergeKey = field?.mergeKey;
  if (mergeKey === undefined) return (element) => element;
  return (element) => {
    const key = isObject(element) ? getOwn(element, mergeKey) : undefined;
    if (key === undefined) throw unexpected(`map: ${plainText(element)} does not contain declared merge key: ${mergeKey}`);
    return key;
  };
}

function mergeList(original: readonly unknown[], patch: readonly unknown[], field: FieldSchema): unknown[] {
  const keyOf = keyReader(field);
  if (field.mergeKey === undefined) return inOrder([...new Set([...original, ...patch])], patch, original, keyOf);
  const { merged, rest } = mergeElements(original, patch, field, keyOf);
  return inOrder(merged, rest.map(keyOf), original, keyOf);
}

/** @returns the merged elements, and those of the patch that are no directives */
function mergeElements(original: readonly unknown[], patch: readonly unknown[], field: FieldSchema, keyOf: KeyOf): { merged: unknown[]; rest: unknown[] } {
  const rest: unknown[] = [];
  const deleted = new Set<unknown>();
  let replace = false;
  for (const item of patch) {
    const directive = isObject(item) ? getOwn(item, DIRECTIVE) : undefined;
    if (directive === undefined) rest.push(item);
    else if (directive === 'delete') deleted.add(keyOf(item));
    else if (directive === 'replace') {
      // The element that says so is not one of the list.
      replace = true;
    } else if (directive === 'merge') throw unexpected('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(directive, item as JsonObject);
  }
  if (replace) return { merged: rest.map(withoutDirectives), rest };
  const schema = elementSchema(field);
  const merged = original.filter((element) => !deleted.has(keyOf(element)));
  const at = new Map(merged.map((element, i) => [keyOf(element), i]));
  for (const item of rest) {
    const key = keyOf(item);
    const found = at.get(key);
    if (found !== undefined) merged[found] = strategicMerge(merged[found] as JsonObject, item as JsonObject, schema);
    else {
      at.set(key, merged.length);
      merged.push(withoutDirectives(item));
    }
  }
  return { merged, rest };
}

/** A list for which the patch names the order of the elements that it knows of. */
function mergeOrdered(out: JsonObject, patch: JsonObject, name: string, order: unknown, field: FieldSchema | undefined): void {
  if (!Array.isArray(order)) throw notAList(order);
  const change = getOwn(patch, name);
  const before = getOwn(out, name);
  if (change !== undefined && change !== null && !Array.isArray(change)) throw notAList(change);
  const original = Array.isArray(before) ? before as unknown[] : [];
  const removal = getOwn(patch, REMOVE + name);
  if (!Array.isArray(before) && !Array.isArray(change)) {
    if (change === null) delete out[name];
    return;
  }
  if (change === null) {
    delete out[name];
    return;
  }
  const keyOf = keyReader(field);
  if (Array.isArray(change)) checkOrder(change, order, keyOf);
  let merged: unknown[] = original;
  if (Array.isArray(change)) {
    merged =
      field === undefined || !field.patchMerge
        ? change
        : field.mergeKey === undefined
          ? [...new Set([...original, ...(change as unknown[])])]
          : mergeElements(original, change, field, keyOf).merged;
  }
  if (Array.isArray(removal)) merged = merged.filter((element) => !removal.includes(element));
  setOwn(out, name, inOrder(merged, order.map(keyOf), original, keyOf));
}

/** What a patch adds or changes comes in the order that it names. @throws StatusError 500 */
function checkOrder(change: readonly unknown[], order: readonly unknown[], keyOf: KeyOf): void {
  if (order.length === 0) return;
  const named = change.filter((item) => !isObject(item) || getOwn(item, DIRECTIVE) === undefined);
  let at = 0;
  for (const wanted of order) if (at < named.length && keyOf(named[at]) === keyOf(wanted)) at++;
  if (at < named.length) {
    throw unexpected(`The order in patch list:\n${plainText(change)}\n doesn't match $setElementOrder list:\n${plainText(order)}\n`);
  }
}

function removeValues(out: JsonObject, name: string, values: unknown): void {
  const before = getOwn(out, name);
  if (!Array.isArray(values)) throw notAList(values);
  if (!Array.isArray(before)) return;
  const gone = new Set<unknown>(values);
  setOwn(out, name, before.filter((element) => !gone.has(element)));
}
