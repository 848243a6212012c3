import type { ResourceInfo, SubresourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { badRequest, failure, noSuchResource } from '../errors.ts';
import type { ResourceTable } from '../resource-table.ts';
import { isSafeSegment, type Target } from './target.ts';

/** What a path of /api or /apis names. */
export interface ResourceRoute {
  readonly group: string;
  readonly version: string;
  readonly resourceName: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** undefined when nothing like that is served: still authorised by its name, and only then answered with 404. */
  readonly resource: ResourceInfo | undefined;
  readonly subresourceInfo: SubresourceInfo | undefined;
  /** What follows `proxy/`, as it came; undefined elsewhere. */
  readonly rest: string | undefined;
  /** The deprecated form /api/v1/watch/…. */
  readonly watchPrefix: boolean;
}

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/**
 * Reads a resource path, as upstream's request information does.
 * @returns undefined for a path that is no resource (/api, /apis/apps/v1, /healthz)
 * @throws StatusError 404 for segments that try to be something else
 */
export function parseResourceRoute(target: Target, resources: ResourceTable): ResourceRoute | undefined {
  const { segments } = target;
  let at: number;
  let group: string;
  if (segments[0] === 'api' && segments.length >= 3) {
    group = '';
    at = 1;
  } else if (segments[0] === 'apis' && segments.length >= 4) {
    group = segments[1]!;
    at = 2;
  } else return undefined;
  const version = segments[at++]!;
  let watchPrefix = false;
  if (segments[at] === 'watch' && segments.length > at + 1) {
    watchPrefix = true;
    at++;
  }
  let end = segments.length;
  const proxied = proxyAt(segments, at);
  if (proxied === undefined && segments[end - 1] === '') end--; // One trailing slash is let pass, as upstream does.
  if (end <= at) return undefined;
  const limit = proxied ?? end;
  for (let i = 1; i < limit; i++) {
    if (isSafeSegment(segments[i]!)) continue;
    if (i === end - 1 && (segments[i] === '.' || segments[i] === '..')) {
      throw badRequest(`Name parameter invalid: ${JSON.stringify(segments[i])}: may not be '${segments[i]!}'`);
    }
    throw noSuchResource();
  }
  let namespace: string | undefined;
  if (segments[at] === 'namespaces' && end > at + 2 && !NAMESPACE_SUBRESOURCES.has(segments[at + 2]!)) {
    namespace = segments[at + 1]!;
    at += 2;
  }
  const resourceName = segments[at]!;
  const name = at + 1 < end ? segments[at + 1] : undefined;
  const subresource = at + 2 < end ? segments[at + 2] : undefined;
  if (proxied === undefined && end > at + 3) throw noSuchResource();
  let resource = resources.find(group, version, resourceName);
  if (
    resource !== undefined &&
    ((namespace !== undefined && !resource.namespaced) || (namespace === undefined && resource.namespaced && name !== undefined))
  ) {
    resource = undefined;
  }
  const subresourceInfo = subresource === undefined ? undefined : resource?.subresources.find((sub) => sub.name === subresource);
  const rest = proxied === undefined ? undefined : restOf(target.rawPath, proxied);
  return { group, version, resourceName, subresource, namespace, name, resource, subresourceInfo, rest, watchPrefix };
}

/** Index of the segment after `proxy`, for the three resources that have it. */
function proxyAt(segments: readonly string[], at: number): number | undefined {
  if (segments[0] !== 'api') return undefined;
  if (segments[at] === 'nodes' && segments[at + 2] === 'proxy') return at + 3;
  if (segments[at] === 'namespaces' && (segments[at + 2] === 'pods' || segments[at + 2] === 'services') && segments[at + 4] === 'proxy') {
    return at + 5;
  }
  return undefined;
}

function restOf(rawPath: string, segments: number): string {
  let at = 0;
  for (let n = 0; n < segments; n++) {
    at = rawPath.indexOf('/', at + 1);
    if (at < 0) return '';
  }
  return rawPath.slice(at);
}

/** Which verb a request to a resource asks for; authorisation hangs on it. @throws StatusError 405 */
export function verbOf(method: string, route: ResourceRoute, watching: boolean): string {
  switch (method) {
    case 'GET': case 'HEAD':
      if (route.watchPrefix) return 'watch';
      if (route.name !== undefined) return watching && route.subresource === undefined ? 'get' : 'get';
      return watching ? 'watch' : 'list';
    case 'POST': return 'create';
    case 'PUT': return 'update';
    case 'PATCH': return 'patch';
    case 'DELETE': return route.name === undefined ? 'deletecollection' : 'delete';
    default: throw new StatusError(failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {}));
  }
}
