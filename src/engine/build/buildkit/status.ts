import type { BuildEvent } from '../solve/progress.ts';
import { StatusResponse, timestamp } from './messages.ts';

type Pending = { -readonly [K in keyof StatusResponse]: StatusResponse[K][number][] };

/** Log pieces that are held for a client that doesn't read. */
const BOUND = 500;

/** A build's events on their way to its Status stream, put together while the client is busy. */
export class StatusQueue {
  #pending: Pending = empty();
  #wake: (() => void) | undefined;
  #room: (() => void)[] = [];
  #ended = false;
  /** Somebody reads; else logs are dropped rather than held. */
  #attached = false;

  push(event: BuildEvent): Promise<void> | void {
    if (this.#ended) return undefined;
    switch (event.type) {
      case 'vertex': {
        const { id, name, inputs, cached, startedMs, completedMs, error } = event.vertex;
        this.#pending.vertexes.push({ digest: id, name, inputs, cached, started: timestamp(startedMs), completed: timestamp(completedMs), error: error ?? '' });
        break;
      }
      case 'log':
        if (!this.#attached && this.#pending.logs.length >= BOUND) this.#pending.logs.shift();
        this.#pending.logs.push({ vertex: event.vertex, timestamp: timestamp(event.timeMs), stream: event.stream === 'stdout' ? 1 : 2, msg: event.data });
        break;
      case 'status':
        this.#pending.statuses.push({
          id: event.id,
          vertex: event.vertex,
          name: '',
          current: event.current,
          total: event.total,
          timestamp: timestamp(event.timeMs),
          started: timestamp(event.startedMs),
          completed: timestamp(event.completedMs),
        });
        break;
      case 'warning':
        this.#pending.warnings.push({ vertex: event.vertex, level: 1, short: Buffer.from(event.text) });
        break;
      case 'instruction':
        return undefined;
    }
    this.#wake?.();
    if (event.type !== 'log' || !this.#attached || this.#pending.logs.length < BOUND) return undefined;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
    this.#release();
  }

  /** Sends what there is, then what comes, until the build has ended. */
  async drain(send: (message: Uint8Array) => Promise<void> | void, signal: AbortSignal): Promise<void> {
    this.#attached = true;
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const { vertexes, logs, statuses, warnings } = this.#pending;
        if (vertexes.length + logs.length + statuses.length + warnings.length > 0) {
          this.#pending = empty();
          this.#release();
          await send(StatusResponse.encode({ vertexes, logs, statuses, warnings }));
        } else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#attached = false;
      this.#release();
      signal.removeEventListener('abort', onAbort);
    }
  }

  #release(): void {
    for (const resolve of this.#room.splice(0)) resolve();
  }
}

function empty(): Pending {
  return { vertexes: [], logs: [], statuses: [], warnings: [] };
}
