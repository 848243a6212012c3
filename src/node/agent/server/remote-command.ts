import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { CriStream } from '../../cri/cri.ts';
import { exitStatus, failedStatus, type RemoteStreams } from '../streams/channels.ts';
import { openSpdyStreams } from '../streams/remote-spdy.ts';
import { openWebSocketStreams } from '../streams/remote-websocket.ts';
import { isWebSocketRequest } from '../../../lib/websocket.ts';
import { flag, type ContainerTarget, type NodeApiOptions } from './request.ts';

/** Runs exec or attach over an upgraded connection, from the first byte to the exit code. */
export async function serveRemote(
  { agent, cri, clock, logger }: NodeApiOptions,
  verb: 'exec' | 'attach',
  target: ContainerTarget,
  query: URLSearchParams,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const wanted = {
    stdin: flag(query, 'stdin', 'input'),
    stdout: flag(query, 'stdout', 'output'),
    stderr: flag(query, 'stderr', 'error'),
    tty: flag(query, 'tty'),
  };
  const cmd = query.getAll('command');
  if (verb === 'exec' && cmd.length === 0) throw new LongshoreError('invalid', 'you must specify at least one command');
  const id = agent.find(target.namespace, target.pod)?.containerId(target.container);
  if (id === undefined) throw new LongshoreError('not-found', `container ${target.container} of pod ${target.pod} has not started`);
  // Before the upgrade: a container that does not run is an HTTP error.
  if ((await cri.containerStatus(id)).state !== 'CONTAINER_RUNNING') {
    throw new LongshoreError('conflict', `container ${target.container} of pod ${target.pod} is not running`);
  }

  const streams = isWebSocketRequest(request) ? openWebSocketStreams(request, socket, head, wanted) : await openSpdyStreams(request, socket, head, wanted);
  if (!streams) return;
  const size = followSize(streams);
  let session: CriStream;
  try {
    // A program that looks at its terminal's size at once should find the right one; clients send it first of all.
    if (verb === 'exec' && wanted.tty) await Promise.race([size.first, clock.sleep(FIRST_SIZE_MS)]);
    const consoleSize = size.latest();
    session =
      verb === 'exec'
        ? await cri.exec(id, { cmd, tty: wanted.tty, stdin: wanted.stdin, ...(consoleSize && { consoleSize }) })
        : await cri.attach(id, { tty: wanted.tty, stdin: wanted.stdin });
  } catch (error) {
    await streams.finish(failedStatus(messageOf(error)));
    return;
  }
  try {
    await pump(session, streams, size);
  } catch (error) {
    logger.debug(`${verb} ended with an error`, { pod: `${target.namespace}/${target.pod}`, error: messageOf(error) });
    await streams.finish(failedStatus(messageOf(error)));
  }
}

/** How long a command with a terminal waits for the client to tell the terminal's size, in milliseconds. */
const FIRST_SIZE_MS = 200;

interface Size { readonly columns: number; readonly rows: number }
interface FollowedSize {
  readonly first: Promise<void>;
  latest(): Size | undefined;
  /** Tells the latest size, if there is one, and each that follows. */
  follow(listener: (size: Size) => void): void;
}

function followSize(streams: RemoteStreams): FollowedSize {
  let latest: Size | undefined;
  let listener: ((size: Size) => void) | undefined;
  let told = (): void => {};
  const first = new Promise<void>((resolve) => (told = resolve));
  streams.onResize((columns, rows) => {
    latest = { columns, rows };
    told();
    listener?.(latest);
  });
  return {
    first,
    latest: () => latest,
    follow(each) {
      listener = each;
      if (latest) each(latest);
    },
  };
}

async function pump(session: CriStream, streams: RemoteStreams, size: FollowedSize): Promise<void> {
  const undo = session.onOutput((stream, data) => {
    const target = stream === 'stdout' ? streams.stdout : streams.stderr ?? streams.stdout;
    if (!target || target.destroyed || target.write(data)) return undefined;
    return new Promise<void>((resolve) => {
      const done = (): void => {
        target.off('drain', done).off('close', done);
        resolve();
      };
      target.once('drain', done).once('close', done);
    });
  });
  size.follow(({ columns, rows }) => {
    session.resize(columns, rows).catch(() => undefined); // it has ended: nothing is left to resize
  });
  if (streams.stdin && session.stdin) {
    const { stdin } = session;
    streams.stdin.on('error', () => stdin.end());
    stdin.on('error', () => streams.stdin!.resume()); // the command closed its input; what else comes is dropped
    streams.stdin.pipe(stdin);
  }
  const code = await Promise.race([session.exit, streams.closed.then(() => undefined)]);
  undo();
  if (code === undefined) session.close();
  else await streams.finish(exitStatus(code));
}
