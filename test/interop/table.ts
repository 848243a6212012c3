/** What was tried of parts that were swapped, and how it went. */
export interface Row {
  readonly swap: string;
  readonly what: string;
  /** Undefined where it worked. */
  readonly failure: string | undefined;
  readonly ms: number;
}

/** The rows of one swap. A check that fails keeps no other from being made. */
export class Checks {
  readonly rows: Row[] = [];
  readonly #swap: string;

  constructor(swap: string) {
    this.#swap = swap;
  }

  async check(what: string, work: () => Promise<unknown>): Promise<void> {
    const begun = performance.now();
    let failure: string | undefined;
    try {
      await work();
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    const row = { swap: this.#swap, what, failure, ms: performance.now() - begun };
    this.rows.push(row);
    process.stderr.write(`  ${failure === undefined ? '✓' : '✗'} ${what} ${(row.ms / 1000).toFixed(1)} s${failure === undefined ? '' : `: ${failure}`}\n`);
  }
}

/** As Markdown. */
export function formatTable(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ').slice(0, 200);
  const lines = rows.map(({ swap, what, failure }) => `| ${swap} | ${what} | ${failure === undefined ? '✓' : `✗ ${cell(failure)}`} |`);
  return ['| Swap | What was tried | |', '|---|---|---|', ...lines, ''].join('\n');
}
