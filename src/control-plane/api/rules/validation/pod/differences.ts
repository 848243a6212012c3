const MOST = 20;

/** Where two values differ, one line a place, for a message: `-spec.x: old`, `+spec.x: new`. */
export function differences(before: unknown, after: unknown): string {
  const lines: string[] = [];
  collect(before, after, '', lines);
  return lines.length <= MOST ? lines.join('\n') : `${lines.slice(0, MOST).join('\n')}\n… and ${lines.length - MOST} lines more`;
}

function collect(before: unknown, after: unknown, path: string, lines: string[]): void {
  if (before === after || lines.length > MOST * 4) return;
  if (typeof before === 'object' && typeof after === 'object' && before !== null && after !== null && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const at = Array.isArray(before) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      collect((before as Record<string, unknown>)[key], (after as Record<string, unknown>)[key], at, lines);
    }
    return;
  }
  if (before !== undefined) lines.push(`- ${path}: ${told(before)}`);
  if (after !== undefined) lines.push(`+ ${path}: ${told(after)}`);
}

function told(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
