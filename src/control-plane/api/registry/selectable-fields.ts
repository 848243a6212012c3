import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { FieldReader } from './field-selector.ts';

/** Fields by which each kind can be selected, besides metadata.name and metadata.namespace; what follows `=` is said of an absent value. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'core/pods': ['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'spec.hostNetwork=false', 'status.phase', 'status.podIP', 'status.podIPs', 'status.nominatedNodeName'],
  'core/nodes': ['spec.unschedulable=false'],
  'core/replicationcontrollers': ['status.replicas=0'],
  'core/events': ['involvedObject.kind', 'involvedObject.namespace', 'involvedObject.name', 'involvedObject.uid', 'involvedObject.apiVersion', 'involvedObject.resourceVersion', 'involvedObject.fieldPath', 'reason', 'reportingComponent', 'source', 'type'],
  'core/namespaces': ['status.phase'],
  'core/secrets': ['type'],
  'core/services': ['spec.clusterIP', 'spec.type'],
  'apps/replicasets': ['status.replicas=0'],
  'batch/jobs': ['status.successful=0'],
  'certificates.k8s.io/certificatesigningrequests': ['spec.signerName'],
  'certificates.k8s.io/clustertrustbundles': ['spec.signerName'],
  'certificates.k8s.io/podcertificaterequests': ['spec.signerName', 'spec.podName', 'spec.nodeName'],
  'resource.k8s.io/resourceslices': ['spec.nodeName', 'spec.driver'],
};

/** Fields whose value is not the one at their path. */
const SPECIAL: Readonly<Record<string, FieldReader>> = {
  'core/events:source': (object) => at(object, ['source', 'component']) || at(object, ['reportingComponent']),
  'core/events:reportingComponent': (object) => at(object, ['reportingComponent']),
  'core/pods:status.podIPs': (object) => {
    const ips = (object as { status?: { podIPs?: readonly { ip?: string }[] } }).status?.podIPs ?? [];
    return ips.map((entry) => entry.ip ?? '').join(',');
  },
};

function at(object: KubeObject, path: readonly string[], absent = ''): string {
  let value: unknown = object;
  for (const name of path) {
    if (value === null || typeof value !== 'object') return absent;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? `${value}` : absent;
}

/**
 * The readers of a kind's selectable fields.
 * @param id `group/resource`, with `core` for the core group
 * @param extra JSON paths that a custom resource declares as selectable, as in `.spec.color`
 */
export function selectableFields(id: string, info: Pick<ResourceInfo, 'namespaced'>, extra: readonly string[] = []): ReadonlyMap<string, FieldReader> {
  const fields = new Map<string, FieldReader>([['metadata.name', (object) => object.metadata?.name ?? '']]);
  if (info.namespaced) fields.set('metadata.namespace', (object) => object.metadata?.namespace ?? '');
  for (const entry of [...(FIELDS[id] ?? []), ...extra.map((path) => path.replace(/^\./, ''))]) {
    const [field, absent = ''] = entry.split('=') as [string, string?];
    const path = field.split('.');
    fields.set(field, SPECIAL[`${id}:${field}`] ?? ((object) => at(object, path, absent)));
  }
  return fields;
}
