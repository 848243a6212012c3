import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Container } from '../../containers/containers.ts';
import type { AttachedStreams } from '../../runtime/runtime.ts';
import { write } from '../answers.ts';
import type { Deps } from '../deps.ts';
import { RAW_STREAM, frame, streamType } from '../frames.ts';
import type { ApiRequest, Hijacked } from '../request.ts';
import { DetachKeys } from './detach-keys.ts';
import { sendLogs } from './logs.ts';

/** `POST /containers/{name}/attach`: the container's streams over the connection itself. */
export async function attachContainer(deps: Deps, request: ApiRequest, connection: Hijacked): Promise<void> {
  const container = attachable(deps, request);
  const keys = new DetachKeys(request.query.get('detachKeys') || undefined);
  const tty = container.spec.process.terminal;
  const { socket } = connection;
  const streaming = request.flag('stream');
  const streams = streaming ? await deps.containers.attach(container.id) : undefined;
  connection.accept(streamType(tty, request.minor));
  deps.containers.announce(container.id, 'attach');
  if (request.flag('logs')) {
    await sendLogs(deps.containers.logs(container.id, { stdout: request.flag('stdout'), stderr: request.flag('stderr') }), socket, {
      tty,
      timestamps: false,
    });
  }
  if (streams === undefined) {
    socket.end();
    return;
  }
  await join(streams, socket, {
    tty,
    stdin: request.flag('stdin'),
    stdout: request.flag('stdout'),
    stderr: request.flag('stderr'),
    keys,
    onDetach: () => deps.containers.announce(container.id, 'detach'),
  });
}

/** The container to attach to. @throws `conflict` in a state in which nothing would come */
export function attachable(deps: Pick<Deps, 'containers'>, request: Pick<ApiRequest, 'params'>): Container {
  const container = deps.containers.get(request.params['name']!);
  if (container.status === 'paused') {
    throw new LongshoreError('conflict', `container ${container.name} is paused, unpause the container before attach`);
  }
  if (container.status === 'restarting') {
    throw new LongshoreError('conflict', `container ${container.name} is restarting, wait until the container is running`);
  }
  return container;
}

export interface JoinOptions {
  /** The process has a terminal: keys may detach. */
  readonly tty: boolean;
  /** Output goes as it is, without frames; left out: as `tty`. */
  readonly raw?: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly keys?: DetachKeys;
  readonly onDetach?: () => void;
  /** Something else to wait for before the connection is ended. */
  readonly beforeEnd?: Promise<void>;
}

/** Carries bytes between a container's streams and a connection until one of them ends. */
export async function join(streams: AttachedStreams, socket: Duplex, options: JoinOptions): Promise<void> {
  // What nobody wants is read as well: the process must be able to go on writing.
  streams.onOutput((stream, data) => (options[stream] ? write(socket, (options.raw ?? options.tty) ? data : frame(stream, data)) : undefined));
  const { stdin } = streams;
  if (options.stdin && stdin !== undefined) {
    socket.on('data', (piece: Buffer) => {
      const { data, detached } = options.tty && options.keys !== undefined ? options.keys.filter(piece) : { data: piece, detached: false };
      if (data.length > 0 && !stdin.write(data)) {
        socket.pause();
        stdin.once('drain', () => socket.resume());
      }
      if (detached) {
        options.onDetach?.();
        streams.detach();
      }
    });
    // The client has no more input; it still listens. It may have said so before the process was there.
    if (socket.readableEnded) stdin.end();
    else socket.on('end', () => stdin.end());
    // Reading the request's body may have left it paused.
    socket.resume();
  } else {
    // Only to see the client go.
    socket.resume();
  }
  socket.once('close', () => streams.detach());
  await streams.closed;
  if (!socket.destroyed) await options.beforeEnd;
  socket.end();
}

/** The same for a client that did not ask for an upgrade: output only, as the answer's body. */
export async function attachAsBody(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const container = deps.containers.get(request.params['name']!);
  const tty = container.spec.process.terminal;
  const streams = request.flag('stream') ? await deps.containers.attach(container.id) : undefined;
  response.writeHead(200, { 'Content-Type': RAW_STREAM });
  response.flushHeaders();
  if (request.flag('logs')) {
    await sendLogs(deps.containers.logs(container.id, { stdout: request.flag('stdout'), stderr: request.flag('stderr') }), response, {
      tty,
      timestamps: false,
    });
  }
  if (streams !== undefined) {
    streams.onOutput((stream, data) => (request.flag(stream) ? write(response, tty ? data : frame(stream, data)) : undefined));
    request.signal.addEventListener('abort', () => streams.detach(), { once: true });
    await streams.closed;
  }
  response.end();
}
