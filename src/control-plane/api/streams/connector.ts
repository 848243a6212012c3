import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { noSuchResource } from '../errors.ts';
import type { Connector } from '../http/handler.ts';
import type { ApiRequest } from '../http/request.ts';
import type { ResourceRoute } from '../http/route.ts';
import type { Lookup } from '../lookup.ts';
import { forward } from './forward.ts';
import type { NodeConnector } from './node-connection.ts';
import { commandPath, containerOf, logOptions, logPath, podOf, podTarget, portForwardPath } from './pod-target.ts';
import { dial, podProxyTarget, serviceProxyTarget, splitName, type ProxyTarget } from './proxy-target.ts';
import { upgradeOf } from './relay-headers.ts';
import { relayUpgrade } from './upgrade.ts';

const POD_STREAMS = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/** The subresources that lead out of the API server: to a node's API, or to what runs in a pod. Authorised before they come here. */
export class StreamConnector implements Connector {
  readonly #lookup: Lookup;
  readonly #nodes: NodeConnector;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(parts: { readonly lookup: Lookup; readonly nodes: NodeConnector; readonly clock: Clock; readonly random: Random }) {
    this.#lookup = parts.lookup;
    this.#nodes = parts.nodes;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  handles({ group, resourceName, subresource }: ResourceRoute): boolean {
    if (group !== '' || subresource === undefined) return false;
    return resourceName === 'pods' ? POD_STREAMS.has(subresource) : subresource === 'proxy' && (resourceName === 'services' || resourceName === 'nodes');
  }

  async connect(request: ApiRequest): Promise<void> {
    const { route, target, exchange } = request;
    if (route.subresource === 'proxy' && route.rest === '' && (exchange.method === 'GET' || exchange.method === 'HEAD') && upgradeOf(exchange) === undefined) {
      // Without the slash, what a page refers to would be looked for beside the page.
      exchange.respond(301, [...request.headers, 'Location', `${target.rawPath}/${target.rawQuery === '' ? '' : `?${target.rawQuery}`}`], '');
      return;
    }
    const namespace = route.namespace ?? '';
    const name = route.name ?? '';
    switch (`${route.resourceName}/${route.subresource ?? ''}`) {
      case 'pods/log': {
        const options = logOptions(name, target.query);
        const pod = podOf(this.#lookup, namespace, name);
        const path = logPath(namespace, name, containerOf(pod, target.query), options);
        const node = pod.spec?.nodeName ?? '';
        // What runs nowhere has said nothing.
        if (node === '') {
          exchange.respond(204, request.headers, '');
          return;
        }
        return forward(request, await this.#nodes.connect(node), { method: 'GET', path, host: node, strict: true });
      }
      case 'pods/exec': case 'pods/attach': {
        const { pod, node } = podTarget(this.#lookup, namespace, name);
        const path = commandPath(route.subresource as 'exec' | 'attach', namespace, name, containerOf(pod, target.query), target.query);
        return relayUpgrade(request, await this.#nodes.connect(node), exchange.method, path, node);
      }
      case 'pods/portforward': {
        const { node } = podTarget(this.#lookup, namespace, name);
        const path = portForwardPath(namespace, name, target.query);
        return relayUpgrade(request, await this.#nodes.connect(node), exchange.method, path, node);
      }
      case 'nodes/proxy': {
        const { name: node } = splitName(name);
        const connection = await this.#nodes.connect(node);
        if (upgradeOf(exchange) !== undefined) return relayUpgrade(request, connection, exchange.method, this.#rest(request), node);
        return forward(request, connection, { method: exchange.method, path: this.#rest(request), host: node, strict: false, prefix: prefixOf(request) });
      }
      case 'pods/proxy': return this.#proxy(request, podProxyTarget(this.#lookup, namespace, name));
      case 'services/proxy': return this.#proxy(request, serviceProxyTarget(this.#lookup, this.#random, namespace, name));
      default: throw noSuchResource();
    }
  }

  async #proxy(request: ApiRequest, to: ProxyTarget): Promise<void> {
    const { exchange } = request;
    const path = this.#rest(request);
    const host = `${to.host.includes(':') ? `[${to.host}]` : to.host}:${to.port}`;
    const connection = await dial(to, this.#clock);
    if (upgradeOf(exchange) !== undefined) return relayUpgrade(request, connection, exchange.method, path, host);
    return forward(request, connection, { method: exchange.method, path, host, strict: false, prefix: prefixOf(request) });
  }

  /** The path beyond `proxy`, as it came, with the query. Dots that climb are refused: authorisation looked at the path before them. */
  #rest({ route, target }: ApiRequest): string {
    const rest = route.rest === undefined || route.rest === '' ? '/' : route.rest;
    // An encoded slash or backslash splits as well, for whoever decodes before it splits.
    if (
      rest
        .split('/')
        .flatMap((part) => safeDecode(part).split(/[/\\]/))
        .some((part) => part === '.' || part === '..')
    ) {
      throw noSuchResource();
    }
    return target.rawQuery === '' ? rest : `${rest}?${target.rawQuery}`;
  }
}

/** The path down to `proxy`, without the slash behind it. */
function prefixOf({ route, target }: ApiRequest): string {
  return target.rawPath.slice(0, target.rawPath.length - (route.rest?.length ?? 0));
}

function safeDecode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // Not an escape that anybody could read as dots.
  }
}
