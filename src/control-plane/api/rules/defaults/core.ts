import { formatQuantity, parseQuantity } from '../../../../types/kubernetes/quantity.ts';
import { imageTag } from './image.ts';
import { defaultPodResources } from './pod-resources.ts';
import type { Defaulter, Draft } from './walker.ts';

const missing = (value: unknown): boolean => value === undefined || value === '';
const list = (value: unknown): readonly Draft[] => (value as Draft[] | undefined) ?? [];

/** The API keeps resource amounts to the thousandth; finer parts are rounded up. */
export const roundToMilli: Defaulter = (amounts) => {
  for (const name in amounts) {
    const text = amounts[name] as string;
    const last = text.charCodeAt(text.length - 1);
    // `n` or `u`, or decimals that were kept as text: anything else is coarse enough.
    if (last !== 110 && last !== 117 && !text.includes('.') && !text.includes('e-')) continue;
    const { nano, format } = parseQuantity(text);
    const milli = 1_000_000n;
    if (nano % milli === 0n) continue;
    const up = nano / milli + (nano > 0n ? 1n : -1n);
    amounts[name] = formatQuantity({ nano: up * milli, format });
  }
};

/** `stopSignal` is behind a feature gate that is off: what is asked for is not kept. */
function dropStopSignal(c: Draft): void {
  const lifecycle = c.lifecycle as Draft;
  if (lifecycle.stopSignal === undefined) return;
  delete lifecycle.stopSignal;
  if (Object.keys(lifecycle).length === 0) delete c.lifecycle;
}

/** `dataSource` and `dataSourceRef` say one thing twice; what could never be a source is dropped as it always was. */
export function settleDataSources(spec: Draft): void {
  // Other namespaces are behind a feature gate that is off.
  if (!missing((spec.dataSourceRef as Draft | undefined)?.namespace)) delete spec.dataSourceRef;
  const [source, ref] = [spec.dataSource as Draft | undefined, spec.dataSourceRef as Draft | undefined];
  if (ref !== undefined) {
    spec.dataSource ??= { ...ref };
    return;
  }
  if (source === undefined) return;
  const known =
    (source.kind === 'PersistentVolumeClaim' && missing(source.apiGroup)) ||
    (source.kind === 'VolumeSnapshot' && source.apiGroup === 'snapshot.storage.k8s.io');
  if (known) spec.dataSourceRef = { ...source };
  else delete spec.dataSource;
}

const container: Defaulter = (c) => {
  if (missing(c.imagePullPolicy)) {
    c.imagePullPolicy = imageTag((c.image as string | undefined) ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  }
  c.terminationMessagePath ??= '/dev/termination-log';
  c.terminationMessagePolicy ??= 'File';
  if (c.lifecycle !== undefined) dropStopSignal(c);
};

const defaultMode: Defaulter = (source) => {
  source.defaultMode ??= 0o644;
};

function hostPorts(containers: unknown): void {
  for (const c of list(containers)) for (const port of list(c.ports)) if ((port.hostPort ?? 0) === 0) port.hostPort = port.containerPort;
}

const pod: Defaulter = (object) => {
  const spec = object.spec as Draft;
  for (const c of list(spec.containers).concat(list(spec.initContainers))) {
    const resources = c.resources as Draft | undefined;
    const limits = resources?.limits as Draft | undefined;
    if (resources === undefined || limits === undefined) continue;
    resources.requests = { ...limits, ...(resources.requests as Draft | undefined) };
  }
  if (spec.resources !== undefined) defaultPodResources(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork === true) {
    hostPorts(spec.containers);
    hostPorts(spec.initContainers);
  }
};

const service: Defaulter = (object) => {
  const spec = object.spec as Draft;
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    const clientIP = (spec.sessionAffinityConfig as Draft | undefined)?.clientIP as Draft | undefined;
    if (clientIP?.timeoutSeconds === undefined) spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10_800 } };
  }
  spec.type ??= 'ClusterIP';
  for (const port of list(spec.ports)) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  const outside =
    spec.type === 'LoadBalancer' ||
    spec.type === 'NodePort' ||
    (spec.type === 'ClusterIP' && ((spec.externalIPs as unknown[] | undefined)?.length ?? 0) > 0);
  if (outside) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'LoadBalancer') return;
  spec.allocateLoadBalancerNodePorts ??= true;
  const balancer = (object.status as Draft | undefined)?.loadBalancer as Draft | undefined;
  for (const ingress of list(balancer?.ingress)) if (!missing(ingress.ip)) ingress.ipMode ??= 'VIP';
};

const limitRangeItem: Defaulter = (item) => {
  if (item.type !== 'Container') return;
  const fallback = { ...(item.max as Draft | undefined), ...(item.default as Draft | undefined) };
  const request = { ...(item.min as Draft | undefined), ...fallback, ...(item.defaultRequest as Draft | undefined) };
  if (Object.keys(fallback).length > 0) item.default = fallback;
  if (Object.keys(request).length > 0) item.defaultRequest = request;
};

