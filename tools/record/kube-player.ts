import { hostname } from 'node:os';
import type { TlsEndpoint } from './exchange.ts';
import { KubeNormaliser } from './normalise-kube.ts';
import type { Player } from './play.ts';
import { formatScenario } from './scenario.ts';

/** Who the scenarios' `@as` names: user and groups. The token is the name. */
export const USERS: ReadonlyMap<string, { readonly name: string; readonly uid: string; readonly groups: readonly string[] }> = new Map([
  ['admin', { name: 'admin', uid: 'admin-uid', groups: ['system:masters'] }],
  ['alice', { name: 'alice', uid: 'alice-uid', groups: ['developers'] }],
  ['bob', { name: 'bob', uid: 'bob-uid', groups: [] }],
]);

/** The first service address range: the peer and ours are started with the same. */
export const SERVICE_CIDR = '10.96.0.0/16';

const HEADERS = ['content-type', 'warning', 'location', 'allow', 'retry-after', 'www-authenticate', 'accept-patch'];

/** Plays scenarios on an API server that knows USERS by static tokens. */
export function kubePlayer(endpoint: TlsEndpoint, compact: () => Promise<void>): Player {
  const places = new Map<string, string>();
  if (hostname().length > 3) places.set(hostname(), '<hostname>');
  return {
    endpoint, compact,
    headers: () => HEADERS,
    headersOf: (user) => ({
      'User-Agent': 'golden',
      Accept: 'application/json',
      ...(user === 'nobody' ? {} : { Authorization: `Bearer ${user}` }),
    }),
    normaliser: (scenario) =>
      new KubeNormaliser({
        written: formatScenario({ ...scenario, steps: scenario.steps.map((step) => ({ ...step, answer: undefined })) }),
        places,
        hostname: hostname(),
        port: endpoint.port,
        alone: scenario.settings.get('with') === undefined,
        managedFields: scenario.settings.get('managedFields') === 'shown',
        now: Date.now,
      }),
  };
}

/** The namespaces that a scenario asks for, and what its pods need in them. */
export function* preparations(namespaces: readonly string[], controllers: boolean): Generator<{ readonly target: string; readonly body: unknown }> {
  for (const namespace of namespaces) {
    yield { target: '/api/v1/namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } };
    if (!controllers) {
      yield {
        target: `/api/v1/namespaces/${namespace}/serviceaccounts`,
        body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
      };
    }
  }
}
