import type { ResourceRef } from './transport.ts';

/** The built-in resources, each in the version in which our own parts read and write it. */
export * from '../types/kubernetes/generated/refs.ts';

/** `apps/v1`; `v1` for the core group: the apiVersion of its objects. */
export function apiVersionOf(resource: ResourceRef): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of the collection, or of the object where `name` is given, as the API serves it: `/api/v1/namespaces/default/pods/web`. */
export function pathOf(resource: ResourceRef, namespace: string | undefined, name?: string, subresource?: string): string {
  let path = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  if (namespace !== undefined && resource.namespaced) path += `/namespaces/${encodeURIComponent(namespace)}`;
  path += `/${resource.resource}`;
  if (name !== undefined) path += `/${encodeURIComponent(name)}`;
  if (subresource !== undefined) path += `/${subresource}`;
  return path;
}
