import { noSuchResource } from '../errors.ts';
import { notAcceptable, parseAccept } from '../http/accept.ts';
import type { PathRequest, PathTable } from '../http/paths.ts';
import { sendLarge } from '../http/respond.ts';
import type { ResourceTable } from '../resource-table.ts';
import { OpenApiDocuments, type OpenApiDocument } from './documents.ts';

const SWAGGER_PROTO = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** Older clients write the version after an at-sign. */
const SWAGGER_PROTO_OLD = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

/** Puts /openapi/v2 and /openapi/v3 into the table of paths. */
export function addOpenApi(paths: PathTable, resources: ResourceTable): void {
  const documents = new OpenApiDocuments(resources);
  paths.add('/openapi/v2', (request) => {
    const form = swaggerForm(request.exchange.header('accept'));
    return send(request, documents.swagger(form), form === 'json' ? 'application/json' : SWAGGER_PROTO, []);
  });
  paths.add('/openapi/v3', ({ exchange, headers }) => {
    const index = Object.fromEntries(documents.names().map((name) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=${documents.hash(name)!}` }]));
    exchange.respond(200, [...headers, 'Content-Type', 'application/json'], JSON.stringify({ paths: index }));
  });
  paths.add('/openapi/v3/', (request) => {
    const { exchange, headers, target } = request;
    const name = target.rawPath.slice('/openapi/v3/'.length);
    const hash = documents.hash(name);
    if (hash === undefined) throw noSuchResource();
    const asked = target.query.get('hash');
    if (asked !== undefined && asked !== hash) {
      exchange.respond(301, [...headers, 'Location', `/openapi/v3/${name}?hash=${hash}`], '');
      return undefined;
    }
    // Named by its hash, a document never changes.
    const caching = asked === undefined ? [] : ['Cache-Control', 'public, max-age=31536000, immutable'];
    return send(request, documents.version3(name)!, 'application/json', caching);
  });
}

function swaggerForm(accept: string | undefined): 'json' | 'protobuf' {
  if (accept === undefined || accept === '') return 'json';
  for (const { media } of parseAccept(accept)) {
    if (media === SWAGGER_PROTO || media === SWAGGER_PROTO_OLD) return 'protobuf';
    if (media === 'application/json' || media === '*/*' || media === 'application/*') return 'json';
  }
  throw notAcceptable();
}

function send(request: PathRequest, document: OpenApiDocument, type: string, caching: readonly string[]): void | Promise<void> {
  const { exchange } = request;
  const headers = [...(caching.length > 0 ? [...request.headers.slice(0, 2), ...caching] : request.headers), 'ETag', document.etag, 'Vary', 'Accept'];
  if (exchange.header('if-none-match') === document.etag) {
    exchange.respond(304, headers, '');
    return undefined;
  }
  return sendLarge({ exchange, headers }, 200, type, document.body);
}
