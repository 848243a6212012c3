import { labelMatcher, type LabelSelectorLike } from '../../../client/label-selector.ts';
import type { PodTemplateSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import { semanticEqual } from './equal.ts';

export const POD_TEMPLATE_HASH = 'pod-template-hash';

/** The alphabet of generated names, without vowels and look-alikes. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** A short name for a value: equal values get equal ones, whatever the order of their keys. */
export function hashOf(value: unknown, collisionCount?: number): string {
  let hash = 0x811c9dc5; // FNV-1a, 32 bits
  const text = canonical(value) + (collisionCount === undefined ? '' : `#${collisionCount}`);
  for (let at = 0; at < text.length; at++) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  let out = '';
  for (const digit of String(hash)) out += ALPHABET[digit.charCodeAt(0) % ALPHABET.length];
  return out;
}

function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null);
  return `{${entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

/** The template without the label that tells ReplicaSets of one Deployment apart. */
function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  if (template.metadata?.labels?.[POD_TEMPLATE_HASH] === undefined) return template;
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** True when both make the same pods. */
export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return semanticEqual(withoutHash(a), withoutHash(b));
}

/** True when the selector selects everything: a mistake that controllers refuse to act upon. */
export function selectsAll(selector: LabelSelectorLike | undefined): boolean {
  return (
    selector !== undefined &&
    labelMatcher(selector)(undefined) &&
    Object.keys(selector.matchLabels ?? {}).length === 0 &&
    (selector.matchExpressions ?? []).length === 0
  );
}
