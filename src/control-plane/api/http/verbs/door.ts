import type { Clock } from '../../../../lib/clock.ts';
import type { Random } from '../../../../lib/random.ts';
import type { YamlReader } from '../../codec/yaml/yaml.ts';
import type { Access } from '../../authz/access.ts';
import type { Registry } from '../../contract.ts';
import type { Negotiator, Wanted } from '../accept.ts';
import type { BodyDecoders, ProtobufDecoder } from '../body.ts';
import type { Representation } from '../representation.ts';
import type { ApiRequest } from '../request.ts';
import { warningHeaders } from '../respond.ts';

/** What the verbs work with. */
export interface Door {
  readonly registry: Registry;
  readonly access: Access;
  readonly negotiator: Negotiator;
  readonly representation: Representation;
  readonly protobuf: ProtobufDecoder | undefined;
  readonly yaml: YamlReader;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the server stops: watches end. */
  readonly stopping: AbortSignal;
}

/** How bodies of a request are read. */
export function decodersOf(door: Door, { user }: ApiRequest): BodyDecoders {
  return { protobuf: door.protobuf, yaml: (bytes) => door.yaml.parse(bytes, user.name) };
}

/** What a request wants its answer to be. @throws StatusError 406 */
export function negotiate(door: Door, request: ApiRequest): Wanted {
  const { resource } = request;
  return door.negotiator.choose(request.exchange.header('accept'), {
    protobuf: door.representation.canProtobuf(resource),
    view: true,
    watchable: request.route.name === undefined && request.exchange.method === 'GET',
  });
}

/** The request with its warnings among the headers of the answer. */
export function withWarnings(request: ApiRequest): ApiRequest {
  const { warnings } = request.context;
  return warnings.length === 0 ? request : { ...request, headers: [...request.headers, ...warningHeaders(warnings)] };
}
