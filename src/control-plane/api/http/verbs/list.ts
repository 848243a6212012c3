import { listParameters } from '../options.ts';
import type { ApiRequest } from '../request.ts';
import { negotiate, type Door } from './door.ts';

export function list(door: Door, request: ApiRequest): void | Promise<void> {
  const wanted = negotiate(door, request);
  const page = door.registry.list(request.context, request.resource, request.route.namespace, listParameters(request.target.query));
  if (page instanceof Promise) return page.then((ready) => door.representation.sendList(request, wanted, ready));
  return door.representation.sendList(request, wanted, page);
}
