import type {
  ComponentStatus,
  ConfigMap,
  Event as CoreEvent,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  ResourceQuota,
  Secret,
} from '../../../../types/kubernetes/generated/core-v1.ts';
import type { Event as NewEvent } from '../../../../types/kubernetes/generated/events-v1.ts';
import { AGE, column, NAME, since, wide, type Column } from '../column.ts';

const CREATED: Column = { ...column('Created At', ({ metadata }) => metadata?.creationTimestamp ?? null, { type: 'date' }) };
/** For kinds of which upstream shows no more than when they were made. */
export const NAME_AND_DATE: readonly Column[] = [NAME, CREATED];

export const NAMESPACE: readonly Column[] = [NAME, column<Namespace>('Status', ({ status }) => status?.phase ?? ''), AGE];
export const CONFIG_MAP: readonly Column[] = [
  NAME,
  column<ConfigMap>('Data', ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length),
  AGE,
];
export const SECRET: readonly Column[] = [
  NAME,
  column<Secret>('Type', ({ type }) => type ?? ''),
  column<Secret>('Data', ({ data }) => Object.keys(data ?? {}).length),
  AGE,
];

const ROLE = 'node-role.kubernetes.io/';

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

function nodeRoles({ metadata }: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(metadata?.labels ?? {})) {
    if (key.startsWith(ROLE) && key.length > ROLE.length) roles.add(key.slice(ROLE.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

const addressOf = ({ status }: Node, type: string): string => status?.addresses?.find((address) => address.type === type)?.address ?? '<none>';

export const NODE: readonly Column[] = [
  NAME,
  column<Node>('Status', nodeStatus),
  column<Node>('Roles', nodeRoles),
  AGE,
  column<Node>('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
  wide<Node>('Internal-IP', (node) => addressOf(node, 'InternalIP')),
  wide<Node>('External-IP', (node) => addressOf(node, 'ExternalIP')),
  wide<Node>('OS-Image', ({ status }) => status?.nodeInfo?.osImage || '<unknown>'),
  wide<Node>('Kernel-Version', ({ status }) => {
    const { kernelVersion, architecture } = status?.nodeInfo ?? {};
    return `${kernelVersion || '<unknown>'}${architecture ? ` (${architecture})` : ''}`;
  }),
  wide<Node>('Container-Runtime', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>'),
];

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const modesText = (modes: readonly string[] | undefined): string =>
  Object.keys(MODES)
    .filter((mode) => modes?.includes(mode))
    .map((mode) => MODES[mode])
    .join(',');
const phaseOf = ({ metadata, status }: PersistentVolume | PersistentVolumeClaim): string =>
  metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating';
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

export const VOLUME: readonly Column[] = [
  NAME,
  column<PersistentVolume>('Capacity', ({ spec }) => spec?.capacity?.storage ?? '0'),
  column<PersistentVolume>('Access Modes', ({ spec }) => modesText(spec?.accessModes)),
  column<PersistentVolume>('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''),
  column<PersistentVolume>('Status', phaseOf),
  column<PersistentVolume>('Claim', ({ spec }) => (spec?.claimRef === undefined ? '' : `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`)),
  column<PersistentVolume>('StorageClass', ({ spec, metadata }) => metadata?.annotations?.[BETA_CLASS] ?? spec?.storageClassName ?? ''),
  column<PersistentVolume>('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  column<PersistentVolume>('Reason', ({ status }) => status?.reason ?? ''),
  AGE,
  wide<PersistentVolume>('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
];

export const CLAIM: readonly Column[] = [
  NAME,
  column<PersistentVolumeClaim>('Status', phaseOf),
  column<PersistentVolumeClaim>('Volume', ({ spec }) => spec?.volumeName ?? ''),
  column<PersistentVolumeClaim>('Capacity', ({ spec, status }) => (spec?.volumeName ? status?.capacity?.storage ?? '0' : '')),
  column<PersistentVolumeClaim>('Access Modes', ({ spec, status }) => (spec?.volumeName ? modesText(status?.accessModes) : '')),
  column<PersistentVolumeClaim>('StorageClass', ({ spec, metadata }) => metadata?.annotations?.[BETA_CLASS] ?? spec?.storageClassName ?? ''),
  column<PersistentVolumeClaim>('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  AGE,
  wide<PersistentVolumeClaim>('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
];

const quotaText = (quota: ResourceQuota, limits: boolean): string => {
  const { hard = {}, used = {} } = quota.status ?? {};
  return Object.keys(hard)
    .filter((name) => name.startsWith('limits.') === limits)
    .sort()
    .map((name) => `${name}: ${used[name] ?? '0'}/${hard[name]!}`)
    .join(', ');
};

export const QUOTA: readonly Column[] = [
  NAME, column<ResourceQuota>('Request', (quota) => quotaText(quota, false)), column<ResourceQuota>('Limit', (quota) => quotaText(quota, true)), AGE,
];

export const COMPONENT_STATUS: readonly Column[] = [
  NAME,
  column<ComponentStatus>('Status', ({ conditions }) =>
    conditions?.[0]?.status === 'True' ? 'Healthy' : conditions?.[0]?.status === 'False' ? 'Unhealthy' : 'Unknown',
  ),
  column<ComponentStatus>('Message', ({ conditions }) => conditions?.[0]?.message ?? ''),
  column<ComponentStatus>('Error', ({ conditions }) => conditions?.[0]?.error ?? ''),
];

/** An event in either of its two spellings, in one. */
interface AnyEvent {
  readonly first: string;
  readonly last: string;
  readonly count: number;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly subobject: string;
  readonly object: string;
  readonly source: string;
}

function eventOf(event: CoreEvent & NewEvent, now: number): AnyEvent {
  const about = event.involvedObject ?? event.regarding;
  const firstTime = event.firstTimestamp ?? event.deprecatedFirstTimestamp ?? event.eventTime;
  const lastTime = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.deprecatedLastTimestamp;
  const first = since(firstTime, now);
  const source = event.source ?? event.deprecatedSource;
  const component = source?.component || event.reportingComponent || event.reportingController || '';
  const host = source?.host || event.reportingInstance || '';
  const kind = (about?.kind ?? '').toLowerCase();
  return {
    first,
    last: lastTime ? since(lastTime, now) : first,
    count: event.series?.count ?? (event.count || event.deprecatedCount || 1),
    type: event.type ?? '',
    reason: event.reason ?? '',
    message: (event.message ?? event.note ?? '').trim(),
    subobject: about?.fieldPath ?? '',
    object: about?.name ? `${kind}/${about.name}` : kind,
    source: host === '' ? component : `${component}, ${host}`,
  };
}

const eventColumn = (name: string, pick: (event: AnyEvent) => string | number, isWide = false): Column =>
  column<CoreEvent & NewEvent>(name, (event, now) => pick(eventOf(event, now)), { wide: isWide });

export const EVENT: readonly Column[] = [
  eventColumn('Last Seen', ({ last }) => last),
  eventColumn('Type', ({ type }) => type),
  eventColumn('Reason', ({ reason }) => reason),
  eventColumn('Object', ({ object }) => object),
  eventColumn('Subobject', ({ subobject }) => subobject, true),
  eventColumn('Source', ({ source }) => source, true),
  eventColumn('Message', ({ message }) => message),
  eventColumn('First Seen', ({ first }) => first, true),
  eventColumn('Count', ({ count }) => count, true),
  { ...NAME, priority: 1 },
];
