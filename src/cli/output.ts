/** Talk goes to standard error, data to standard output. */
export interface Talk {
  readonly color: boolean;
  say(line: string): void;
  /** A named phase with its time: shown while it runs on a terminal, and with its duration when it is done. */
  phase<T>(name: string, work: (note: (detail: string) => void) => Promise<T>): Promise<T>;
}

export interface TalkOptions {
  readonly write: (text: string) => void;
  readonly terminal: boolean;
  readonly color: boolean;
  /** Milliseconds, from any start. */
  readonly monotonic: () => number;
}

export function createTalk({ write, terminal, color, monotonic }: TalkOptions): Talk {
  const paint = (code: number, text: string): string => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
  return {
    color,
    say: (line) => write(line + '\n'),
    async phase(name, work) {
      const start = monotonic();
      const seconds = (): string => `${((monotonic() - start) / 1000).toFixed(2)} s`;
      let detail = '';
      const redraw = (): void => write(`\r\x1b[K  … ${name}${detail && ` · ${detail}`}`);
      if (terminal) redraw();
      try {
        const result = await work((next) => {
          detail = next;
          if (terminal) redraw();
        });
        write(`${terminal ? '\r\x1b[K' : ''}  ${paint(32, '✓')} ${name} ${paint(2, seconds())}\n`);
        return result;
      } catch (error) {
        write(`${terminal ? '\r\x1b[K' : ''}  ${paint(31, '✗')} ${name} ${paint(2, seconds())}\n`);
        throw error;
      }
    },
  };
}