/** Defaults of core/v1, by type. */
export const CORE_DEFAULTS: Readonly<Record<string, Defaulter>> = {
  'core.v1.Pod': pod,
  'core.v1.PodSpec': (spec) => {
    spec.dnsPolicy ??= 'ClusterFirst';
    spec.restartPolicy ??= 'Always';
    spec.securityContext ??= {};
    spec.terminationGracePeriodSeconds ??= 30;
    if ((spec.terminationGracePeriodSeconds as number) < 0) spec.terminationGracePeriodSeconds = 1;
    if (spec.schedulingGroup !== undefined) delete spec.schedulingGroup; // Behind a feature gate that is off.
    spec.schedulerName ??= 'default-scheduler';
    // `serviceAccount` is the old name of the same field; the API shows both.
    const account = missing(spec.serviceAccountName) ? spec.serviceAccount : spec.serviceAccountName;
    if (!missing(account)) {
      spec.serviceAccountName = account;
      spec.serviceAccount = account;
    }
  },
  'core.v1.Container': container,
  'core.v1.EphemeralContainerCommon': container,
  'core.v1.Probe': (probe) => {
    probe.timeoutSeconds ??= 1;
    probe.periodSeconds ??= 10;
    probe.successThreshold ??= 1;
    probe.failureThreshold ??= 3;
  },
  'core.v1.HTTPGetAction': (action) => {
    action.path ??= '/';
    action.scheme ??= 'HTTP';
  },
  'core.v1.Volume': (volume) => {
    let sources = 0;
    for (const key in volume) if (key !== 'name') sources++;
    if (sources === 0) volume.emptyDir = {};
    const image = volume.image as Draft | undefined;
    if (image !== undefined) {
      image.pullPolicy ??= imageTag((image.reference as string | undefined) ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
    }
  },
  'core.v1.SecretVolumeSource': defaultMode,
  'core.v1.ConfigMapVolumeSource': defaultMode,
  'core.v1.DownwardAPIVolumeSource': defaultMode,
  'core.v1.ProjectedVolumeSource': defaultMode,
  'core.v1.ServiceAccountTokenProjection': (token) => { token.expirationSeconds ??= 3600; },
  'core.v1.ObjectFieldSelector': (selector) => { selector.apiVersion ??= 'v1'; },
  'core.v1.HostPathVolumeSource': (source) => { source.type ??= ''; },
  'core.v1.AzureDiskVolumeSource': (source) => {
    source.cachingMode ??= 'ReadWrite';
    source.kind ??= 'Shared';
  },
  'core.v1.Service': service,
  // Nothing but the name of what an account refers to is kept.
  'core.v1.ServiceAccount': (account) => {
    if (account.secrets !== undefined) {
      account.secrets = list(account.secrets).map(({ name }) => (name === undefined ? {} : { name }));
    }
  },
  'core.v1.Secret': (secret) => {
    if (missing(secret.type)) secret.type = 'Opaque';
    const { stringData } = secret as { stringData?: Readonly<Record<string, string>> };
    if (stringData === undefined) return;
    // Another way to write data, and never kept.
    delete secret.stringData;
    secret.data = {
      ...(secret.data as Draft | undefined),
      ...Object.fromEntries(Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
    };
  },
  'core.v1.ReplicationController': (rc) => {
    const spec = rc.spec as Draft;
    const labels = ((spec.template as Draft | undefined)?.metadata as Draft | undefined)?.labels as Draft | undefined;
    if (labels === undefined) return;
    if (Object.keys((spec.selector as Draft | undefined) ?? {}).length === 0) spec.selector = { ...labels };
    const metadata = (rc.metadata ??= {}) as Draft;
    if (Object.keys((metadata.labels as Draft | undefined) ?? {}).length === 0) metadata.labels = { ...labels };
  },
  'core.v1.PersistentVolume': (volume) => {
    const spec = volume.spec as Draft;
    (volume.status as Draft).phase ??= 'Pending';
    spec.persistentVolumeReclaimPolicy ??= 'Retain';
    spec.volumeMode ??= 'Filesystem';
  },
  'core.v1.PersistentVolumeClaim': (claim) => { (claim.status as Draft).phase ??= 'Pending'; },
  'core.v1.VolumeProjection': (projection) => {
    // Behind feature gates that are off.
    delete projection.clusterTrustBundle;
    delete projection.podCertificate;
  },
  'core.v1.PersistentVolumeClaimSpec': (spec) => { spec.volumeMode ??= 'Filesystem'; },
  'core.v1.EndpointPort': (port) => { port.protocol ??= 'TCP'; },
  'core.v1.Namespace': (namespace) => {
    const metadata = namespace.metadata as Draft | undefined;
    if (metadata === undefined || missing(metadata.name)) return;
    const labels = (metadata.labels ??= {}) as Draft;
    labels['kubernetes.io/metadata.name'] = metadata.name;
  },
  'core.v1.NamespaceStatus': (status) => { status.phase ??= 'Active'; },
  'core.v1.NodeSpec': (spec) => {
    const ranges = [...((spec.podCIDRs as string[] | undefined) ?? [])];
    // One field says the first of the other; the older one wins where they differ.
    if (!missing(spec.podCIDR) && ranges[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR];
    else if (missing(spec.podCIDR) && ranges.length > 0) spec.podCIDR = ranges[0];
  },
  'core.v1.PodStatus': (status) => {
    const first = list(status.podIPs)[0]?.ip;
    if (!missing(status.podIP) && first !== status.podIP) status.podIPs = [{ ip: status.podIP }];
    else if (missing(status.podIP) && !missing(first)) status.podIP = first;
  },
  'core.v1.NodeStatus': (status) => { if (status.capacity !== undefined) status.allocatable ??= { ...(status.capacity as Draft) }; },
  'core.v1.LimitRangeItem': limitRangeItem,
  'core.v1.PodLogOptions': (options) => { options.stream ??= 'All'; },
};

