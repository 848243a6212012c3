import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { compare, equal } from './compare.ts';
import { differenceAll, type FieldSet, LEAF } from './field-set.ts';
import { ownedBy } from './own.ts';
import type { Shape } from './shape.ts';

/** Where `kubectl apply`, the client-side one, keeps what it applied last. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

/**
 * Fields that client-side apply set and that still have the value it gave them: `kubectl apply --server-side` may take these over from
 * whoever owns them, so that users can move from one to the other.
 */
export function stillAsLastApplied(shape: Shape, apiVersion: string, live: KubeObject): FieldSet {
  const text = live.metadata?.annotations?.[LAST_APPLIED];
  if (text === undefined || text === '') return LEAF;
  let last: unknown;
  try {
    last = JSON.parse(text);
  } catch {
    return LEAF; // Somebody wrote something else there: then nothing is known of the last apply.
  }
  if (typeof last !== 'object' || last === null || (last as KubeObject).apiVersion !== apiVersion || !fits(shape, last)) return LEAF;
  const { changed, removed } = compare(shape, last, live);
  return differenceAll(differenceAll(ownedBy(shape, last) ?? LEAF, changed), removed);
}

/** Whether a text of unknown origin has lists and maps where the schema has them. */
function fits(shape: Shape, value: unknown): boolean {
  if (value === null || shape.kind === 'leaf' || shape.kind === 'any') return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) {
    if (shape.kind === 'set') return true;
    return shape.kind === 'list' && value.every((item) => typeof item === 'object' && item !== null && fits(shape.element, item));
  }
  if (shape.kind !== 'struct' && shape.kind !== 'map') return false;
  return Object.entries(value).every(([key, item]) => {
    const inner = shape.kind === 'map' ? shape.element : shape.fields.get(key)?.shape;
    return inner === undefined || fits(inner, item);
  });
}

/** The annotations with the configuration that was just applied, where client-side apply left its own before. */
export function renewLastApplied(object: KubeObject, applied: KubeObject): Readonly<Record<string, string>> | undefined {
  const annotations = object.metadata?.annotations;
  if ((annotations?.[LAST_APPLIED] ?? '') === '') return annotations;
  const configuration = { ...applied, metadata: { ...applied.metadata, annotations: { ...applied.metadata?.annotations } as Record<string, string> } };
  delete configuration.metadata.annotations[LAST_APPLIED];
  if (Object.keys(configuration.metadata.annotations).length === 0) {
    delete (configuration.metadata as { annotations?: unknown }).annotations;
  }
  const next = { ...annotations, [LAST_APPLIED]: `${sortedJson(configuration)}\n` };
  let bytes = 0;
  for (const [key, value] of Object.entries(next)) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes <= MAX_ANNOTATIONS_BYTES) return next;
  const { [LAST_APPLIED]: _, ...others } = next;
  return equal(others, {}) ? undefined : others;
}

function sortedJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) {
    return JSON.stringify(value).replaceAll(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
  }
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${sortedJson(item)}`).join(',')}}`;
}
