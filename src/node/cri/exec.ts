import type { Container, Containers } from '../../engine/containers/containers.ts';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { CriStream } from './cri.ts';

/** The most of each output stream that execSync keeps, as in containerd. */
const MAX_OUTPUT_BYTES = 16 * 2 ** 20;

interface Streams {
  readonly stdin: NodeJS.WritableStream | undefined;
  onOutput(listener: (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>): () => void | Promise<void>;
  detach(): void;
}

/** The engine's streams as CRI's. */
export function streamOf(streams: Streams, exit: Promise<number>, resize: CriStream['resize'], kill?: () => Promise<void>): CriStream {
  let over = false;
  const finished = exit.finally(() => (over = true));
  return {
    stdin: streams.stdin,
    onOutput(listener) {
      const undo = streams.onOutput(listener);
      return () => void undo();
    },
    exit: finished,
    resize,
    close() {
      streams.detach();
      // The client went away: as with the kubelet, its command ends too. One that ended meanwhile is no error.
      if (!over && kill) kill().catch(() => undefined);
    },
  };
}

/**
 * The streams of a container's own process.
 * @throws LongshoreError `conflict` when it does not run: the engine would keep the streams for its next run, and a pod's container has none
 */
export async function attachStream(
  containers: Pick<Containers, 'attach' | 'get' | 'resize'>,
  { id, status }: Pick<Container, 'id' | 'status'>,
  stdin: boolean,
): Promise<CriStream> {
  if (status !== 'running' && status !== 'paused') {
    throw new LongshoreError('conflict', 'the container has ended', { object: `container ${id}` });
  }
  const streams = await containers.attach(id);
  const exit = streams.closed.then(() => containers.get(id).exit?.code ?? 0);
  return streamOf(
    { stdin: stdin ? streams.stdin : undefined, onOutput: (listener) => streams.onOutput(listener), detach: () => streams.detach() },
    exit,
    (columns, rows) => containers.resize(id, columns, rows),
  );
}

/** Runs a command to its end. @throws `timeout` after `timeoutSeconds` (0: none); the command is killed then */
export async function collectExec(
  containers: Pick<Containers, 'exec'>,
  id: string,
  cmd: readonly string[],
  timeoutSeconds: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<{ stdout: Buffer; stderr: Buffer; exitCode: number }> {
  const limit = new AbortController();
  const cancel = timeoutSeconds > 0 ? clock.after(timeoutSeconds * 1000, () => limit.abort()) : () => {};
  const session = await containers.exec(id, {
    args: cmd,
    terminal: false,
    stdin: false,
    signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
  });
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const sizes = { stdout: 0, stderr: 0 };
  const undo = session.onOutput((stream, data) => {
    const room = MAX_OUTPUT_BYTES - sizes[stream];
    if (room <= 0) return;
    const piece = data.subarray(0, room);
    sizes[stream] += piece.length;
    kept[stream].push(Buffer.from(piece));
  });
  try {
    const { code } = await session.exit;
    if (limit.signal.aborted) {
      throw new LongshoreError('timeout', `command timed out after ${timeoutSeconds} s: ${cmd.join(' ')}`, { object: `container ${id}` });
    }
    await session.closed;
    return { stdout: Buffer.concat(kept.stdout), stderr: Buffer.concat(kept.stderr), exitCode: code };
  } finally {
    cancel();
    await undo();
    session.detach();
  }
}
