import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import { GRPC, GrpcClient, GrpcError } from '../../../lib/grpc.ts';
import type { Credentials } from '../../images/images.ts';
import type { AgentConnection } from '../solve/request.ts';
import { BytesMessage, CheckAgentRequest, CredentialsRequest, CredentialsResponse, SecretRequest, SecretResponse } from './messages.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const SSH = '/moby.sshforward.v1.SSH/';
const FIRST_WAIT_MS = 10_000;
const BOUND = 1000;
const SECRET_BYTES = 500 * 1024;

/** A client that serves its files, secrets and credentials. */
export class Session {
  readonly id: string;
  /** The same for the same folder of the same client. */
  readonly sharedKey: string;
  readonly client: GrpcClient;
  readonly #methods: ReadonlySet<string>;
  readonly #credentials = new Map<string, Promise<Credentials | undefined>>();

  constructor(id: string, sharedKey: string, client: GrpcClient, methods: ReadonlySet<string>) {
    this.id = id;
    this.sharedKey = sharedKey;
    this.client = client;
    this.#methods = methods;
  }

  supports(method: string): boolean {
    return this.#methods.has(method.toLowerCase());
  }

  /** undefined when the client has no such secret. */
  async secret(id: string, signal: AbortSignal): Promise<Buffer | undefined> {
    if (!this.supports('/moby.buildkit.secrets.v1.Secrets/GetSecret')) return undefined;
    try {
      const { data } = SecretResponse.decode(await this.client.unary('/moby.buildkit.secrets.v1.Secrets/GetSecret', SecretRequest.encode({ id }), {}, signal));
      if (data.length > SECRET_BYTES) throw new LongshoreError('too-large', `secret ${id} has more than ${SECRET_BYTES} bytes`);
      return data;
    } catch (error) {
      if (error instanceof GrpcError && error.code === GRPC.NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** The client's SSH agent (moby.sshforward.v1); undefined when it offers none of that id. */
  async sshAgent(id: string, signal: AbortSignal): Promise<AgentConnection | undefined> {
    if (!this.supports(`${SSH}CheckAgent`)) return undefined;
    try {
      await this.client.unary(`${SSH}CheckAgent`, CheckAgentRequest.encode({ id }), {}, signal);
    } catch (error) {
      if (error instanceof GrpcError && !signal.aborted) return undefined;
      throw error;
    }
    return (socket) => this.#forward(id, socket, signal);
  }

  async #forward(id: string, socket: Duplex, signal: AbortSignal): Promise<void> {
    const call = this.client.call(`${SSH}ForwardAgent`, { 'buildkit.ssh.id': id }, signal);
    const up = (async () => {
      for await (const data of socket as AsyncIterable<Buffer>) await call.send(BytesMessage.encode({ data }));
      call.end();
    })();
    // What goes wrong on the way up ends the way down.
    up.catch(() => call.cancel());
    try {
      for await (const bytes of call.messages) {
        if (!socket.write(BytesMessage.decode(bytes).data)) await once(socket, 'drain', { signal });
      }
      socket.end();
      await up;
    } finally {
      call.cancel();
    }
  }

  /** What the client knows for a registry; asked once. */
  credentials(domain: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
    let found = this.#credentials.get(host);
    if (!found) {
      found = this.#askCredentials(host, signal);
      this.#credentials.set(host, found);
      found.catch(() => this.#credentials.delete(host));
    }
    return found;
  }

  async #askCredentials(host: string, signal: AbortSignal): Promise<Credentials | undefined> {
    if (!this.supports('/moby.filesync.v1.Auth/Credentials')) return undefined;
    const { username, secret } = CredentialsResponse.decode(
      await this.client.unary('/moby.filesync.v1.Auth/Credentials', CredentialsRequest.encode({ host }), {}, signal),
    );
    if (secret === '') return undefined;
    return username === '' ? { identityToken: secret } : { username, password: secret };
  }
}

/** Sessions by their id; a build may name one that is just about to come. */
export class Sessions {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Session>();
  readonly #waiting = new Map<string, Set<(session: Session) => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a connection on which a client serves. @throws `invalid`, `exhausted` */
  add(socket: Duplex, head: Buffer, headers: Headers): void {
    const id = first(headers['x-docker-expose-session-uuid']);
    if (id === '') throw new LongshoreError('invalid', 'the session has no id');
    if (this.#sessions.size >= BOUND) throw new LongshoreError('exhausted', `there are ${BOUND} sessions already`);
    if (head.length > 0) socket.unshift(head);
    const rawKey = first(headers['x-docker-expose-session-sharedkey']);
    const sharedKey = first(headers['x-docker-expose-session-sharedkey-encoded']) === '1' ? unescape(rawKey) : rawKey;
    const methods = headers['x-docker-expose-session-grpc-method'] ?? [];
    // Node joins repeated headers.
    const names = (Array.isArray(methods) ? methods : methods.split(',')).map((name) => name.trim().toLowerCase());
    const session = new Session(id, sharedKey, new GrpcClient(socket), new Set(names));
    this.#sessions.set(id, session);
    session.client.onClose(() => {
      if (this.#sessions.get(id) === session) this.#sessions.delete(id);
    });
    for (const tell of this.#waiting.get(id) ?? []) tell(session);
    this.#waiting.delete(id);
  }

  /** @throws `not-found` when it doesn't come within some seconds */
  async get(id: string, signal: AbortSignal): Promise<Session> {
    const known = this.#sessions.get(id);
    if (known) return known;
    return await new Promise<Session>((resolve, reject) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', onAbort);
        waiting.delete(tell);
        if (waiting.size === 0) this.#waiting.delete(id);
      };
      const tell = (session: Session): void => {
        end();
        resolve(session);
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const cancel = this.#clock.after(FIRST_WAIT_MS, () => {
        end();
        reject(new LongshoreError('not-found', `no active session for ${id}: context deadline exceeded`));
      });
      waiting.add(tell);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  close(): void {
    for (const session of this.#sessions.values()) session.client.close();
  }
}

function first(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // Then it was not encoded.
    return text;
  }
}
