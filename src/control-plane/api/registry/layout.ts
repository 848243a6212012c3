import type { KubeObject, ObjectMeta } from '../../../types/kubernetes/meta.ts';

/**
 * The object as it is stored: kind, apiVersion and metadata first, and within
 * metadata name to resourceVersion first, so that the resourceVersion is
 * found in the bytes at once, and objects of a kind share one shape. Shallow:
 * what is below is shared with `object`. Empty maps and lists of metadata are
 * left out, as Go's omitempty does.
 */
export function layOut(object: KubeObject, apiVersion: string, kind: string, revision: number): KubeObject {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  return { kind, apiVersion, metadata: layOutMeta(metadata ?? {}, revision), ...rest };
}

function layOutMeta(meta: ObjectMeta, revision: number): ObjectMeta {
  const out: Record<string, unknown> = {};
  if (meta.name) out.name = meta.name;
  if (meta.generateName) out.generateName = meta.generateName;
  if (meta.namespace) out.namespace = meta.namespace;
  if (meta.uid) out.uid = meta.uid;
  out.resourceVersion = String(revision);
  if (meta.generation) out.generation = meta.generation;
  if (meta.creationTimestamp) out.creationTimestamp = meta.creationTimestamp;
  if (meta.deletionTimestamp) out.deletionTimestamp = meta.deletionTimestamp;
  if (meta.deletionGracePeriodSeconds !== undefined && meta.deletionGracePeriodSeconds !== null) {
    out.deletionGracePeriodSeconds = meta.deletionGracePeriodSeconds;
  }
  if (filled(meta.labels)) out.labels = meta.labels;
  if (filled(meta.annotations)) out.annotations = meta.annotations;
  if (meta.ownerReferences !== undefined && meta.ownerReferences.length > 0) out.ownerReferences = meta.ownerReferences;
  if (meta.finalizers !== undefined && meta.finalizers.length > 0) out.finalizers = meta.finalizers;
  if (meta.managedFields !== undefined && meta.managedFields.length > 0) out.managedFields = meta.managedFields;
  return out;
}

function filled(map: Readonly<Record<string, string>> | undefined): boolean {
  for (const _ in map) return true;
  return false;
}
