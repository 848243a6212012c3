import { CONTROLLER_REVISION, DAEMON_SET, DEPLOYMENT, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET } from './apps.ts';
import { AUTOSCALER, AUTOSCALER_V1, SCALE } from './autoscaling.ts';
import { CERTIFICATE_SIGNING_REQUEST } from './certificates.ts';
import { CONFIG_MAP, SECRET } from './configuration.ts';
import { ENDPOINT_SLICE, ENDPOINTS } from './endpoints.ts';
import { CORE_EVENT, EVENT } from './event.ts';
import { pathSegment } from './formats.ts';
import { CRON_JOB, JOB } from './job.ts';
import { type KindRules, rulesOf } from './kind.ts';
import { NAMESPACE } from './namespace.ts';
import { INGRESS, INGRESS_CLASS, NETWORK_POLICY } from './networking.ts';
import { NODE } from './node.ts';
import { PERSISTENT_VOLUME } from './persistent-volume.ts';
import { PERSISTENT_VOLUME_CLAIM } from './persistent-volume-claim.ts';
import { POD } from './pod/pod.ts';
import { LIMIT_RANGE, RESOURCE_QUOTA } from './quota.ts';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING } from './rbac.ts';
import { LOCAL_SUBJECT_ACCESS_REVIEW, NAMELESS, SELF_SUBJECT_ACCESS_REVIEW, SUBJECT_ACCESS_REVIEW } from './reviews.ts';
import { SERVICE } from './service.ts';
import { LEASE, POD_DISRUPTION_BUDGET, POD_TEMPLATE, PRIORITY_CLASS, RUNTIME_CLASS, STORAGE_CLASS } from './small-kinds.ts';

/** The rules of every kind that has some of its own, by the name of its type without its prefix. A new kind is a row here. */
const ROWS: Readonly<Record<string, KindRules>> = {
  'core.v1.ConfigMap': CONFIG_MAP,
  'core.v1.Endpoints': ENDPOINTS,
  'core.v1.Event': CORE_EVENT,
  'core.v1.LimitRange': LIMIT_RANGE,
  'core.v1.Namespace': NAMESPACE,
  'core.v1.Node': NODE,
  'core.v1.PersistentVolume': PERSISTENT_VOLUME,
  'core.v1.PersistentVolumeClaim': PERSISTENT_VOLUME_CLAIM,
  'core.v1.Pod': POD,
  'core.v1.PodTemplate': POD_TEMPLATE,
  'core.v1.ReplicationController': REPLICATION_CONTROLLER,
  'core.v1.ResourceQuota': RESOURCE_QUOTA,
  'core.v1.Secret': SECRET,
  'core.v1.Service': SERVICE,
  'apps.v1.ControllerRevision': CONTROLLER_REVISION,
  'apps.v1.DaemonSet': DAEMON_SET,
  'apps.v1.Deployment': DEPLOYMENT,
  'apps.v1.ReplicaSet': REPLICA_SET,
  'apps.v1.StatefulSet': STATEFUL_SET,
  'authentication.v1.SelfSubjectReview': NAMELESS,
  'authentication.v1.TokenReview': NAMELESS,
  'authorization.v1.LocalSubjectAccessReview': LOCAL_SUBJECT_ACCESS_REVIEW,
  'authorization.v1.SelfSubjectAccessReview': SELF_SUBJECT_ACCESS_REVIEW,
  'authorization.v1.SelfSubjectRulesReview': NAMELESS,
  'authorization.v1.SubjectAccessReview': SUBJECT_ACCESS_REVIEW,
  'autoscaling.v1.HorizontalPodAutoscaler': AUTOSCALER_V1,
  'autoscaling.v1.Scale': SCALE,
  'autoscaling.v2.HorizontalPodAutoscaler': AUTOSCALER,
  'batch.v1.CronJob': CRON_JOB,
  'batch.v1.Job': JOB,
  'certificates.v1.CertificateSigningRequest': CERTIFICATE_SIGNING_REQUEST,
  'coordination.v1.Lease': LEASE,
  'discovery.v1.EndpointSlice': ENDPOINT_SLICE,
  'events.v1.Event': EVENT,
  'networking.v1.Ingress': INGRESS,
  'networking.v1.IngressClass': INGRESS_CLASS,
  'networking.v1.NetworkPolicy': NETWORK_POLICY,
  'node.v1.RuntimeClass': RUNTIME_CLASS,
  'policy.v1.PodDisruptionBudget': POD_DISRUPTION_BUDGET,
  'rbac.v1.ClusterRole': CLUSTER_ROLE,
  'rbac.v1.ClusterRoleBinding': CLUSTER_ROLE_BINDING,
  'rbac.v1.Role': ROLE,
  'rbac.v1.RoleBinding': ROLE_BINDING,
  'scheduling.v1.PriorityClass': PRIORITY_CLASS,
  'storage.v1.StorageClass': STORAGE_CLASS,
  'apiregistration.v1.APIService': rulesOf({ name: pathSegment }),
};

const found = new Map<string, KindRules | undefined>();

/** @param schema OpenAPI name of the kind's type */
export function rulesFor(schema: string): KindRules | undefined {
  if (found.has(schema)) return found.get(schema);
  const key = schema.split('.').slice(-3).join('.');
  const rules = Object.hasOwn(ROWS, key) ? ROWS[key] : undefined;
  found.set(schema, rules);
  return rules;
}
