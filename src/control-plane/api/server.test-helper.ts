import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpsRequest, Agent } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import { RESOURCES } from '../../types/kubernetes/generated/resources.ts';
import { openMemoryStore } from '../store/memory-store.ts';
import { applyPatch, trackUpdate } from './apply/apply.ts';
import type { UserInfo } from './contract.ts';
import { openRegistry } from './registry/open.ts';
import { kubernetesRules } from './rules/rules.ts';
import { openApiServer, type ApiServer, type ApiServerOptions } from './server.ts';

/** Tokens of the fixture, and who they are. */
export const TOKENS: ReadonlyMap<string, UserInfo> = new Map([
  ['admin-token', { name: 'admin', groups: ['system:masters'] }],
  ['nobody-token', { name: 'nobody', groups: [] }],
  ['node-a-token', { name: 'system:node:node-a', groups: ['system:nodes'] }],
  ['node-b-token', { name: 'system:node:node-b', groups: ['system:nodes'] }],
]);

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; throws where it is none. */
  json<T = Record<string, never>>(): T;
}

export interface Call {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Where it succeeds, do not wait for the body: a watch never ends. */
  readonly headOnly?: boolean;
  readonly cert?: string;
  readonly key?: string;
}

export interface Served {
  readonly api: ApiServer;
  /** Over HTTPS with HTTP/1.1, as `admin` where no token is named; `token: ''` sends none. */
  call(method: string, path: string, call?: Call): Promise<Answer>;
  /** Creates as admin; throws what goes wrong. */
  make(path: string, object: Readonly<Record<string, unknown>>): Promise<KubeObject>;
  readonly agent: Agent;
  close(): Promise<void>;
}

/** A whole API server over a memory store, on a free port of loopback, with keys in a folder of its own. */
export async function serve(options: Partial<ApiServerOptions> & { readonly clock?: Clock } = {}): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-api-'));
  const store = await openMemoryStore();
  const clock = options.clock ?? systemClock;
  const api = await openApiServer({
    openRegistry: ({ admission }) =>
      openRegistry({
        store,
        rules: kubernetesRules,
        admission,
        clock,
        random: systemRandom,
        logger: silentLogger,
        applyPatch,
        trackUpdate,
        freeze: true,
      }),
    resources: RESOURCES,
    address: '127.0.0.1',
    port: 0,
    pkiFolder: folder,
    serviceCidr: '10.96.0.0/16',
    staticTokens: TOKENS,
    random: systemRandom,
    logger: silentLogger,
    ...options,
    clock,
  });
  const agent = new Agent({ keepAlive: true, ca: api.authority.certificate });
  const call = (
    method: string,
    path: string,
    { token = 'admin-token', body, type, headers = {}, headOnly, cert, key }: Call = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const bytes =
        body === undefined
          ? undefined
          : Buffer.isBuffer(body) || typeof body === 'string'
            ? Buffer.from(body)
            : Buffer.from(JSON.stringify(body));
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port: api.port,
          method,
          path,
          ...(cert === undefined ? { agent } : { agent: false, cert, key, ca: api.authority.certificate }),
          headers: {
            ...(token !== '' && { authorization: `Bearer ${token}` }),
            ...(bytes && { 'content-type': type ?? 'application/json', 'content-length': bytes.length }),
            ...headers,
          },
        },
        (response) => {
          if (headOnly === true && response.statusCode === 200) {
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text: '', json: () => assert.fail('no body was read') });
            response.on('error', () => {}); // We hang up ourselves.
            response.destroy();
            return;
          }
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: <T,>() => JSON.parse(text) as T });
          });
        },
      );
      request.on('error', reject);
      request.end(bytes);
    });
  return {
    api, call, agent,
    async make(path, object) {
      const answer = await call('POST', path, { body: object });
      if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
      return answer.json<KubeObject>();
    },
    async close() {
      agent.destroy();
      await api.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}
