import { messageOf } from '../../../lib/errors.ts';
import { parseJson } from '../codec/json.ts';
import { YAML_ERROR } from '../codec/yaml/yaml.ts';
import { badRequest } from '../errors.ts';
import { ACCEPTED, unsupportedMediaType } from './accept.ts';
import type { Exchange } from './exchange.ts';
import { jsonSyntaxError } from './json-syntax.ts';

/** As upstream: what a request may weigh. */
export const BODY_LIMIT = 3 * 1024 * 1024;
const SUMMARY_BYTES = 30;

export interface DecodedBody {
  readonly value: unknown;
  /** Paths of keys that came twice; in YAML, the lines where they did. */
  readonly duplicates: readonly string[];
}

/** Decodes protobuf bodies, envelope included. */
export type ProtobufDecoder = (body: Buffer) => unknown;
/** Reads YAML bodies, for one user. */
export type YamlDecoder = (body: Buffer) => Promise<DecodedBody>;

export interface BodyDecoders {
  readonly protobuf: ProtobufDecoder | undefined;
  readonly yaml: YamlDecoder;
}

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
export async function decodeBody(bytes: Buffer, media: BodyMedia, { protobuf, yaml }: BodyDecoders, kind: string): Promise<DecodedBody> {
  if (media === 'protobuf') {
    if (protobuf === undefined) throw unsupportedMediaType(['application/json', 'application/yaml']);
    return { value: protobuf(bytes), duplicates: [] };
  }
  try {
    return media === 'json' ? parseJson(bytes) : await yaml(bytes);
  } catch (error) {
    const wrong = media === 'json' ? jsonSyntaxError(bytes) : yamlProblem(error);
    if (wrong === undefined) throw error;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): ${media === 'json' ? `couldn't get version/kind; json parse error: ${wrong}` : wrong} (${summary(bytes)})`,
    );
  }
}

/** A patch that must be JSON. @throws StatusError 400 */
export function decodePatch(bytes: Buffer): DecodedBody {
  try {
    return parseJson(bytes);
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
