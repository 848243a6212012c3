import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { AGE, NAME, type Column } from '../column.ts';
import { CLAIM, COMPONENT_STATUS, CONFIG_MAP, EVENT, NAME_AND_DATE, NAMESPACE, NODE, QUOTA, SECRET, VOLUME } from './core.ts';
import { ENDPOINT_SLICE, ENDPOINTS, INGRESS, INGRESS_CLASS, IP_ADDRESS, NETWORK_POLICY, SERVICE, SERVICE_CIDR } from './network.ts';
import {
  API_SERVICE, AUTOSCALER, BINDING, CLAIM_STATE, CSI_DRIVER, CSI_NODE, FLOW_SCHEMA, LEASE, MUTATING_POLICY, POLICY_BINDING, PRIORITY_CLASS, PRIORITY_LEVEL, RESOURCE_SLICE, RUNTIME_CLASS, SIGNING_REQUEST,
  STORAGE_CLASS, VALIDATING_POLICY, VOLUME_ATTACHMENT, VOLUME_ATTRIBUTES_CLASS, WEBHOOKS,
} from './others.ts';
import { POD } from './pod.ts';
import { CONTROLLER_REVISION, CRON_JOB, DAEMON_SET, DEPLOYMENT, DISRUPTION_BUDGET, JOB, POD_TEMPLATE, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET } from './workloads.ts';

const PLAIN: readonly Column[] = [NAME, AGE];

const TABLE: Readonly<Record<string, readonly Column[]>> = {
  pods: POD, nodes: NODE, services: SERVICE, namespaces: NAMESPACE, configmaps: CONFIG_MAP, secrets: SECRET, endpoints: ENDPOINTS, events: EVENT, persistentvolumes: VOLUME, persistentvolumeclaims: CLAIM,
  replicationcontrollers: REPLICATION_CONTROLLER, resourcequotas: QUOTA, limitranges: NAME_AND_DATE, podtemplates: POD_TEMPLATE, componentstatuses: COMPONENT_STATUS,
  'deployments.apps': DEPLOYMENT, 'replicasets.apps': REPLICA_SET, 'statefulsets.apps': STATEFUL_SET, 'daemonsets.apps': DAEMON_SET, 'controllerrevisions.apps': CONTROLLER_REVISION,
  'jobs.batch': JOB, 'cronjobs.batch': CRON_JOB, 'events.events.k8s.io': EVENT, 'horizontalpodautoscalers.autoscaling': AUTOSCALER, 'poddisruptionbudgets.policy': DISRUPTION_BUDGET,
  'certificatesigningrequests.certificates.k8s.io': SIGNING_REQUEST, 'ingresses.networking.k8s.io': INGRESS, 'ingressclasses.networking.k8s.io': INGRESS_CLASS, 'networkpolicies.networking.k8s.io': NETWORK_POLICY,
  'ipaddresses.networking.k8s.io': IP_ADDRESS, 'servicecidrs.networking.k8s.io': SERVICE_CIDR, 'endpointslices.discovery.k8s.io': ENDPOINT_SLICE,
  'clusterrolebindings.rbac.authorization.k8s.io': BINDING, 'rolebindings.rbac.authorization.k8s.io': BINDING, 'clusterroles.rbac.authorization.k8s.io': NAME_AND_DATE, 'roles.rbac.authorization.k8s.io': NAME_AND_DATE,
  'csidrivers.storage.k8s.io': CSI_DRIVER, 'csinodes.storage.k8s.io': CSI_NODE, 'csistoragecapacities.storage.k8s.io': NAME_AND_DATE, 'storageclasses.storage.k8s.io': STORAGE_CLASS,
  'volumeattachments.storage.k8s.io': VOLUME_ATTACHMENT, 'volumeattributesclasses.storage.k8s.io': VOLUME_ATTRIBUTES_CLASS, 'priorityclasses.scheduling.k8s.io': PRIORITY_CLASS, 'leases.coordination.k8s.io': LEASE,
  'runtimeclasses.node.k8s.io': RUNTIME_CLASS, 'customresourcedefinitions.apiextensions.k8s.io': NAME_AND_DATE, 'apiservices.apiregistration.k8s.io': API_SERVICE,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': WEBHOOKS, 'validatingwebhookconfigurations.admissionregistration.k8s.io': WEBHOOKS,
  'validatingadmissionpolicies.admissionregistration.k8s.io': VALIDATING_POLICY, 'mutatingadmissionpolicies.admissionregistration.k8s.io': MUTATING_POLICY,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': POLICY_BINDING, 'mutatingadmissionpolicybindings.admissionregistration.k8s.io': POLICY_BINDING,
  'resourceclaims.resource.k8s.io': CLAIM_STATE, 'resourceslices.resource.k8s.io': RESOURCE_SLICE,
  'flowschemas.flowcontrol.apiserver.k8s.io': FLOW_SCHEMA, 'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': PRIORITY_LEVEL,
};

/** The columns of a kind; name and age where nothing else is known of it. */
export function columnsOf(resource: ResourceInfo): readonly Column[] {
  const key = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
  return Object.hasOwn(TABLE, key) ? TABLE[key]! : PLAIN;
}
