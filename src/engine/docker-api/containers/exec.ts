import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import { resolveUser } from '../../containers/users.ts';
import type { ExecSession } from '../../runtime/runtime.ts';
import { write } from '../answers.ts';
import type { Deps } from '../deps.ts';
import { RAW_STREAM, frame, streamType } from '../frames.ts';
import type { ApiRequest, Hijacked, JsonAnswer } from '../request.ts';
import { EXEC, EXEC_START } from '../shapes.ts';
import { join } from './attach.ts';
import type { ExecConfig, ExecRecord } from './exec-registry.ts';
import { sizeIn } from './lifecycle.ts';

interface StartBody { Detach?: boolean; Tty?: boolean; ConsoleSize?: [number, number] | null }

/** `POST /containers/{name}/exec`. */
export async function createExec(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const config = await request.json<ExecConfig>(EXEC);
  if (config?.Cmd === undefined || config.Cmd === null || config.Cmd.length === 0) {
    throw new LongshoreError('invalid', 'No exec command specified');
  }
  const container = deps.containers.get(request.params['name']!);
  if (container.status === 'paused') {
    throw new LongshoreError('conflict', `Container ${container.name} is paused, unpause the container before exec`);
  }
  if (container.pid === undefined) throw new LongshoreError('conflict', `container ${container.id} is not running`);
  // Told now, as a status: the start can only write it into the stream.
  if (config.User) await resolveUser(container.rootfs, config.User);
  deps.containers.expectExec?.();
  const record = deps.execs.add(container.id, config);
  deps.containers.announce(container.id, `exec_create: ${config.Cmd.join(' ')}`, { execID: record.id });
  return { status: 201, body: { Id: record.id } };
}

