import { apiVersionOf } from '../../../client/resources.ts';
import type { ResourceRef } from '../../../client/transport.ts';
import type { KubeObject, OwnerReference } from '../../../types/kubernetes/meta.ts';

/** The reference to the one owner that manages the object, if there is one. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  const references = object.metadata?.ownerReferences;
  if (references === undefined) return undefined;
  for (const reference of references) if (reference.controller) return reference;
  return undefined;
}

/** True when `owner` manages the object. */
export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata?.uid;
}

/** The reference that a controller writes into what it makes for `owner`. */
export function controllerReference(resource: ResourceRef, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata!.name!,
    uid: owner.metadata!.uid!,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Name of the index below. */
export const BY_CONTROLLER = 'controller';

/** Files an object under its controller's uid, or under its namespace (see {@link orphanKey}) when it has none. */
export function byController(object: KubeObject): string {
  return controllerOf(object)?.uid ?? orphanKey(object.metadata?.namespace);
}

/** Where {@link byController} files what nobody manages. */
export function orphanKey(namespace: string | undefined): string {
  return `orphans of ${namespace ?? ''}`;
}
