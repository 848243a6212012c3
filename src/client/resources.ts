import type { ResourceRef } from './transport.ts';

/** The built-in resources that our own parts read and write, in the version in which they do. */
const ref = (group: string, version: string, resource: string, kind: string, namespaced = true): ResourceRef =>
  Object.freeze({ group, version, resource, kind, namespaced });

export const pods = ref('', 'v1', 'pods', 'Pod');
export const services = ref('', 'v1', 'services', 'Service');
export const endpoints = ref('', 'v1', 'endpoints', 'Endpoints');
export const configMaps = ref('', 'v1', 'configmaps', 'ConfigMap');
export const secrets = ref('', 'v1', 'secrets', 'Secret');
export const events = ref('', 'v1', 'events', 'Event');
export const serviceAccounts = ref('', 'v1', 'serviceaccounts', 'ServiceAccount');
export const replicationControllers = ref('', 'v1', 'replicationcontrollers', 'ReplicationController');
export const persistentVolumeClaims = ref('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim');
export const podTemplates = ref('', 'v1', 'podtemplates', 'PodTemplate');
export const limitRanges = ref('', 'v1', 'limitranges', 'LimitRange');
export const resourceQuotas = ref('', 'v1', 'resourcequotas', 'ResourceQuota');
export const namespaces = ref('', 'v1', 'namespaces', 'Namespace', false);
export const nodes = ref('', 'v1', 'nodes', 'Node', false);
export const persistentVolumes = ref('', 'v1', 'persistentvolumes', 'PersistentVolume', false);

export const deployments = ref('apps', 'v1', 'deployments', 'Deployment');
export const replicaSets = ref('apps', 'v1', 'replicasets', 'ReplicaSet');
export const statefulSets = ref('apps', 'v1', 'statefulsets', 'StatefulSet');
export const daemonSets = ref('apps', 'v1', 'daemonsets', 'DaemonSet');
export const controllerRevisions = ref('apps', 'v1', 'controllerrevisions', 'ControllerRevision');

export const jobs = ref('batch', 'v1', 'jobs', 'Job');
export const cronJobs = ref('batch', 'v1', 'cronjobs', 'CronJob');

export const endpointSlices = ref('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice');
export const leases = ref('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const podDisruptionBudgets = ref('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget');
export const horizontalPodAutoscalers = ref('autoscaling', 'v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler');

export const networkPolicies = ref('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy');
export const ingresses = ref('networking.k8s.io', 'v1', 'ingresses', 'Ingress');
export const ingressClasses = ref('networking.k8s.io', 'v1', 'ingressclasses', 'IngressClass', false);

export const storageClasses = ref('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass', false);
export const csiNodes = ref('storage.k8s.io', 'v1', 'csinodes', 'CSINode', false);
export const csiDrivers = ref('storage.k8s.io', 'v1', 'csidrivers', 'CSIDriver', false);
export const volumeAttachments = ref('storage.k8s.io', 'v1', 'volumeattachments', 'VolumeAttachment', false);
export const priorityClasses = ref('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass', false);
export const runtimeClasses = ref('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass', false);
export const certificateSigningRequests = ref('certificates.k8s.io', 'v1', 'certificatesigningrequests', 'CertificateSigningRequest', false);

export const roles = ref('rbac.authorization.k8s.io', 'v1', 'roles', 'Role');
export const roleBindings = ref('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding');
export const clusterRoles = ref('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole', false);
export const clusterRoleBindings = ref('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings', 'ClusterRoleBinding', false);
export const customResourceDefinitions = ref('apiextensions.k8s.io', 'v1', 'customresourcedefinitions', 'CustomResourceDefinition', false);
export const apiServices = ref('apiregistration.k8s.io', 'v1', 'apiservices', 'APIService', false);

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
