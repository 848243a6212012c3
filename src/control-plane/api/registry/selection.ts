import type { FieldSelector, SelectableFields } from './field-selector.ts';
import { parseFieldSelector } from './field-selector.ts';
import type { LabelSelector } from './label-selector.ts';
import { parseLabelSelector } from './label-selector.ts';
import type { Stored } from './stored.ts';

/** Which objects of a resource a list or a watch is about. */
export class Selection {
  /** Of relative keys: '' for all, `namespace/` for one namespace. */
  readonly prefix: string;
  /** The one key, when the selectors leave no other. */
  readonly key: string | undefined;
  readonly labels: LabelSelector | undefined;
  readonly fields: FieldSelector | undefined;

  constructor(prefix: string, key: string | undefined, labels: LabelSelector | undefined, fields: FieldSelector | undefined) {
    this.prefix = prefix;
    this.key = key;
    this.labels = labels;
    this.fields = fields;
  }

  /** True when no selector narrows it. */
  get whole(): boolean {
    return this.labels === undefined && this.fields === undefined && this.key === undefined;
  }

  includes(key: string, stored: Stored): boolean {
    if (this.key !== undefined && key !== this.key) return false;
    if (this.prefix !== '' && !key.startsWith(this.prefix)) return false;
    if (this.labels === undefined && this.fields === undefined) return true;
    const object = stored.object;
    return (this.labels === undefined || this.labels.matches(object)) && (this.fields === undefined || this.fields.matches(object));
  }
}

/** @throws StatusError 400 for a selector that can't be parsed, or a field that the kind is not selected by */
export function select(
  kind: { readonly namespaced: boolean; readonly fields: SelectableFields },
  namespace: string | undefined,
  options: { readonly labelSelector?: string; readonly fieldSelector?: string; readonly name?: string },
): Selection {
  const labels = parseLabelSelector(options.labelSelector);
  const fields = parseFieldSelector(options.fieldSelector, kind.fields);
  const space = namespace !== undefined && namespace !== '' ? namespace : kind.namespaced ? fields?.pinned('metadata.namespace') : undefined;
  const prefix = kind.namespaced && space !== undefined ? `${space}/` : '';
  const name = options.name ?? fields?.pinned('metadata.name');
  const key = name !== undefined && (!kind.namespaced || prefix !== '') ? prefix + name : undefined;
  return new Selection(prefix, key, labels, fields);
}
