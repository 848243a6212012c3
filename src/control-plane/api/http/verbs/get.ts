import type { ApiRequest } from '../request.ts';
import { negotiate, type Door } from './door.ts';

const PLAIN = {};

export function get(door: Door, request: ApiRequest): void | Promise<void> {
  const wanted = negotiate(door, request);
  const { route, target } = request;
  const resourceVersion = target.query.get('resourceVersion');
  const plain = resourceVersion === undefined && route.subresource === undefined;
  const found = door.registry.get(request.context, request.resource, route.namespace, route.name!, plain ? PLAIN : {
    ...(resourceVersion !== undefined && { resourceVersion }), ...(route.subresource !== undefined && { subresource: route.subresource }),
  });
  if (found instanceof Promise) return found.then((stored) => door.representation.sendObject(request, wanted, 200, stored));
  return door.representation.sendObject(request, wanted, 200, found);
}
