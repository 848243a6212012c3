import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Clock } from '../lib/clock.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import { StatusError, type Status } from '../types/kubernetes/status.ts';
import { JsonLines } from './json-lines.ts';
import type { ClientConfig } from './kubeconfig.ts';
import { apiVersionOf, pathOf } from './resources.ts';
import type {
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectList,
  PatchType,
  ResourceRef,
  Transport,
  WatchEventType,
  WatchOptions,
  WatchSink,
  WriteOptions,
} from './transport.ts';
import { connectWire } from './wire-connect.ts';
import type { Wire, WireResponse } from './wire.ts';

export interface HttpTransportOptions {
  readonly config: ClientConfig;
  readonly clock: Clock;
  readonly userAgent?: string;
  /** Deadline of a call that is not a watch. */
  readonly timeoutMs?: number;
  /** See {@link connectWire}. */
  readonly protocol?: 'negotiate' | 'http/1.1' | 'h2';
}

const PATCH_TYPES: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const MAX_RESPONSE_BYTES = 512 << 20;
const MAX_EVENT_BYTES = 64 << 20;
const TOKEN_FILE_MS = 60_000;
/** A server that is busy says when to come back; we do, so often, waiting no longer than this. */
const BUSY_RETRIES = 4;
const LONGEST_BUSY_MS = 30_000;

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** The Kubernetes API over HTTP: any API server, by client certificate, token or password. */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #wire: Wire;
  readonly #basePath: string;
  #token: { readonly value: string; readonly atMs: number } | undefined;

  constructor(options: HttpTransportOptions) {
    const { config } = options;
    const origin = new URL(config.server);
    this.#options = options;
    this.#basePath = origin.pathname.replace(/\/+$/, '');
    this.#wire = connectWire(origin, {
      ...(config.ca && { ca: config.ca }), ...(config.certificate && { cert: config.certificate }), ...(config.key && { key: config.key }),
      ...(config.insecureSkipTlsVerify && { rejectUnauthorized: false }), ...(config.tlsServerName && { servername: config.tlsServerName }),
    }, options.clock, options.protocol);
  }

  /** Ends all connections, watches with them. */
  close(): void {
    this.#wire.close();
  }

  get<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, name: string, options: GetOptions = {}): Promise<T> {
    const query = queryOf({ resourceVersion: options.resourceVersion });
    return this.#json<T>({ method: 'GET', path: pathOf(resource, namespace, name, options.subresource) + query, signal: options.signal });
  }

  async list<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { signal, limit, ...rest } = options;
    const query = queryOf({ ...rest, limit: limit?.toString() });
    const list = await this.#json<{ metadata?: ObjectList<T>['metadata']; items?: (T & { apiVersion?: string; kind?: string })[] | null }>({
      method: 'GET',
      path: pathOf(resource, namespace) + query,
      signal,
    });
    const items = list.items ?? [];
    const apiVersion = apiVersionOf(resource);
    // In a list the items come without these two.
    for (const item of items as { apiVersion?: string; kind?: string }[]) {
      item.apiVersion ??= apiVersion;
      item.kind ??= resource.kind;
    }
    return { metadata: list.metadata ?? {}, items };
  }

  create<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, body: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(resource, namespace) + writeQuery(options);
    return this.#json<T>({ method: 'POST', path, body: typed(resource, body), signal: options.signal });
  }

  createSubresource<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    subresource: string,
    body: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = pathOf(resource, namespace, name, subresource) + writeQuery(options);
    return this.#json<T>({ method: 'POST', path, body, signal: options.signal });
  }

  update<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, name: string, body: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(resource, namespace, name, options.subresource) + writeQuery(options);
    return this.#json<T>({ method: 'PUT', path, body: typed(resource, body), signal: options.signal });
  }

  patch<T extends KubeObject>(
    resource: ResourceRef,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = pathOf(resource, namespace, name, options.subresource) + writeQuery(options);
    return this.#json<T>({ method: 'PATCH', path, body, contentType: PATCH_TYPES[type], signal: options.signal });
  }

  async delete(resource: ResourceRef, namespace: string | undefined, name: string, options: DeleteOptions = {}): Promise<void> {
    await this.#json({ method: 'DELETE', path: pathOf(resource, namespace, name), body: deleteBody(options), signal: options.signal });
  }

  async deleteCollection(
    resource: ResourceRef,
    namespace: string | undefined,
    options: DeleteOptions & Pick<ListOptions, 'labelSelector' | 'fieldSelector'> = {},
  ): Promise<void> {
    const query = queryOf({ labelSelector: options.labelSelector, fieldSelector: options.fieldSelector });
    await this.#json({ method: 'DELETE', path: pathOf(resource, namespace) + query, body: deleteBody(options), signal: options.signal });
  }

  watch<T extends KubeObject>(resource: ResourceRef, namespace: string | undefined, options: WatchOptions, sink: WatchSink<T>): () => void {
    const abort = new AbortController();
    let body: Readable | undefined;
    let over = false;
    const end = (error: Error | undefined): void => {
      if (over) return;
      over = true;
      body?.destroy();
      sink.ended(error);
    };
    const lines = new JsonLines((line) => {
      if (over) return;
      const { type, object } = line as { type: WatchEventType | 'ERROR'; object: T };
      if (type === 'ERROR') end(new StatusError(object as unknown as Status));
      else sink.event(type, object);
    }, MAX_EVENT_BYTES);
    const query = queryOf({
      watch: 'true', labelSelector: options.labelSelector, fieldSelector: options.fieldSelector, resourceVersion: options.resourceVersion,
      allowWatchBookmarks: options.allowWatchBookmarks?.toString(), sendInitialEvents: options.sendInitialEvents?.toString(),
      resourceVersionMatch: options.sendInitialEvents ? 'NotOlderThan' : undefined, timeoutSeconds: options.timeoutSeconds?.toString(),
    });
    void (async () => {
      try {
        const response = await this.#send({ method: 'GET', path: pathOf(resource, namespace) + query, signal: abort.signal });
        if (response.status !== 200) throw await failure(response);
        body = response.body;
        for await (const chunk of body) {
          if (over) return;
          lines.push(chunk as Buffer);
        }
        end(undefined);
      } catch (error) {
        end(error instanceof Error ? error : new Error(String(error)));
      }
    })();
    return () => {
      over = true;
      abort.abort();
      body?.destroy();
    };
  }

  async #json<T>(call: Call): Promise<T> {
    const { clock, timeoutMs = 60_000 } = this.#options;
    const deadline = new AbortController();
    const cancel = clock.after(timeoutMs, () =>
      deadline.abort(new LongshoreError('timeout', `${call.method} ${call.path} got no answer within ${timeoutMs / 1000} s`)),
    );
    const signal = call.signal ? AbortSignal.any([call.signal, deadline.signal]) : deadline.signal;
    try {
      for (let attempt = 0; ; attempt++) {
        const response = await this.#send({ ...call, signal });
        if (response.status >= 200 && response.status < 300) return JSON.parse((await collect(response.body)).toString('utf8')) as T;
        const waitMs = Number(response.retryAfter) * 1000;
        const error = await failure(response);
        if (!(waitMs >= 0) || attempt >= BUSY_RETRIES || (response.status !== 429 && response.status < 500)) throw error;
        await clock.sleep(Math.min(waitMs, LONGEST_BUSY_MS), signal);
      }
    } catch (error) {
      if (deadline.signal.aborted) throw deadline.signal.reason;
      if (call.signal?.aborted) throw new LongshoreError('canceled', `${call.method} ${call.path} was cancelled`, { cause: error });
      throw error;
    } finally {
      cancel();
    }
  }

  async #send(call: Call): Promise<WireResponse> {
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#options.userAgent ?? 'longshore' };
    const authorization = await this.#authorization();
    if (authorization !== undefined) headers['authorization'] = authorization;
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    const request = {
      method: call.method, path: this.#basePath + call.path, headers,
      ...(call.body !== undefined && { body: Buffer.from(JSON.stringify(call.body)) }), ...(call.signal && { signal: call.signal }),
    };
    try {
      return await this.#wire.request(request);
    } catch (first) {
      if (call.signal?.aborted) throw first;
      // A kept connection may have been closed by the server just now; what only reads is safe to send again.
      if (call.method === 'GET') {
        try {
          return await this.#wire.request(request);
        } catch (second) {
          throw this.#unreachable(call, second);
        }
      }
      throw this.#unreachable(call, first);
    }
  }

  #unreachable(call: Call, error: unknown): LongshoreError {
    return new LongshoreError(
      'unavailable',
      `${call.method} ${call.path}: the API server at ${this.#options.config.server} cannot be reached: ${messageOf(error)}`,
      { object: this.#options.config.server, cause: error },
    );
  }

  async #authorization(): Promise<string | undefined> {
    const { token, tokenFile, basic } = this.#options.config;
    if (token !== undefined) return `Bearer ${token}`;
    if (basic !== undefined) return `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
    if (tokenFile === undefined) return undefined;
    const nowMs = this.#options.clock.monotonic();
    if (this.#token === undefined || nowMs - this.#token.atMs > TOKEN_FILE_MS) {
      this.#token = { value: (await readFile(tokenFile, 'utf8')).trim(), atMs: nowMs };
    }
    return `Bearer ${this.#token.value}`;
  }
}

