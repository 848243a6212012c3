import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { KubeSide } from './side.ts';

/** A JSON client of one side that keeps some connections open. Loopback alone, so the certificate is not looked at. */
export class Api implements Disposable {
  readonly #side: KubeSide;
  readonly #agent: Agent;

  constructor(side: KubeSide, connections: number) {
    this.#side = side;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, rejectUnauthorized: false });
  }

  /** Sends one request and gives its answer as JSON. @throws Error for a status of 300 and above */
  async send<T = unknown>(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<T> {
    const response = await this.stream(method, path, body, contentType);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    if (response.statusCode! >= 300) throw new Error(`${method} ${path} answered ${response.statusCode}: ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  /** Sends one request and gives its answer as it comes, for watches. */
  async stream(method: string, path: string, body?: unknown, contentType = 'application/json', agent: Agent = this.#agent): Promise<IncomingMessage> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { hostname, port } = new URL(this.#side.url);
    const sent = request(
      {
        host: hostname,
        port,
        method,
        path,
        agent,
        headers: {
          authorization: `Bearer ${this.#side.token}`,
          accept: 'application/json',
          ...(bytes === undefined ? {} : { 'content-type': contentType, 'content-length': bytes.length }),
        },
      },
      resolve,
    );
    sent.once('error', reject);
    sent.end(bytes);
    return await promise;
  }

  /** Whole lines of a watch, parsed, until the callback says that it has seen enough. A server may end a watch that lags; it begins anew. */
  async watch(path: string, agent: Agent, see: (event: WatchEvent) => boolean): Promise<void> {
    while (!(await this.#watchOnce(path, agent, see))) await new Promise((resolve) => { setTimeout(resolve, 20); });
  }

  async #watchOnce(path: string, agent: Agent, see: (event: WatchEvent) => boolean): Promise<boolean> {
    const response = await this.stream('GET', path, undefined, undefined, agent);
    let rest = '';
    for await (const chunk of response.setEncoding('utf8')) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (!see(JSON.parse(line) as WatchEvent)) continue;
        response.destroy();
        return true;
      }
    }
    return false;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

export interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string };
    readonly spec?: { readonly nodeName?: string };
    readonly data?: Readonly<Record<string, string>>;
  };
}

/** Calls with 0 to count - 1, some at a time. */
export async function each(count: number, atOnce: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
