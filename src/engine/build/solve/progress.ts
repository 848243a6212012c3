import type { Clock } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';

/** One step of a build, as it is shown. */
export interface Vertex {
  /** `sha256:…`, unique within the build. */
  readonly id: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly cached: boolean;
  readonly startedMs: number | undefined;
  readonly completedMs: number | undefined;
  readonly error: string | undefined;
}

export type BuildEvent =
  | { readonly type: 'vertex'; readonly vertex: Vertex }
  | { readonly type: 'log'; readonly vertex: string; readonly stream: 'stdout' | 'stderr'; readonly data: Buffer; readonly timeMs: number }
  | {
      readonly type: 'status';
      readonly vertex: string;
      readonly id: string;
      readonly current: number;
      readonly total: number;
      readonly timeMs: number;
      readonly startedMs: number;
      readonly completedMs: number | undefined;
    }
  /** An instruction begins, those that are no steps included. */
  | { readonly type: 'instruction'; readonly text: string }
  | { readonly type: 'warning'; readonly vertex: string; readonly text: string; readonly line: number };

/** Takes events in order. A promise asks to wait before the next log. */
export type EventSink = (event: BuildEvent) => Promise<void> | void;

/** What a step's work says while it runs. */
export interface StepProgress {
  readonly id: string;
  log(stream: 'stdout' | 'stderr', data: Buffer): Promise<void> | void;
  /** Something within the step: a layer that is fetched, a phase. */
  status(id: string, current: number, total: number, done: boolean): void;
  /** Its result was there already. */
  cached(): void;
}

/** Tells a build's steps to whoever shows them. */
export class Progress {
  readonly #clock: Clock;
  readonly #sink: EventSink;

  constructor(clock: Clock, sink: EventSink) {
    this.#clock = clock;
    this.#sink = sink;
  }

  /** Shows a step that will come. */
  announce(id: string, name: string, inputs: readonly string[]): void {
    void this.#sink({ type: 'vertex', vertex: { id, name, inputs, cached: false, startedMs: undefined, completedMs: undefined, error: undefined } });
  }

  instruction(text: string): void {
    void this.#sink({ type: 'instruction', text });
  }

  warn(vertex: string, text: string, line: number): void {
    void this.#sink({ type: 'warning', vertex, text, line });
  }

  /** Runs a step, shown from its start to its end. */
  async step<T>(id: string, name: string, inputs: readonly string[], work: (step: StepProgress) => Promise<T>): Promise<T> {
    const startedMs = this.#clock.now();
    const began = new Map<string, number>();
    let cached = false;
    const show = (completedMs: number | undefined, error?: string): void =>
      void this.#sink({ type: 'vertex', vertex: { id, name, inputs, cached, startedMs, completedMs, error } });
    show(undefined);
    try {
      const result = await work({
        id,
        log: (stream, data) => this.#sink({ type: 'log', vertex: id, stream, data, timeMs: this.#clock.now() }),
        status: (status, current, total, done) => {
          const now = this.#clock.now();
          const statusStarted = began.get(status) ?? now;
          began.set(status, statusStarted);
          void this.#sink({
            type: 'status',
            vertex: id,
            id: status,
            current,
            total,
            timeMs: now,
            startedMs: statusStarted,
            completedMs: done ? now : undefined,
          });
        },
        cached: () => void (cached = true),
      });
      show(this.#clock.now());
      return result;
    } catch (error) {
      show(this.#clock.now(), messageOf(error));
      throw error;
    }
  }
}