function typed<T extends KubeObject>(resource: ResourceRef, body: T): T {
  return body.kind !== undefined && body.apiVersion !== undefined ? body : { apiVersion: apiVersionOf(resource), kind: resource.kind, ...body };
}

function deleteBody(options: DeleteOptions): unknown {
  return {
    kind: 'DeleteOptions', apiVersion: 'v1',
    ...(options.gracePeriodSeconds !== undefined && { gracePeriodSeconds: options.gracePeriodSeconds }),
    ...(options.propagationPolicy !== undefined && { propagationPolicy: options.propagationPolicy }),
    ...(options.preconditions !== undefined && { preconditions: options.preconditions }),
    ...(options.dryRun && { dryRun: ['All'] }),
  };
}

function writeQuery(options: WriteOptions): string {
  return queryOf({ dryRun: options.dryRun ? 'All' : undefined, fieldManager: options.fieldManager, force: options.force?.toString() });
}

function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

async function collect(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > MAX_RESPONSE_BYTES) {
      body.destroy();
      throw new LongshoreError('too-large', `the answer is larger than ${MAX_RESPONSE_BYTES >> 20} MiB`, { remedy: 'List in pages, with a limit.' });
    }
  }
  return Buffer.concat(chunks, size);
}

/** A Status as the server sent it, or one made of the HTTP status where something else answered. */
async function failure(response: WireResponse): Promise<StatusError> {
  const text = (await collect(response.body)).toString('utf8');
  let status: Status | undefined;
  try {
    status = JSON.parse(text) as Status;
  } catch {
    status = undefined; // not JSON: a proxy's page, or plain text
  }
  if (status?.kind !== 'Status') {
    status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: text.slice(0, 1000) || `the server answered ${response.status}`,
      code: response.status,
    };
  }
  return new StatusError(status);
}
