import type { Metrics } from '../../../lib/metrics.ts';
import { jwkOf } from '../authn/jwt.ts';
import type { ServiceAccountTokens } from '../authn/service-account-tokens.ts';
import { failure } from '../errors.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { Negotiator, parseAccept } from './accept.ts';
import type { PathTable } from './paths.ts';
import { sendValue } from './respond.ts';
import { versionInfo } from './version.ts';

const JWKS = 'application/jwk-set+json';

/** /, /version, /metrics, and what others need to verify our tokens by themselves. */
export function addServerPaths(
  paths: PathTable,
  parts: { readonly metrics: Metrics; readonly tokens: ServiceAccountTokens; readonly address: () => string },
): void {
  const negotiator = new Negotiator();
  const wanted = negotiator.choose(undefined, { protobuf: false, view: false });
  paths.add('/', (request) => sendValue(request, 200, wanted, { paths: paths.list() }));
  paths.add('/version', (request) => sendValue(request, 200, wanted, versionInfo()));
  paths.add('/version/', (request) => sendValue(request, 200, wanted, versionInfo()));
  paths.add('/metrics', ({ exchange, headers }) =>
    exchange.respond(200, [...headers, 'Content-Type', 'text/plain; version=0.0.4; charset=utf-8'], parts.metrics.render()),
  );
  paths.add('/.well-known/openid-configuration', ({ exchange, headers }) => {
    const document = {
      issuer: parts.tokens.issuer,
      jwks_uri: `https://${parts.address()}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
    exchange.respond(200, [...headers.slice(0, 2), 'Content-Type', 'application/json', 'Cache-Control', 'public, max-age=3600'], JSON.stringify(document));
  });
  paths.add('/openid/v1/jwks', ({ exchange, headers }) => {
    const wants = parseAccept(exchange.header('accept') ?? '*/*').map(({ media }) => media);
    if (!wants.some((media) => media === '*/*' || media === 'application/*' || media === JWKS)) {
      throw new StatusError(failure(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${JWKS}`, {}));
    }
    exchange.respond(
      200,
      [...headers.slice(0, 2), 'Content-Type', JWKS, 'Cache-Control', 'public, max-age=3600'],
      JSON.stringify({ keys: parts.tokens.keys.map((key) => jwkOf(key)) }),
    );
  });
}
