/** What earlier steps saved, by name: answers as they came, not normalised. */
export type Saved = ReadonlyMap<string, unknown>;

/**
 * Puts values into the `${…}` of a request: `${cm.metadata.uid}` from the
 * saved answer `cm`, `${a*300}` for a character so many times, `${now}` and
 * `${start}` for now and the scenario's beginning in seconds with nine decimals.
 * @throws Error for a name that nobody saved, or a path that leads nowhere
 */
export function substitute(text: string, saved: Saved): string {
  return text.replace(/\$\{([^}]+)\}/g, (_whole, reference: string) => {
    const repeated = /^(.)\*(\d+)$/.exec(reference);
    if (repeated !== null) return repeated[1]!.repeat(Number(repeated[2]));
    if (reference === 'now') return seconds();
    const [name, ...path] = reference.split('.');
    if (!saved.has(name!)) throw new Error(`no step has saved ${JSON.stringify(name)}, which \${${reference}} asks for`);
    const value = at(saved.get(name!), path);
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw new Error(`\${${reference}} leads to ${JSON.stringify(value)}, not to a string or number`);
    }
    return String(value);
  });
}

/** The value at a path of keys and indexes; undefined where it leads nowhere. */
export function at(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}

/** Now, as a number of seconds with nine decimals. */
export function seconds(): string {
  return `${(Date.now() / 1000).toFixed(3)}000000`;
}
