import type { Worker } from 'node:worker_threads';
import type { Clock } from '../../../../lib/clock.ts';
import { badRequest, tooManyRequests } from '../../errors.ts';
import { parseJson } from '../json.ts';
import { readYaml, type YamlRead } from './read.ts';

/** Up to here YAML is read where it comes in: the worst of this length takes less time than a thread to start. */
const INLINE_BYTES = 8 * 1024;
const DEADLINE_MS = 5000;
const IDLE_MS = 2000;
const QUEUE = 16;
/** What a text may take that is far too long for what it says is a matter of the whole machine: one user has no more than these. */
const PER_USER = 4;

export const YAML_ERROR = 'error converting YAML to JSON: ';

export interface YamlValue {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

interface Job {
  readonly source: string;
  readonly user: string;
  readonly resolve: (read: YamlRead) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reads bodies in YAML. Its parser is slow and hungry enough that three
 * mebibytes could hold up every other request for ten seconds: all but small
 * texts are read in a thread, one at a time, within a deadline. The thread starts with the first of them and ends when it idles.
 */
export class YamlReader {
  readonly #after: Clock['after'];
  readonly #start: () => Promise<Worker>;
  readonly #queue: Job[] = [];
  readonly #ofUser = new Map<string, number>();
  #worker: Worker | undefined;
  #busy = false;
  #cancelIdle: (() => void) | undefined;

  /** @param start makes the thread; for tests */
  constructor(after: Clock['after'], start: () => Promise<Worker> = async () => (await import('./worker.ts')).startYamlWorker()) {
    this.#after = after;
    this.#start = start;
  }

  /** @throws StatusError 400 for what is no YAML or takes too much to read, 429 when too many texts wait */
  async parse(bytes: Buffer, user: string): Promise<YamlValue> {
    const source = bytes.toString('utf8');
    const read = bytes.length <= INLINE_BYTES ? await readYaml(source) : await this.#inThread(source, user);
    if ('manyDocuments' in read) throw badRequest('the body holds more than one YAML document');
    if ('problem' in read) throw badRequest(YAML_ERROR + read.problem);
    // Through JSON: maps with odd keys become what a JSON body could have held, and depth is checked.
    return { value: parseJson(Buffer.from(read.json)).value, duplicates: read.duplicates };
  }

  /** Ends the thread at once; what is being read fails. */
  async close(): Promise<void> {
    this.#cancelIdle?.();
    for (const job of this.#queue.splice(0)) job.reject(badRequest(`${YAML_ERROR}the server is stopping`));
    await this.#worker?.terminate();
  }

  async #inThread(source: string, user: string): Promise<YamlRead> {
    const own = this.#ofUser.get(user) ?? 0;
    if (this.#queue.length >= QUEUE || own >= PER_USER) {
      throw tooManyRequests('too many large YAML bodies wait to be read, please try again later or send JSON', 1);
    }
    this.#ofUser.set(user, own + 1);
    try {
      return await new Promise<YamlRead>((resolve, reject) => {
        this.#queue.push({ source, user, resolve, reject });
        this.#next();
      });
    } finally {
      const left = this.#ofUser.get(user)! - 1;
      if (left > 0) this.#ofUser.set(user, left);
      else this.#ofUser.delete(user);
    }
  }

  #next(): void {
    if (this.#busy) return;
    const job = this.#queue.shift();
    if (job === undefined) {
      this.#cancelIdle = this.#after(IDLE_MS, () => void this.#drop());
      return;
    }
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    this.#busy = true;
    this.#run(job.source).then(job.resolve, job.reject).finally(() => {
      this.#busy = false;
      this.#next();
    });
  }

  async #run(source: string): Promise<YamlRead> {
    const worker = (this.#worker ??= await this.#start());
    return new Promise((resolve, reject) => {
      const settle = (read: YamlRead): void => {
        cancel();
        worker.off('message', settle).off('error', failed).off('exit', ended);
        resolve(read);
      };
      const give = (problem: string): void => {
        void this.#drop();
        settle({ problem });
      };
      const failed = (error: Error): void => {
        worker.off('exit', ended);
        void this.#drop();
        cancel();
        reject(error);
      };
      const ended = (): void => give('the reader stopped');
      const cancel = this.#after(DEADLINE_MS, () => give('the text takes too long to read'));
      worker.on('message', settle).on('error', failed).on('exit', ended);
      worker.postMessage(source, []);
    });
  }

  async #drop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
