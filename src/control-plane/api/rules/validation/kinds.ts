import { dnsLabel, pathSegment } from './formats.ts';
import { type KindRules, rulesOf } from './kind.ts';
import { namedBy } from './metadata.ts';

const API = 'io.k8s.api.';
const label = namedBy(dnsLabel);

/** The rules of every kind that has some of its own, by the name of its schema. */
export const KINDS: ReadonlyMap<string, KindRules> = new Map<string, KindRules>([
  [`${API}core.v1.Namespace`, rulesOf({ name: label })],
  [`${API}core.v1.Service`, rulesOf({ name: label })],
  [`${API}apps.v1.StatefulSet`, rulesOf({ name: label })],
  [`${API}core.v1.Event`, rulesOf({ name: pathSegment })],
  [`${API}policy.v1.PodDisruptionBudget`, rulesOf({ name: pathSegment })],
  [`${API}certificates.v1.CertificateSigningRequest`, rulesOf({ name: pathSegment })],
  [`${API}rbac.v1.Role`, rulesOf({ name: pathSegment })],
  [`${API}rbac.v1.ClusterRole`, rulesOf({ name: pathSegment })],
  [`${API}rbac.v1.RoleBinding`, rulesOf({ name: pathSegment })],
  [`${API}rbac.v1.ClusterRoleBinding`, rulesOf({ name: pathSegment })],
  ['io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService', rulesOf({ name: pathSegment })],
]);
