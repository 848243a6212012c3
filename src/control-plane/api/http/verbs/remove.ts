import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import type { DeleteOutcome } from '../../contract.ts';
import { BODY_LIMIT, bodyMedia, decodeBody } from '../body.ts';
import { deleteParameters, listParameters, type DeleteRequest } from '../options.ts';
import type { ApiRequest } from '../request.ts';
import { sendValue } from '../respond.ts';
import { decodersOf, negotiate, withWarnings, type Door } from './door.ts';

/** Kinds whose deletion answers with the object that is gone; the others answer with a Status. */
const RETURNS_OBJECT = new Set([
  'pods',
  'namespaces',
  'services',
  'serviceaccounts',
  'persistentvolumes',
  'persistentvolumeclaims',
  'podtemplates',
  'resourcequotas',
  'storageclasses.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'deviceclasses.resource.k8s.io',
]);

async function optionsOf(door: Door, request: ApiRequest): Promise<DeleteRequest> {
  const bytes = await request.exchange.body(BODY_LIMIT);
  if (bytes.length === 0) return deleteParameters(request.target.query, undefined);
  return deleteParameters(request.target.query, (await decodeBody(bytes, bodyMedia(request.exchange), decodersOf(door, request), 'DeleteOptions')).value);
}

/** DELETE of one object. */
export async function remove(door: Door, request: ApiRequest): Promise<void> {
  const wanted = negotiate(door, request);
  const { acceptedWhenLeft, ...options } = await optionsOf(door, request);
  const outcome = await door.registry.delete(request.context, request.resource, request.route.namespace, request.route.name!, options);
  const status = !outcome.gone && acceptedWhenLeft === true ? 202 : 200;
  if (!outcome.gone || RETURNS_OBJECT.has(keyOf(request.resource))) {
    await door.representation.sendObject(withWarnings(request), wanted, status, outcome.stored);
  } else {
    await sendValue(withWarnings(request), status, { ...wanted, as: undefined }, successOf(request.resource, outcome));
  }
}

/** DELETE of all that a selector matches. */
export async function removeCollection(door: Door, request: ApiRequest): Promise<void> {
  const wanted = negotiate(door, request);
  const { acceptedWhenLeft: _, ...options } = await optionsOf(door, request);
  const items = await door.registry.deleteCollection(request.context, request.resource, request.route.namespace, listParameters(request.target.query), options);
  await door.representation.sendList(withWarnings(request), wanted, { revision: door.registry.revision, items });
}

function keyOf(resource: ResourceInfo): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
}

function successOf(resource: ResourceInfo, outcome: DeleteOutcome): unknown {
  const { name, uid } = outcome.stored.object.metadata ?? {};
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(resource.group !== '' && { group: resource.group }), kind: resource.resource, uid },
  };
}
