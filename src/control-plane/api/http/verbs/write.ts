import type { PatchBody, WriteParameters } from '../../contract.ts';
import { StatusError } from '../../../../types/kubernetes/status.ts';
import { badRequest, failure } from '../../errors.ts';
import { decodeKind } from '../../rules/decode/decode.ts';
import { parseJson } from '../../codec/json.ts';
import { BODY_LIMIT, bodyMedia, decodeBody, decodePatch, mediaType, type DecodedBody, type YamlDecoder } from '../body.ts';
import { writeParameters } from '../options.ts';
import type { ApiRequest } from '../request.ts';
import { decodersOf, negotiate, withWarnings, type Door } from './door.ts';

/** POST: makes an object, or calls a subresource. */
export async function create(door: Door, request: ApiRequest): Promise<void> {
  const wanted = negotiate(door, request);
  const { exchange, route, context } = request;
  const media = bodyMedia(exchange);
  const options = writeParameters(request.target.query, exchange.header('user-agent'), 'CreateOptions', false);
  const body = decided(await decodeBody(await exchange.body(BODY_LIMIT), media, decodersOf(door, request), kindOf(request)), options, request);
  const outcome = await door.registry.create(context, request.resource, route.namespace, body, route.name === undefined ? options : {
    ...options, ...(route.name !== undefined && { name: route.name }), ...(route.subresource !== undefined && { subresource: route.subresource }),
  });
  await door.representation.sendObject(withWarnings(request), wanted, 201, outcome.stored);
}

/** PUT: replaces, or makes where the kind allows it. */
export async function update(door: Door, request: ApiRequest): Promise<void> {
  const wanted = negotiate(door, request);
  const { exchange, route, context } = request;
  const media = bodyMedia(exchange);
  const options = writeParameters(request.target.query, exchange.header('user-agent'), 'UpdateOptions', false);
  const body = decided(
    await decodeBody(await exchange.body(BODY_LIMIT), media, decodersOf(door, request), kindOf(request)),
    options,
    request,
  );
  const outcome = await door.registry.update(context, request.resource, route.namespace, route.name!, body, {
    ...options,
    ...(route.subresource !== undefined && { subresource: route.subresource }),
  });
  await door.representation.sendObject(withWarnings(request), wanted, outcome.created ? 201 : 200, outcome.stored);
}

const PATCHES = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
} as const;

/** PATCH in any of its four types. */
export async function patch(door: Door, request: ApiRequest): Promise<void> {
  const wanted = negotiate(door, request);
  const { exchange, route, context } = request;
  const media = mediaType(exchange.header('content-type'));
  if (!Object.hasOwn(PATCHES, media)) throw new StatusError(failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {}));
  const type = PATCHES[media as keyof typeof PATCHES];
  const options = writeParameters(request.target.query, exchange.header('user-agent'), 'PatchOptions', type === 'apply');
  const bytes = await exchange.body(BODY_LIMIT);
  const { body, strictFaults } = await patchBody(type, bytes, decodersOf(door, request).yaml);
  const outcome = await door.registry.patch(context, request.resource, route.namespace, route.name!, body, {
    ...options, ...(strictFaults.length > 0 && { strictFaults }), ...(route.subresource !== undefined && { subresource: route.subresource }),
  });
  await door.representation.sendObject(withWarnings(request), wanted, outcome.created ? 201 : 200, outcome.stored);
}

async function patchBody(type: PatchBody['type'], bytes: Buffer, yaml: YamlDecoder): Promise<{ body: PatchBody; strictFaults: readonly string[] }> {
  if (type !== 'apply') {
    const { value, duplicates } = decodePatch(bytes);
    const told = duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`);
    return { body: { type, body: value }, strictFaults: type === 'json' ? [...told, ...strangeMembers(value)].map((fault) => `json patch ${fault}`) : told };
  }
  const { value: body, duplicates } = await applied(bytes, yaml);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest('error decoding YAML: the applied configuration must be an object');
  }
  return {
    body: { type, body },
    strictFaults: duplicates.map((path) => (path.startsWith('line ') ? path : `key ${JSON.stringify(path)} already set in map`)),
  };
}

/** A configuration in YAML, of which JSON is the most frequent case; one that begins with a brace may be in flow style all the same. */
async function applied(bytes: Buffer, yaml: YamlDecoder): Promise<DecodedBody> {
  if (bytes[0] === 0x7b) {
    try {
      return parseJson(bytes);
    } catch {
      // What YAML says of it is what the client is told.
    }
  }
  try {
    return await yaml(bytes);
  } catch (error) {
    const wrong = error instanceof StatusError && error.status.code === 400 ? error.message : undefined;
    throw wrong === undefined ? error : badRequest(`error decoding YAML: ${wrong}`);
  }
}

const OPERATION = new Set(['op', 'path', 'from', 'value']);

/** Members of operations that JSON patches do not have. */
function strangeMembers(patch: unknown): string[] {
  if (!Array.isArray(patch)) return [];
  return (patch as unknown[]).flatMap((operation, at) =>
    typeof operation === 'object' && operation !== null
      ? Object.keys(operation)
          .filter((key) => !OPERATION.has(key))
          .map((key) => `unknown field "[${at}].${key}"`)
      : [],
  );
}

/** Keys that came twice: an error where the client is strict, a warning by default. */
function decided(decoded: DecodedBody, options: WriteParameters, request: ApiRequest): unknown {
  if (decoded.duplicates.length === 0 || options.fieldValidation === 'Ignore') return decoded.value;
  const told = decoded.duplicates.map((path) => (path.startsWith('line ') ? path : `duplicate field ${JSON.stringify(path)}`));
  if (options.fieldValidation === 'Strict') {
    // Everything that is wrong at once: the registry would stop at what it sees itself.
    const unknown: string[] = [];
    if (request.route.subresource === undefined) decodeKind(request.resource, decoded.value, unknown);
    told.push(...unknown.map((path) => `unknown field ${JSON.stringify(path)}`));
    const { kind, version } = request.resource;
    const lead = told[0]!.startsWith('line ') ? 'yaml: unmarshal errors:\n  ' : '';
    throw badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: strict decoding error: ${lead}${told.join(', ')}`);
  }
  request.context.warnings.push(...told);
  return decoded.value;
}

/** The kind that a body of this request should be. */
function kindOf({ route, resource }: ApiRequest): string {
  return route.subresourceInfo?.kind ?? resource.kind;
}
