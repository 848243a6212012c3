import type { Logger } from '../../../lib/log.ts';
import { uuid } from '../../../lib/random.ts';
import { messageOf } from '../../../lib/errors.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import { impersonate } from '../authn/impersonation.ts';
import type { UserInfo } from '../contract.ts';
import { failure, noSuchResource, statusOf } from '../errors.ts';
import type { ResourceTable } from '../resource-table.ts';
import type { Exchange } from './exchange.ts';
import type { FairGate } from './gate.ts';
import { flag } from './options.ts';
import type { PathTable } from './paths.ts';
import type { ApiRequest } from './request.ts';
import { sendStatus, wantsPretty, warningHeaders } from './respond.ts';
import { parseResourceRoute, verbOf, type ResourceRoute } from './route.ts';
import { Routes } from './routes.ts';
import { parseTarget, type Target } from './target.ts';
import { withWarnings, type Door } from './verbs/door.ts';
import { get } from './verbs/get.ts';
import { list } from './verbs/list.ts';
import { remove, removeCollection } from './verbs/remove.ts';
import { watch } from './verbs/watch.ts';
import { create, patch, update } from './verbs/write.ts';

/** The subresources that lead to a node or a pod instead of to the registry; `streams/` has it. */
export interface Connector {
  handles(route: ResourceRoute): boolean;
  connect(request: ApiRequest): void | Promise<void>;
}

/** Told about each answer; for metrics. */
export type Observe = (verb: string, resource: string, subresource: string, code: number, ms: number) => void;

type Verb = (door: Door, request: ApiRequest) => void | Promise<void>;

const VERBS: Readonly<Record<string, Verb>> = { get, list, watch, create, update, patch, delete: remove, deletecollection: removeCollection };
/** Kinds of the core that are on their way out; every request for them is told so. */
const DEPRECATED: Readonly<Record<string, string>> = {
  endpoints: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice', componentstatuses: 'v1 ComponentStatus is deprecated in v1.19+',
};
const COLLECTION_VERBS = new Set(['list', 'watch', 'deletecollection']);
/** A write by upgrade: a WebSocket begins with GET, but runs a command all the same. */
const NEEDS_CREATE = new Set(['exec', 'attach', 'portforward']);

export interface HandlerParts {
  readonly door: Door;
  readonly resources: ResourceTable;
  readonly authenticator: Authenticator;
  readonly paths: PathTable;
  readonly connector: Connector;
  readonly gate: FairGate;
  readonly logger: Logger;
  readonly observe: Observe;
}

/** Takes every request through the same steps: read the target, authenticate, impersonate, wait for a turn, authorise, do. */
export class RequestHandler {
  readonly #parts: HandlerParts;
  readonly #routes: Routes;

  constructor(parts: HandlerParts) {
    this.#parts = parts;
    this.#routes = new Routes(parts.resources);
  }

  /** Never throws; answers every exchange. */
  readonly handle = (exchange: Exchange): void => {
    const audit = exchange.header('audit-id');
    const headers = [
      'Audit-Id',
      audit !== undefined && /^[\w-]{1,64}$/.test(audit) ? audit : uuid(this.#parts.door.random),
      'Cache-Control',
      'no-cache, private',
    ];
    let target: Target | undefined;
    try {
      const known = this.#routes.find(exchange.target);
      target = known?.target ?? parseTarget(exchange.target);
      const user = this.#userOf(exchange);
      const route = known?.route ?? parseResourceRoute(target, this.#parts.resources);
      if (route === undefined) this.#path(exchange, target, user, headers);
      else {
        if (known === undefined) this.#routes.keep(exchange.target, target, route);
        this.#resource(exchange, target, route, user, headers);
      }
    } catch (error) {
      this.#fail(exchange, target, headers, error);
    }
  };

  #userOf(exchange: Exchange): UserInfo {
    const user = this.#parts.authenticator.authenticate({
      clientCertificate: exchange.connection.clientCertificate,
      badCertificate: exchange.connection.badCertificate,
      authorization: exchange.header('authorization'),
      bearer: exchange.connection.bearer,
    });
    // Whatever part of an identity is asked for, the request is not the user's own any more.
    if (!exchange.hasHeaderOf('impersonate-')) return user;
    return impersonate(user, exchange.allHeaders(), this.#parts.door.access);
  }

  #path(exchange: Exchange, target: Target, user: UserInfo, headers: readonly string[]): void {
    this.#parts.door.access.checkPath(user, exchange.method === 'HEAD' ? 'get' : exchange.method.toLowerCase(), target.rawPath);
    const handler = this.#parts.paths.find(target.rawPath);
    if (handler === undefined) {
      if (target.rawPath.startsWith('/api')) throw noSuchResource();
      throw new NoSuchPath();
    }
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') throw methodNotAllowed();
    const result = handler({ exchange, target, user, headers });
    if (result !== undefined) result.catch((error: unknown) => this.#fail(exchange, target, headers, error));
  }

