/**
 * A table of nft rules as data, and the script that leads from one state of it
 * to another: the cost of an update follows what changed, not the size of the cluster.
 */
export interface Ruleset {
  /** Chains that are reached by jumps: name to rules. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Elements of the table's sets and maps: element to value (a verdict; '' in a set). */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export const EMPTY_RULESET: Ruleset = { chains: new Map(), elements: new Map() };

/**
 * The nft script for one transaction; '' when nothing changed. Order matters:
 * chains exist before verdicts point at them, and go after the last verdict went.
 * @param table as in `ip longshore-1a2b3c4d-services`
 */
export function difference(table: string, before: Ruleset, after: Ruleset): string {
  const lines: string[] = [];
  for (const [chain, rules] of after.chains) {
    const old = before.chains.get(chain);
    if (!old) lines.push(`add chain ${table} ${chain}`);
    else if (sameRules(old, rules)) continue;
    else lines.push(`flush chain ${table} ${chain}`);
  }
  for (const [chain, rules] of after.chains) {
    const old = before.chains.get(chain);
    if (old && sameRules(old, rules)) continue;
    for (const rule of rules) lines.push(`add rule ${table} ${chain} ${rule}`);
  }
  for (const [name, old] of before.elements) {
    const now = after.elements.get(name);
    const gone = [...old].filter(([element, value]) => now?.get(element) !== value).map(([element]) => element);
    if (gone.length > 0) lines.push(`delete element ${table} ${name} { ${gone.join(', ')} }`);
  }
  for (const [name, now] of after.elements) {
    const old = before.elements.get(name);
    const fresh = [...now]
      .filter(([element, value]) => old?.get(element) !== value)
      .map(([element, value]) => (value === '' ? element : `${element} : ${value}`));
    if (fresh.length > 0) lines.push(`add element ${table} ${name} { ${fresh.join(', ')} }`);
  }
  const dead = [...before.chains.keys()].filter((chain) => !after.chains.has(chain));
  // Flushed first: one dying chain may jump to another.
  for (const chain of dead) lines.push(`flush chain ${table} ${chain}`);
  for (const chain of dead) lines.push(`delete chain ${table} ${chain}`);
  return lines.length === 0 ? '' : lines.join('\n') + '\n';
}

function sameRules(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((rule, at) => rule === b[at]);
}
