import { messageOf } from '../../../lib/errors.ts';
import { parseJson } from '../codec/json.ts';
import { badRequest } from '../errors.ts';
import { ACCEPTED, unsupportedMediaType } from './accept.ts';
import type { Exchange } from './exchange.ts';

/** As upstream: what a request may weigh. */
export const BODY_LIMIT = 3 * 1024 * 1024;
/** More aliases than this are an attack: ten that nest make ten thousand million. */
const MAX_YAML_ALIASES = 100;

export interface DecodedBody {
  readonly value: unknown;
  /** Paths of keys that came twice. */
  readonly duplicates: readonly string[];
}

/** Decodes protobuf bodies, envelope included. */
export type ProtobufDecoder = (body: Buffer) => unknown;

export type BodyMedia = 'json' | 'yaml' | 'protobuf';

/** The media type of a header's value, without parameters, in lower case. */
export function mediaType(header: string | undefined): string {
  if (header === undefined) return '';
  const end = header.indexOf(';');
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase();
}

/** How the body of a create, update or delete is written. No Content-Type is JSON. @throws StatusError 415 */
export function bodyMedia(exchange: Exchange): BodyMedia {
  switch (mediaType(exchange.header('content-type'))) {
    case '': case 'application/json': case '*/*': return 'json';
    case 'application/yaml': return 'yaml';
    case 'application/vnd.kubernetes.protobuf': return 'protobuf';
    default: throw unsupportedMediaType(ACCEPTED);
  }
}

/** @throws StatusError 400 when the bytes are not what they are said to be */
export async function decodeBody(bytes: Buffer, media: BodyMedia, protobuf: ProtobufDecoder | undefined): Promise<DecodedBody> {
  if (media === 'json') return parseJson(bytes);
  if (media === 'yaml') return { value: await parseYaml(bytes), duplicates: [] };
  if (protobuf === undefined) throw unsupportedMediaType(['application/json', 'application/yaml']);
  return { value: protobuf(bytes), duplicates: [] };
}

/** One YAML document (version 1.2, core schema) as a plain value. Loaded when the first one comes. @throws StatusError 400 */
export async function parseYaml(bytes: Buffer): Promise<unknown> {
  const { parseAllDocuments } = await import('yaml');
  try {
    const documents = parseAllDocuments(bytes.toString('utf8'), { uniqueKeys: true, merge: true, logLevel: 'silent' });
    if (!Array.isArray(documents)) return undefined;
    if (documents.length > 1) throw badRequest('the body holds more than one YAML document');
    const [document] = documents;
    if (document === undefined) return undefined;
    if (document.errors.length > 0) throw badRequest(`error converting YAML to JSON: yaml: ${document.errors[0]!.message}`);
    const value: unknown = document.toJS({ maxAliasCount: MAX_YAML_ALIASES });
    // Through JSON: dates and maps with odd keys become what a JSON body could have held, and depth is checked.
    return parseJson(Buffer.from(JSON.stringify(value) ?? 'null')).value;
  } catch (error) {
    if (error instanceof RangeError || error instanceof ReferenceError) throw badRequest(`error converting YAML to JSON: ${messageOf(error)}`);
    throw error;
  }
}