/** `POST /exec/{id}/start` of a client that wants the streams: over the connection itself. */
export async function startExec(deps: Deps, request: ApiRequest, connection: Hijacked): Promise<void> {
  const body = (await request.json<StartBody>(EXEC_START)) ?? {};
  const record = startable(deps, request);
  if (body.Detach === true) {
    await startDetached(deps, record);
    connection.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  connection.accept(streamType(isRaw(body), request.minor));
  await attachTo(deps, record, sized(body, request), connection.socket);
}

/** The same for a client that did not ask for an upgrade: detached, or with output only. */
export async function startExecAsBody(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<JsonAnswer | void> {
  const body = (await request.json<StartBody>(EXEC_START)) ?? {};
  const record = startable(deps, request);
  if (body.Detach === true) {
    await startDetached(deps, record);
    return {};
  }
  response.writeHead(200, { 'Content-Type': RAW_STREAM });
  response.flushHeaders();
  const session = await begin(deps, record, sized(body, request)).catch((error: unknown) => {
    response.end(failureText(body, error));
    return undefined;
  });
  if (session === undefined) return;
  session.onOutput((stream, data) => (wants(record, stream) ? write(response, isRaw(body) ? data : frame(stream, data)) : undefined));
  request.signal.addEventListener('abort', () => session.detach(), { once: true });
  await session.closed;
  await finished(deps, record, session);
  response.end();
}

function startable(deps: Deps, request: ApiRequest): ExecRecord {
  const record = deps.execs.get(request.params['id']!);
  const container = deps.containers.get(record.containerId);
  if (container.pid === undefined) throw new LongshoreError('conflict', `container ${container.id} is not running`);
  return record;
}

/** Whether the streams go as they are, or in frames that say which is which: it is the start that decides, not the exec's own terminal. */
function isRaw(body: StartBody): boolean {
  return body.Tty ?? false;
}

/** The size of a terminal is for those who have one. */
function sized(body: StartBody, request: ApiRequest): StartBody {
  return isRaw(body) && request.minor >= 42 ? body : { ...body, ConsoleSize: null };
}

function wants(record: ExecRecord, stream: 'stdout' | 'stderr'): boolean {
  return (stream === 'stdout' ? record.config.AttachStdout : record.config.AttachStderr) ?? false;
}

async function startDetached(deps: Deps, record: ExecRecord): Promise<void> {
  const session = await begin(deps, record, { Detach: true });
  session.onOutput(() => undefined); // nobody looks, but the process must be able to write
  void finished(deps, record, session);
}

async function attachTo(deps: Deps, record: ExecRecord, body: StartBody, socket: Duplex): Promise<void> {
  let session: ExecSession;
  try {
    session = await begin(deps, record, body);
  } catch (error) {
    // The connection has been taken over: the reason can only go where the output would.
    socket.end(failureText(body, error));
    return;
  }
  const { config } = record;
  const ended = finished(deps, record, session);
  await join(session, socket, {
    tty: config.Tty ?? false,
    raw: isRaw(body),
    stdin: config.AttachStdin ?? false,
    stdout: wants(record, 'stdout'),
    stderr: wants(record, 'stderr'),
    keys: record.keys,
    // The client asks for the code as soon as the stream ends: it is there by then.
    beforeEnd: ended,
  });
}

function failureText(body: StartBody, error: unknown): Buffer {
  const text = Buffer.from(`${messageOf(error)}\r\n`);
  return isRaw(body) ? text : frame('stdout', text);
}

async function begin(deps: Deps, record: ExecRecord, body: StartBody): Promise<ExecSession> {
  const { config } = record;
  if (record.started) {
    throw new LongshoreError(
      'conflict',
      `exec command ${record.id} ${record.exitCode === undefined ? 'is already running' : 'has already run'}`,
    );
  }
  record.started = true;
  const size = body.ConsoleSize ?? config.ConsoleSize;
  deps.containers.announce(record.containerId, `exec_start: ${(config.Cmd ?? []).join(' ')}`, { execID: record.id });
  try {
    const session = await deps.containers.exec(record.containerId, {
      args: config.Cmd ?? [],
      env: config.Env ?? [],
      ...(config.WorkingDir ? { cwd: config.WorkingDir } : {}),
      ...(config.User ? { user: config.User } : {}),
      terminal: config.Tty ?? false,
      stdin: body.Detach !== true && (config.AttachStdin ?? false),
      background: body.Detach ?? false,
      privileged: config.Privileged ?? false,
      ...(size !== null && size !== undefined && size[0] > 0 ? { consoleSize: { rows: size[0], columns: size[1] } } : {}),
    });
    record.session = session;
    record.pid = session.pid;
    return session;
  } catch (error) {
    const message = messageOf(error);
    deps.execs.finish(
      record,
      /executable file not found|no such file or directory/.test(message)
        ? 127
        : /permission denied|is a directory/.test(message)
          ? 126
          : 128,
    );
    throw error;
  }
}

async function finished(deps: Deps, record: ExecRecord, session: ExecSession): Promise<void> {
  const { code } = await session.exit;
  deps.execs.finish(record, code);
  try {
    deps.containers.announce(record.containerId, 'exec_die', { execID: record.id, exitCode: String(code) });
  } catch (error) {
    if (!(error instanceof LongshoreError)) throw error; // the container is gone, and its events with it
  }
}

/** `POST /exec/{id}/resize?h=&w=`. */
export async function resizeExec(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const record = deps.execs.get(request.params['id']!);
  const { columns, rows } = sizeIn(request);
  if (record.session === undefined) throw new LongshoreError('conflict', `exec process is not running`, { object: `exec ${record.id}` });
  await record.session.resize(columns, rows);
  return {};
}

/** `GET /exec/{id}/json`. */
export function inspectExec(deps: Deps, request: ApiRequest): JsonAnswer {
  const record = deps.execs.get(request.params['id']!);
  const { config } = record;
  const [entrypoint = '', ...args] = config.Cmd ?? [];
  return {
    body: {
      ID: record.id,
      Running: record.session !== undefined,
      ExitCode: record.exitCode ?? null,
      ProcessConfig: {
        tty: config.Tty ?? false,
        entrypoint,
        arguments: args,
        privileged: config.Privileged ?? false,
        ...(config.User ? { user: config.User } : {}),
      },
      OpenStdin: config.AttachStdin ?? false,
      OpenStderr: config.AttachStderr ?? false,
      OpenStdout: config.AttachStdout ?? false,
      CanRemove: false,
      ContainerID: record.containerId,
      DetachKeys: '',
      Pid: record.pid ?? 0,
    },
  };
}
