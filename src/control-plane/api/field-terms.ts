/** What a field selector wants a field to equal, where it says so plainly; undefined else. */
export function fieldTerm(selector: string | undefined, field: string): string | undefined {
  for (const term of selector?.split(',') ?? []) {
    const text = term.trim();
    if (!text.startsWith(field)) continue;
    const match = /^==?([^=].*)$/.exec(text.slice(field.length));
    if (match !== null && !match[1]!.includes('\\')) return match[1];
  }
  return undefined;
}

/** `metadata.name=x`, alone or among others: the object that a list or watch is about. */
export function nameInFieldSelector(selector: string | undefined): string | undefined {
  return fieldTerm(selector, 'metadata.name');
}
