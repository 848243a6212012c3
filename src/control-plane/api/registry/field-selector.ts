import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { parseFieldSelector as parse, type FieldRequirement } from '../../../types/kubernetes/selectors.ts';
import { badRequest } from '../errors.ts';

/** What a list or a watch asks of every object; far more than anybody means. */
const MAX_TERMS = 256;

/** Reads one selectable field; absent is ''. */
export type FieldReader = (object: KubeObject) => string;

/** The fields by which a kind can be selected. */
export interface SelectableFields {
  readonly readers: ReadonlyMap<string, FieldReader>;
  /** How the API server refuses another field of this kind. */
  refusal(field: string): string;
}

type Term = FieldRequirement & { readonly read: FieldReader };

/** A parsed field selector, as in `spec.nodeName=a,status.phase!=Failed`. */
export class FieldSelector {
  readonly #terms: readonly Term[];
  /** The first pinned field, other than name and namespace, which have better ways. */
  readonly indexable: Term | undefined;

  constructor(terms: readonly Term[]) {
    this.#terms = terms;
    this.indexable = terms.find((term) => term.operator === '=' && !term.field.startsWith('metadata.'));
  }

  matches(object: KubeObject): boolean {
    for (const { read, operator, value } of this.#terms) if ((read(object) === value) !== (operator === '=')) return false;
    return true;
  }

  /** The value that the field must have; undefined where it is not pinned. */
  pinned(field: string): string | undefined {
    return this.#terms.find((term) => term.field === field && term.operator === '=')?.value;
  }
}

/**
 * Parses a field selector: terms parted by commas.
 * @param fields the fields that this kind can be selected by
 * @returns undefined when it selects everything
 * @throws StatusError 400 for a field that is none of them
 */
export function parseFieldSelector(text: string | undefined, fields: SelectableFields): FieldSelector | undefined {
  if (text === undefined || text === '') return undefined;
  const requirements = parse(text);
  if (requirements.length > MAX_TERMS) throw badRequest(`invalid field selector: it has more than ${MAX_TERMS} terms`);
  const terms = requirements.map((term) => {
    const field = term.field === 'spec.host' ? 'spec.nodeName' : term.field;
    const read = fields.readers.get(field);
    if (read === undefined) throw badRequest(fields.refusal(term.field));
    return { ...term, field, read };
  });
  return terms.length === 0 ? undefined : new FieldSelector(terms);
}
