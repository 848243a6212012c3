import type { Budget, Row, Unit } from './row.ts';

/** What came out of a row. Figures are in the row's unit. */
export interface Result {
  readonly name: string;
  readonly what: string;
  readonly unit: Unit;
  readonly ours?: number;
  readonly oursNote?: string;
  readonly peer?: number;
  readonly peerNote?: string;
  /** The peer's figure is one of an earlier day. */
  readonly recorded: boolean;
  /** Ours divided by the peer's. */
  readonly ratio?: number;
  readonly budget: Budget;
  readonly met?: boolean;
  /** Why there is no figure. */
  readonly failure?: string;
}

/** Compares a row's figures with its budget. */
export function judge(row: Row, ours: number, peer: number | undefined): Pick<Result, 'ratio' | 'met'> {
  const quotient = peer === undefined ? undefined : ours / peer;
  const counted = row.budget.kind === 'absolute' ? ours : quotient;
  if (counted === undefined) return {};
  return { ...(quotient !== undefined && { ratio: quotient }), met: row.unit === '/s' ? counted >= row.budget.value : counted <= row.budget.value };
}

/** The results as a table of Markdown. */
export function formatTable(results: readonly Result[]): string {
  const lines = results.map(({ what, unit, ours, oursNote, peer, peerNote, recorded, ratio, budget, met, failure }) => [
    what,
    withNote(number(ours, unit), oursNote),
    recorded ? `(${number(peer, unit)})` : withNote(number(peer, unit), peerNote),
    ratio === undefined ? '' : `${ratio.toPrecision(2)} ×`,
    `${unit === '/s' ? '≥' : '≤'} ${budget.kind === 'ratio' ? `${budget.value} ×` : number(budget.value, unit)}`,
    failure ?? (met === undefined ? 'not measured' : met ? 'met' : '**missed**'),
  ]);
  return [['What', 'Ours', 'Peer', 'Ratio', 'Budget', ''], ['---', '---:', '---:', '---:', '---:', '---'], ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function withNote(figure: string, note: string | undefined): string {
  return note === undefined || figure === '' ? figure : `${figure} (${note})`;
}

function number(value: number | undefined, unit: Unit): string {
  if (value === undefined) return '';
  const digits = unit === 's' ? 3 : unit === '/s' || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\B(?=(\d{3})+$)/g, ',')} ${unit}`;
}
