import { isCode } from '../../lib/errors.ts';
import { parseFieldSelector, type FieldRequirement } from '../../types/kubernetes/selectors.ts';

/**
 * What a field selector wants a field to equal, where it says so plainly; undefined else. Read by the same parser that selects the
 * objects afterwards: authorisation hangs on it, and a comma that is escaped ends no term.
 */
export function fieldTerm(selector: string | undefined, field: string): string | undefined {
  if (selector === undefined || !selector.includes(field)) return undefined;
  return terms(selector).find((term) => term.field === field && term.operator === '=' && term.value !== '')?.value;
}

/** None for a selector that can't be read: it pins nothing, and whoever selects by it refuses it. */
function terms(selector: string): readonly FieldRequirement[] {
  try {
    return parseFieldSelector(selector);
  } catch (error) {
    if (isCode(error, 'invalid')) return [];
    throw error;
  }
}

/** `metadata.name=x`, alone or among others: the object that a list or watch is about. */
export function nameInFieldSelector(selector: string | undefined): string | undefined {
  return fieldTerm(selector, 'metadata.name');
}
