import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import type { ListPage, StoredObject } from '../contract.ts';
import { encodeJson } from '../codec/json.ts';
import type { Wanted } from './accept.ts';
import type { Exchange } from './exchange.ts';
import { flag } from './options.ts';
import type { ApiRequest } from './request.ts';

/** As upstream: below this, compressing costs more than it saves. */
const GZIP_FROM = 128 * 1024;
const compress = promisify<Buffer, { level: number }, Buffer>(gzip as never);

/** Makes Tables for kubectl; `table/` has it. */
export interface TableMaker {
  table(resource: ResourceInfo, items: readonly StoredObject[], include: 'None' | 'Metadata' | 'Object', headers: boolean): unknown;
}

/** Encodes objects as application/vnd.kubernetes.protobuf, envelope included; undefined where this server can't. */
export interface ProtobufEncoder {
  handles(resource: ResourceInfo): boolean;
  object(resource: ResourceInfo, object: KubeObject): Buffer;
  list(resource: ResourceInfo, page: ListPage): Buffer;
  /** One frame of a watch, around an object that is encoded already. */
  watchEvent(type: string, body: Buffer): Buffer;
}

/** Answers with a body that is complete. Large ones are compressed, off the main thread, for who asks for it. */
export async function sendLarge(request: Pick<ApiRequest, 'exchange' | 'headers'>, status: number, type: string, body: Buffer): Promise<void> {
  const { exchange, headers } = request;
  if (body.length >= GZIP_FROM && accepts(exchange, 'gzip')) {
    const packed = await compress(body, { level: 1 });
    exchange.respond(status, [...headers, 'Content-Type', type, 'Content-Encoding', 'gzip', 'Vary', 'Accept-Encoding'], packed);
  } else exchange.respond(status, [...headers, 'Content-Type', type], body);
}

function accepts(exchange: Exchange, encoding: string): boolean {
  const header = exchange.header('accept-encoding');
  return header !== undefined && header.split(',').some((part) => {
    const [name, ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    return name === encoding && !parameters.includes('q=0');
  });
}

/** A value as JSON, or YAML where that is wanted; indented for people. */
export async function sendValue(request: Pick<ApiRequest, 'exchange' | 'headers' | 'target'>, status: number, wanted: Wanted, value: unknown): Promise<void> {
  if (wanted.format === 'yaml') {
    const { stringify } = await import('yaml');
    return sendLarge(
      request,
      status,
      'application/yaml',
      Buffer.from(stringify(value, { version: '1.1', sortMapEntries: true, aliasDuplicateObjects: false })),
    );
  }
  return sendLarge(request, status, 'application/json', wantsPretty(request) ? Buffer.from(`${JSON.stringify(value, null, 2)}\n`) : encodeJson(value));
}

/** As upstream: asked for in the query, or the client is one that people read from. */
export function wantsPretty({ exchange, target }: Pick<ApiRequest, 'exchange' | 'target'>): boolean {
  const asked = flag(target.query, 'pretty');
  if (asked !== undefined) return asked;
  const agent = exchange.header('user-agent');
  return agent !== undefined && (agent.startsWith('curl/') || agent.startsWith('Wget/') || agent.startsWith('Mozilla/5.0'));
}

/** The headers for warnings that the registry gave (RFC 7234, section 5.5, code 299). */
export function warningHeaders(warnings: readonly string[]): readonly string[] {
  return warnings.flatMap((text) => [
    'Warning',
    `299 - "${text
      .replaceAll(/[\\"]/g, '\\$&')
      .replaceAll(/[\r\n\t]+/g, ' ')
      .replaceAll(/[^\x20-\x7e]/g, '?')
      .slice(0, 4096)}"`,
  ]);
}

/** The Status of a failure as an answer. */
export function sendStatus(exchange: Exchange, headers: readonly string[], status: Status, pretty: boolean): void {
  const retry = status.details?.retryAfterSeconds;
  const extra = retry === undefined ? [] : ['Retry-After', String(retry)];
  exchange.respond(
    status.code ?? 500,
    [...headers, ...extra, 'Content-Type', 'application/json'],
    pretty ? JSON.stringify(status, null, 2) : JSON.stringify(status),
  );
}
