import { Negotiator } from '../http/accept.ts';
import type { PathHandler, PathRequest, PathTable } from '../http/paths.ts';
import { sendValue } from '../http/respond.ts';
import type { ResourceTable } from '../resource-table.ts';
import { AggregatedDiscovery, wantsAggregated } from './aggregated.ts';
import { apiGroup, apiGroupList, apiResourceList, apiVersions } from './legacy.ts';

/** Puts /api, /apis and what is beneath into the table of paths. */
export function addDiscovery(paths: PathTable, resources: ResourceTable, address: () => string): void {
  const negotiator = new Negotiator();
  const aggregated = new AggregatedDiscovery(resources);
  const send = (request: PathRequest, value: unknown): void | Promise<void> => {
    if (value === undefined) return notFound(request);
    return sendValue(request, 200, negotiator.choose(request.exchange.header('accept'), { protobuf: false, view: false }), value);
  };
  const root = (core: boolean, legacy: () => unknown): PathHandler => (request) => {
    const { exchange, headers } = request;
    if (!wantsAggregated(exchange.header('accept'))) return send(request, legacy());
    const { body, etag } = aggregated.document(core);
    const out = [...headers.slice(0, 2), 'Cache-Control', 'public', 'Vary', 'Accept', 'ETag', etag];
    if (exchange.header('if-none-match') === etag) exchange.respond(304, out, '');
    else exchange.respond(200, [...out, 'Content-Type', 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'], body);
    return undefined;
  };
  const core = root(true, () => apiVersions(address()));
  const groups = root(false, () => apiGroupList(resources));
  paths.add('/api', core);
  paths.add('/api/', (request) => {
    const { segments } = request.target;
    if (segments.length === 2 && segments[1] === '') return core(request);
    return send(request, segments.length === 2 || segments[2] === '' ? apiResourceList(resources, '', segments[1]!) : undefined);
  });
  paths.add('/apis', groups);
  paths.add('/apis/', (request) => {
    const [, group = '', version = '', ...rest] = request.target.segments;
    if (group === '') return groups(request);
    if (version === '') {
      const found = apiGroup(resources, group);
      return send(request, found && { kind: 'APIGroup', apiVersion: 'v1', ...found });
    }
    return send(request, rest.length === 0 || (rest.length === 1 && rest[0] === '') ? apiResourceList(resources, group, version) : undefined);
  });
}

/** A group or version that is not served is a path like any other. */
function notFound({ exchange, headers }: PathRequest): void {
  exchange.respond(404, [...headers, 'Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'], '404 page not found\n');
}
