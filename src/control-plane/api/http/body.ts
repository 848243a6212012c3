import { messageOf } from '../../../lib/errors.ts';
import { parseJson } from '../codec/json.ts';
import { badRequest } from '../errors.ts';
import { ACCEPTED, unsupportedMediaType } from './accept.ts';
import type { Exchange } from './exchange.ts';
import { jsonSyntaxError } from './json-syntax.ts';

/** As upstream: what a request may weigh. */
export const BODY_LIMIT = 3 * 1024 * 1024;
/** More aliases than this are an attack: ten that nest make ten thousand million. */
const MAX_YAML_ALIASES = 100;
/** Tags of YAML 1.1 whose values JSON has no form for: they are read as strings and maps. */
const ODD_TAGS = new Set(['tag:yaml.org,2002:timestamp', 'tag:yaml.org,2002:binary', 'tag:yaml.org,2002:omap', 'tag:yaml.org,2002:pairs', 'tag:yaml.org,2002:set']);
const YAML_ERROR = 'error converting YAML to JSON: ';
const SUMMARY_BYTES = 30;

export interface DecodedBody {
  readonly value: unknown;
  /** Paths of keys that came twice; in YAML, the lines where they did. */
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

/** Parses a body of a request for `kind`. @throws StatusError 400 when the bytes are not what they are said to be, in upstream's words */
export async function decodeBody(bytes: Buffer, media: BodyMedia, protobuf: ProtobufDecoder | undefined, kind: string): Promise<DecodedBody> {
  if (media === 'protobuf') {
    if (protobuf === undefined) throw unsupportedMediaType(['application/json', 'application/yaml']);
    return { value: protobuf(bytes), duplicates: [] };
  }
  try {
    return media === 'json' ? parseJson(bytes) : await parseYaml(bytes);
  } catch (error) {
    const wrong = media === 'json' ? jsonSyntaxError(bytes) : yamlProblem(error);
    if (wrong === undefined) throw error;
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${media === 'json' ? `couldn't get version/kind; json parse error: ${wrong}` : wrong} (${summary(bytes)})`);
  }
}

/** A patch that must be JSON. @throws StatusError 400 */
export function decodePatch(bytes: Buffer): unknown {
  try {
    return parseJson(bytes).value;
  } catch (error) {
    const wrong = jsonSyntaxError(bytes);
    throw wrong === undefined ? error : badRequest(`error decoding patch: ${wrong}`);
  }
}

/** The beginning of a body, as an error shows it. */
function summary(bytes: Buffer): string {
  if (bytes.length === 0) return '<empty>';
  const cut = bytes.subarray(0, SUMMARY_BYTES);
  return `${bytes[0] === 0x7b ? cut.toString('utf8') : cut.toString('hex')}${bytes.length > SUMMARY_BYTES ? ' ...' : ''}`;
}

/** The part of an error of ours that tells what is wrong with YAML; undefined for other errors. */
function yamlProblem(error: unknown): string | undefined {
  const text = messageOf(error);
  return text.startsWith(YAML_ERROR) ? text.slice(YAML_ERROR.length).split('\n', 1)[0] : undefined;
}

/** The key that begins at a place of a YAML text. */
function keyAt(source: string, at: number): string {
  return /^["']?([^"':\n]*)/.exec(source.slice(at, at + 256))?.[1]?.trim() ?? '';
}

/**
 * One YAML document as a plain value, read as YAML 1.1 is, but that times and
 * numbers in base 60 stay strings, as with upstream. Keys that come twice are
 * told, and the last one wins. The parser is loaded when the first body comes.
 * @throws StatusError 400
 */
export async function parseYaml(bytes: Buffer): Promise<DecodedBody> {
  const { parseAllDocuments } = await import('yaml');
  try {
    const source = bytes.toString('utf8');
    const documents = parseAllDocuments(source, {
      version: '1.1', uniqueKeys: true, merge: true, logLevel: 'silent',
      customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || (!ODD_TAGS.has(tag.tag) && !('format' in tag && tag.format === 'TIME'))),
    });
    if (!Array.isArray(documents)) return { value: undefined, duplicates: [] };
    if (documents.length > 1) throw badRequest('the body holds more than one YAML document');
    const [document] = documents;
    if (document === undefined) return { value: undefined, duplicates: [] };
    const [broken] = document.errors.filter((error) => error.code !== 'DUPLICATE_KEY');
    if (broken !== undefined) throw badRequest(`${YAML_ERROR}yaml: ${broken.message}`);
    const value: unknown = document.toJS({ maxAliasCount: MAX_YAML_ALIASES });
    // Through JSON: maps with odd keys become what a JSON body could have held, and depth is checked.
    const text = Buffer.from(JSON.stringify(value) ?? 'null');
    return { value: parseJson(text).value, duplicates: document.errors.map((error) => `line ${error.linePos?.[0].line ?? 0}: key ${JSON.stringify(keyAt(source, error.pos[0]))} already set in map`) };
  } catch (error) {
    if (error instanceof RangeError || error instanceof ReferenceError) throw badRequest(`${YAML_ERROR}${messageOf(error)}`);
    throw error;
  }
}
