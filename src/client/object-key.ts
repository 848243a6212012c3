import type { KubeObject } from '../types/kubernetes/meta.ts';

/** `namespace/name`, or `name` for what has no namespace: the key of an object in stores and queues. */
export function objectKey(object: KubeObject): string {
  const metadata = object.metadata;
  return keyOf(metadata?.namespace, metadata?.name ?? '');
}

/** The same from its two parts. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

/** The inverse of {@link keyOf}. */
export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const at = key.indexOf('/');
  return at < 0 ? { namespace: undefined, name: key } : { namespace: key.slice(0, at), name: key.slice(at + 1) };
}
