import { Writable } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';
import { WebSocketConnection, isWebSocketRequest } from '../../../lib/websocket.ts';
import { drained } from '../answers.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, Hijacked } from '../request.ts';
import { attachable } from './attach.ts';
import { DetachKeys } from './detach-keys.ts';
import { sendLogs } from './logs.ts';

/** `GET /containers/{name}/attach/ws`: the container's streams as messages of a WebSocket, output without frames. @throws `invalid`, `conflict`, `not-found` */
export async function attachByWebSocket(deps: Deps, request: ApiRequest, connection: Hijacked): Promise<void> {
  if (!isWebSocketRequest(request.raw)) {
    throw new LongshoreError('invalid', 'this wants a WebSocket', {
      remedy: 'For another kind of connection, POST to /containers/{name}/attach.',
    });
  }
  const container = attachable(deps, request);
  const keys = new DetachKeys(request.query.get('detachKeys') || undefined);
  const tty = container.spec.process.terminal;
  const streams = request.flag('stream') ? await deps.containers.attach(container.id) : undefined;
  const stdin = request.flag('stdin') ? streams?.stdin : undefined;
  let ready: () => void = () => undefined;
  const past = new Promise<void>((resolve) => (ready = resolve));
  connection.take();
  const client = new WebSocketConnection(request.raw, connection.socket, Buffer.alloc(0), undefined, async (message) => {
    if (stdin === undefined) return;
    await past; // what is answered to it comes after what was logged before
    const { data, detached } = tty ? keys.filter(message) : { data: message, detached: false };
    const full = data.length > 0 && !stdin.write(data);
    if (detached) {
      deps.containers.announce(container.id, 'detach');
      streams?.detach();
    }
    if (full && !detached) await drained(stdin);
  });
  deps.containers.announce(container.id, 'attach');
  if (request.flag('logs')) {
    const output = new Writable({ write: (piece: Buffer, _encoding, done) => void client.send(piece).then(() => done(), done) });
    await sendLogs(deps.containers.logs(container.id, { stdout: request.flag('stdout'), stderr: request.flag('stderr') }), output, {
      tty: true,
      timestamps: false,
    });
    await new Promise<void>((resolve) => output.end(resolve));
  }
  ready();
  if (streams !== undefined) {
    streams.onOutput((stream, data) => (request.flag(stream) ? client.send(data) : undefined));
    void client.closed.then(() => streams.detach());
    await streams.closed;
  }
  await client.end();
}
