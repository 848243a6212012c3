import type { ServerResponse } from 'node:http';
import { LongshoreError } from '../../../lib/errors.ts';
import type { LogEntry, LogOptions } from '../../containers/containers.ts';
import { write } from '../answers.ts';
import type { Deps } from '../deps.ts';
import { parseTime } from '../events.ts';
import { frame, streamType } from '../frames.ts';
import type { ApiRequest } from '../request.ts';

/** Pieces are gathered up to this size before they are written. */
const BATCH_BYTES = 64 * 1024;

/** `GET /containers/{name}/logs`. */
export async function containerLogs(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const [stdout, stderr] = [request.flag('stdout'), request.flag('stderr')];
  if (!stdout && !stderr) throw new LongshoreError('invalid', "must specify at least one of 'stdout' or 'stderr'");
  const container = deps.containers.get(request.params['name']!);
  if (container.spec.logging === 'none') {
    throw new LongshoreError('not-implemented', 'configured logging driver does not support reading', {
      object: `container ${container.name}`,
    });
  }
  const tailText = request.query.get('tail');
  const tail =
    tailText === null || tailText === '' || tailText === 'all' || Number(tailText) < 0 || Number.isNaN(Number(tailText))
      ? undefined
      : Number(tailText);
  const [sinceMs, untilMs] = [parseTime(request.query.get('since'), 'since'), parseTime(request.query.get('until'), 'until')];
  const options: LogOptions = {
    stdout, stderr,
    follow: request.flag('follow'),
    signal: request.signal,
    ...(tail === undefined ? {} : { tail }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  };
  const tty = container.spec.process.terminal;
  response.writeHead(200, { 'Content-Type': streamType(tty, request.minor) });
  response.flushHeaders();
  await sendLogs(deps.containers.logs(container.id, options), response, { tty, timestamps: request.flag('timestamps') });
  response.end();
}

/** Sends log entries in the stream's form; small ones together. */
export async function sendLogs(
  entries: AsyncIterable<LogEntry>,
  to: NodeJS.WritableStream,
  options: { readonly tty: boolean; readonly timestamps: boolean },
): Promise<void> {
  let batch: Buffer[] = [];
  let size = 0;
  let scheduled: NodeJS.Immediate | undefined;
  const flush = (): Promise<void> | undefined => {
    if (scheduled !== undefined) clearImmediate(scheduled);
    scheduled = undefined;
    if (size === 0) return undefined;
    const data = Buffer.concat(batch, size);
    batch = [];
    size = 0;
    return write(to, data);
  };
  // A line that follows a partial one is its rest, and gets no time of its own.
  const partial = { stdout: false, stderr: false };
  for await (const { stream, time, data } of entries) {
    const text = options.timestamps && !partial[stream] ? Buffer.concat([Buffer.from(`${time} `), data]) : data;
    partial[stream] = data.at(-1) !== 0x0a;
    const piece = options.tty ? text : frame(stream, text);
    batch.push(piece);
    size += piece.length;
    if (size >= BATCH_BYTES) await flush();
    else scheduled ??= setImmediate(() => void flush());
  }
  await flush();
}
