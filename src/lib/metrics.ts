/**
 * Metrics in Prometheus' text format (version 0.0.4). A series is looked up
 * once and then counted on directly, so that counting costs an addition.
 */
export interface Counter {
  add(amount?: number): void;
}

export interface Histogram {
  /** In the metric's base unit: seconds, bytes. */
  observe(value: number): void;
}

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly series: Map<string, () => string>;
  readonly found: Map<string, unknown>;
}

export type Labels = Readonly<Record<string, string>>;

/** Upper bounds for durations of requests, in seconds. */
const DURATION_BUCKETS: readonly number[] = [0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** At most so many series for each name: labels that grow without end must not eat the memory. */
const MAX_SERIES = 5000;
const IGNORED: Counter & Histogram = { add: () => {}, observe: () => {} };

/** A set of metrics, rendered together. */
export class Metrics {
  readonly #families = new Map<string, Family>();

  /** Finds or makes a counter. Names end in `_total`. */
  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#series(name, 'counter', help, labels, (line) => {
      let value = 0;
      return [{ add: (amount = 1) => void (value += amount) }, () => line('', '', value)];
    });
  }

  /** A value that is read when somebody asks. */
  gauge(name: string, help: string, labels: Labels, read: () => number): void {
    this.#series(name, 'gauge', help, labels, (line) => [IGNORED, () => line('', '', read())]);
  }

  /** Finds or makes a histogram with these upper bounds, ascending. */
  histogram(name: string, help: string, labels: Labels = {}, bounds: readonly number[] = DURATION_BUCKETS): Histogram {
    return this.#series(name, 'histogram', help, labels, (line) => {
      const counts = Array.from({ length: bounds.length }, () => 0);
      let sum = 0;
      let count = 0;
      const observe = (value: number): void => {
        sum += value;
        count++;
        for (let at = 0; at < bounds.length; at++) {
          if (value <= bounds[at]!) {
            counts[at]!++;
            break;
          }
        }
      };
      const render = (): string => {
        let below = 0;
        const rows = bounds.map((bound, at) => line('_bucket', `le="${bound}"`, (below += counts[at]!)));
        return [...rows, line('_bucket', 'le="+Inf"', count), line('_sum', '', sum), line('_count', '', count)].join('');
      };
      return [{ observe }, render];
    });
  }

  /** The exposition of all that is here. */
  render(): string {
    let out = '';
    for (const [name, family] of this.#families) {
      out += `# HELP ${name} ${family.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${family.type}\n`;
      for (const render of family.series.values()) out += render();
    }
    return out;
  }

  #series<T extends Counter | Histogram>(
    name: string,
    type: Family['type'],
    help: string,
    labels: Labels,
    make: (line: (suffix: string, extra: string, value: number) => string) => readonly [T, () => string],
  ): T {
    let family = this.#families.get(name);
    if (family === undefined) this.#families.set(name, (family = { type, help, series: new Map(), found: new Map() }));
    const pairs = Object.entries(labels)
      .map(([key, value]) => `${key}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`)
      .join(',');
    const found = family.found.get(pairs);
    if (found !== undefined) return found as T;
    if (family.series.size >= MAX_SERIES) return IGNORED as unknown as T;
    const [handle, render] = make((suffix, extra, value) => {
      const inside = pairs !== '' && extra !== '' ? `${pairs},${extra}` : pairs + extra;
      return `${name}${suffix}${inside === '' ? '' : `{${inside}}`} ${value}\n`;
    });
    family.series.set(pairs, render);
    family.found.set(pairs, handle);
    return handle;
  }
}
