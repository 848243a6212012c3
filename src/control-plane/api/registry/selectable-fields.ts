import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { FieldReader, SelectableFields } from './field-selector.ts';

/** Fields by which each kind can be selected, besides metadata.name and metadata.namespace; what follows `=` is said of an absent value. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'core/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork=false',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  'core/nodes': ['spec.unschedulable=false'],
  'core/replicationcontrollers': ['status.replicas=0'],
  'core/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'core/namespaces': ['status.phase'],
  'core/secrets': ['type'],
  'core/services': ['spec.clusterIP', 'spec.type'],
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

/** Names that events.k8s.io has for fields of v1. */
const REGARDING: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((name) => [
      `regarding.${name}`,
      `involvedObject.${name}`,
    ]),
  ),
  reason: 'reason',
  type: 'type',
  reportingController: 'reportingComponent',
};

/**
 * The selectable fields of a kind. They are read from the object as it is stored.
 * @param extra JSON paths that a custom resource declares as selectable, as in `.spec.color`
 */
export function selectableFields(
  info: Pick<ResourceInfo, 'group' | 'version' | 'resource' | 'kind' | 'namespaced'>,
  extra: readonly string[] = [],
): SelectableFields {
  const id = `${info.group === '' ? 'core' : info.group}/${info.resource}`;
  const own = Object.hasOwn(FIELDS, id) ? FIELDS[id] : undefined;
  const readers = new Map<string, FieldReader>([['metadata.name', (object) => object.metadata?.name ?? '']]);
  if (info.namespaced) readers.set('metadata.namespace', (object) => object.metadata?.namespace ?? '');
  for (const entry of [...(own ?? []), ...extra.map((path) => path.replace(/^\./, ''))]) {
    const [field, absent = ''] = entry.split('=') as [string, string?];
    readers.set(field, readerOf(id, field, absent));
  }
  if (id === 'events.k8s.io/events') {
    for (const [field, core] of Object.entries(REGARDING)) {
      readers.set(field, readerOf('core/events', core, ''));
    }
  }
  return { readers, refusal: (field) => refusal(info, id, own !== undefined || id === 'events.k8s.io/events' || extra.length > 0, field) };
}

function readerOf(id: string, field: string, absent: string): FieldReader {
  const path = field.split('.');
  return SPECIAL[`${id}:${field}`] ?? ((object) => at(object, path, absent));
}

function refusal(info: Pick<ResourceInfo, 'group' | 'version' | 'kind'>, id: string, some: boolean, field: string): string {
  if (id === 'batch/jobs') return `field label ${JSON.stringify(field)} not supported for Job`;
  if (id === 'resource.k8s.io/resourceslices') {
    return `field label not supported for ${info.group}/${info.version}, Kind=${info.kind}: ${field}`;
  }
  return some
    ? `field label not supported: ${field}`
    : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
}