  #resource(exchange: Exchange, target: Target, route: ResourceRoute, user: UserInfo, headers: readonly string[]): void {
    const watching = exchange.method === 'GET' && (route.watchPrefix || (route.name === undefined && flag(target.query, 'watch') === true));
    const verb = verbOf(exchange.method, route, watching);
    const connecting = this.#parts.connector.handles(route);
    if (verb === 'watch' || connecting || isExempt(user)) {
      const result = this.#serve(exchange, target, route, user, headers, verb, connecting);
      if (result !== undefined) void result;
      return;
    }
    this.#parts.gate.run(
      user.name,
      () => this.#serve(exchange, target, route, user, headers, verb, connecting),
      (error) => this.#fail(exchange, target, headers, error),
    );
  }

  #serve(
    exchange: Exchange,
    target: Target,
    route: ResourceRoute,
    user: UserInfo,
    headers: readonly string[],
    verb: string,
    connecting: boolean,
  ): void | Promise<void> {
    const started = this.#parts.door.clock.monotonic();
    let request: ApiRequest | undefined;
    const fail = (error: unknown): void =>
      this.#failResource(exchange, target, route, request === undefined ? headers : withWarnings(request).headers, verb, started, error);
    try {
      this.#authorize(user, verb, route, target, connecting && connectsByUpgrade(exchange, route));
      request = this.#request(exchange, target, route, user, headers, verb);
      const result = connecting ? this.#parts.connector.connect(request) : VERBS[verb]!(this.#parts.door, request);
      if (result === undefined) {
        this.#done(verb, route, 200, started);
        return undefined;
      }
      return result.then(() => this.#done(verb, route, 200, started), fail);
    } catch (error) {
      fail(error);
      return undefined;
    }
  }

  /** @param upgrading what the request opens carries bytes both ways: whatever its method, it is a write, and authorised as one too */
  #authorize(user: UserInfo, verb: string, route: ResourceRoute, target: Target, upgrading: boolean): void {
    const { access } = this.#parts.door;
    const fieldSelector = route.name === undefined && verb !== 'create' ? target.query.get('fieldSelector') : undefined;
    // A namespace is authorised as an object within itself, so that its own roles can reach it.
    const namespace = route.namespace ?? (route.group === '' && route.resourceName === 'namespaces' ? route.name : undefined);
    const named = { group: route.group, resource: route.resourceName };
    access.check(user, verb, named, route.subresource, namespace, route.name, fieldSelector);
    if (upgrading && verb !== 'create') access.check(user, 'create', named, route.subresource, namespace, route.name);
  }

  /** @throws StatusError 404 or 405 when nothing like that is served */
  #request(exchange: Exchange, target: Target, route: ResourceRoute, user: UserInfo, headers: readonly string[], verb: string): ApiRequest {
    const { resource, subresource, subresourceInfo } = route;
    if (resource === undefined || (subresource !== undefined && subresourceInfo === undefined)) {
      throw this.#parts.resources.versions(route.group).length > 0 ? noSuchResource() : new NoSuchPath();
    }
    const verbs = subresourceInfo?.verbs ?? resource.verbs;
    if (route.watchPrefix && subresource !== undefined) throw noSuchResource();
    if (!verbs.includes(verb) || (route.watchPrefix && verb !== 'watch')) throw methodNotAllowed();
    // A name belongs to all verbs but those of collections.
    if (
      !route.watchPrefix &&
      (route.name === undefined) !== (COLLECTION_VERBS.has(verb) || (verb === 'create' && subresource === undefined))
    ) {
      throw methodNotAllowed();
    }
    if (route.namespace === undefined && resource.namespaced && (verb === 'create' || verb === 'deletecollection')) {
      throw methodNotAllowed();
    }
    const deprecated = route.group === '' ? DEPRECATED[route.resourceName] : undefined;
    return {
      exchange,
      target,
      route,
      resource,
      user,
      verb,
      headers: deprecated === undefined ? headers : [...headers, ...warningHeaders([deprecated])],
      context: { user, verb, warnings: [] },
    };
  }

  #done(verb: string, route: ResourceRoute, code: number, started: number): void {
    this.#parts.observe(verb, route.resourceName, route.subresource ?? '', code, this.#parts.door.clock.monotonic() - started);
  }

  #failResource(exchange: Exchange, target: Target, route: ResourceRoute, headers: readonly string[], verb: string, started: number, error: unknown): void {
    this.#done(verb, route, this.#fail(exchange, target, headers, error), started);
  }

  #fail(exchange: Exchange, target: Target | undefined, headers: readonly string[], error: unknown): number {
    if (error instanceof NoSuchPath) {
      exchange.respond(404, [...headers, 'Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'], '404 page not found\n');
      return 404;
    }
    const status = statusOf(error);
    if ((status.code ?? 500) >= 500 && !(error instanceof StatusError)) {
      this.#parts.logger.error('a request failed', {
        method: exchange.method,
        path: target?.rawPath,
        error: messageOf(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
    }
    sendStatus(exchange, headers, status, target !== undefined && wantsPretty({ exchange, target }));
    return status.code ?? 500;
  }
}

/** A path beneath no group that is served: answered in plain text, as by any web server. */
class NoSuchPath extends Error {}

/** Commands and forwarded ports always are; through a node's proxy they hide behind an upgrade. What pods and services serve is an application's own affair. */
function connectsByUpgrade(exchange: Exchange, { resourceName, subresource }: ResourceRoute): boolean {
  return resourceName === 'pods' ? NEEDS_CREATE.has(subresource!) : resourceName === 'nodes' && exchange.header('upgrade') !== undefined;
}

/** The platform's own components do not wait behind users. */
function isExempt(user: UserInfo): boolean {
  return user.name.startsWith('system:') && (user.name.startsWith('system:kube-') || user.name.startsWith('system:node:') || user.name === 'system:apiserver');
}

function methodNotAllowed(): StatusError {
  return new StatusError(failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {}));
}
