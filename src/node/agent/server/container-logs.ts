import { watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { flag, type ContainerTarget, type NodeApiOptions } from './request.ts';

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** Which lines of a log are wanted. */
interface LogFilter {
  readonly sinceMs: number | undefined;
  readonly timestamps: boolean;
  readonly limitBytes: number;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

/** `GET /containerLogs/…`: the log of a container's newest run (or the one before), from the file in CRI's format that its supervisor writes. */
export async function serveLogs(
  { agent, cri, clock }: NodeApiOptions,
  target: ContainerTarget,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const previous = flag(query, 'previous');
  const worker = agent.find(target.namespace, target.pod);
  const id = worker?.containerId(target.container, previous);
  if (id === undefined) {
    throw new LongshoreError(
      'invalid',
      previous
        ? `previous terminated container "${target.container}" in pod "${target.pod}" not found`
        : `container "${target.container}" in pod "${target.pod}" is waiting to start: ${worker?.waitingReason(target.container) ?? 'ContainerCreating'}`,
    );
  }
  const status = await cri.containerStatus(id);
  const since = query.get('sinceTime');
  const seconds = query.get('sinceSeconds');
  const filter: LogFilter = {
    sinceMs: since !== null ? Date.parse(since) : seconds !== null ? clock.now() - Number(seconds) * 1000 : undefined,
    timestamps: flag(query, 'timestamps'),
    limitBytes: query.has('limitBytes') ? Number(query.get('limitBytes')) : Infinity,
    stream: ({ Stdout: 'stdout', Stderr: 'stderr' } as const)[query.get('stream') as 'Stdout'],
  };
  const tail = query.has('tailLines') ? Number(query.get('tailLines')) : undefined;
  let file: FileHandle;
  try {
    file = await open(status.logPath);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      throw new LongshoreError('not-found', `the log of container "${target.container}" is gone (${status.logPath})`);
    }
    throw error;
  }
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  const closed = new AbortController();
  request.once('close', () => closed.abort());
  response.once('close', () => closed.abort());
  try {
    const printer = new LinePrinter(filter, (text) => write(response, text));
    let at = tail === undefined ? 0 : await tailOffset(file, tail);
    at = await copy(file, at, printer);
    if (flag(query, 'follow')) {
      const ended = async (): Promise<boolean> => {
        try {
          return (await cri.containerStatus(id)).state === 'CONTAINER_EXITED';
        } catch {
          return true; // it was removed: nothing more will come
        }
      };
      await follow(
        file,
        at,
        status.logPath,
        printer,
        ended,
        (listener) => cri.onContainerEvent(({ containerId }) => containerId === id && listener()),
        closed.signal,
      );
    }
    printer.flush();
  } finally {
    await file.close();
    response.end();
  }
}

function write(response: ServerResponse, text: Buffer): Promise<void> | undefined {
  if (response.destroyed || response.write(text)) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
  });
}

/** Takes the log's bytes, and hands on what the client wants of them. */
class LinePrinter {
  readonly #filter: LogFilter;
  readonly #print: (text: Buffer) => Promise<void> | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #left: number;
  #midLine = false;

  constructor(filter: LogFilter, print: (text: Buffer) => Promise<void> | undefined) {
    this.#filter = filter;
    this.#print = print;
    this.#left = filter.limitBytes;
  }

  get done(): boolean {
    return this.#left <= 0;
  }

  async take(bytes: Buffer): Promise<void> {
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const out: Buffer[] = [];
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      const piece = this.#line(data.subarray(start, end));
      if (piece) out.push(...piece);
      start = end + 1;
    }
    this.#rest = Buffer.from(data.subarray(start));
    if (out.length === 0) return;
    const text = Buffer.concat(out);
    const cut = text.length > this.#left ? text.subarray(0, this.#left) : text;
    this.#left -= cut.length;
    await this.#print(cut);
  }

  flush(): void {
    // A last line without its end is one that is still being written.
    this.#rest = Buffer.alloc(0);
  }

  /** One entry: `<time> <stream> <F|P> <text>`; P is a piece of a line that goes on in the next entry. */
  #line(line: Buffer): Buffer[] | undefined {
    const first = line.indexOf(32);
    const second = line.indexOf(32, first + 1);
    const third = line.indexOf(32, second + 1);
    if (first < 0 || second < 0 || third < 0) return undefined;
    const { sinceMs, stream, timestamps } = this.#filter;
    if (stream !== undefined && line.toString('latin1', first + 1, second) !== stream) return undefined;
    // conmon writes UTC's offset in figures.
    const time = line.toString('latin1', 0, first).replace('+00:00', 'Z');
    if (sinceMs !== undefined && Date.parse(time) < sinceMs) return undefined;
    const whole = line[second + 1] === 70; // F
    const text = line.subarray(third + 1);
    const parts = [...(timestamps && !this.#midLine ? [Buffer.from(`${time} `)] : []), text, ...(whole ? [Buffer.from('\n')] : [])];
    this.#midLine = !whole;
    return parts;
  }
}

/** Copies from `at` to the file's present end. @returns where it stopped */
async function copy(file: FileHandle, at: number, printer: LinePrinter): Promise<number> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let position = at; !printer.done;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return position;
    position += bytesRead;
    await printer.take(buffer.subarray(0, bytesRead));
    at = position;
  }
  return at;
}

/** Where the last `lines` whole lines begin. */
async function tailOffset(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let found = -1; // the last line's own end does not begin another
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // Pieces (P) belong to the line that they begin, so only an end of a whole entry counts.
      if (buffer[at] === NEWLINE && ++found === lines) return start + at + 1;
    }
    end = start;
  }
  return lines === 0 ? size : 0;
}

async function follow(
  file: FileHandle,
  from: number,
  path: string,
  printer: LinePrinter,
  ended: () => Promise<boolean>,
  onEvent: (listener: () => void) => () => void,
  signal: AbortSignal,
): Promise<void> {
  let at = from;
  let wake = (): void => {};
  let changed = false;
  const poke = (): void => {
    changed = true;
    wake();
  };
  const watcher = watch(dirname(path), poke);
  const stop = onEvent(poke);
  signal.addEventListener('abort', poke, { once: true });
  try {
    while (!signal.aborted && !printer.done) {
      changed = false;
      const over = await ended();
      at = await copy(file, at, printer);
      if (over) return;
      if (!changed) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    watcher.close();
    stop();
  }
}
