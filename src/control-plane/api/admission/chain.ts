import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import type { Access } from '../authz/access.ts';
import type { RbacAuthorizer } from '../authz/rbac.ts';
import type { AdmissionPlugin } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { CertificateAdmission } from './certificates.ts';
import { LimitRangerAdmission } from './limit-ranger.ts';
import { NodeRestriction } from './node-restriction.ts';
import { PodSecurity } from './pod-security/pod-security.ts';
import { PriorityAdmission } from './priority.ts';
import { RbacEscalation } from './rbac-escalation.ts';
import { ResourceQuotaAdmission } from './resource-quota.ts';
import { ServiceAccountAdmission } from './service-account.ts';
import { unserved } from './unserved.ts';
import {
  createOnWrite,
  defaultIngressClass,
  defaultStorageClass,
  defaultTolerationSeconds,
  namespaceLifecycle,
  runtimeClass,
  storageObjectInUseProtection,
  taintNodesByCondition,
} from './small.ts';

/** The admission chain, in upstream's order. */
export function admissionChain(parts: {
  readonly lookup: Lookup;
  readonly access: Access;
  readonly rbac: RbacAuthorizer;
  readonly clock: Clock;
  readonly random: Random;
}): readonly AdmissionPlugin[] {
  const { lookup, access, rbac } = parts;
  return [
    createOnWrite(access),
    new RbacEscalation(rbac, access),
    namespaceLifecycle,
    new LimitRangerAdmission(lookup),
    new ServiceAccountAdmission(lookup, parts.random),
    new NodeRestriction(lookup),
    taintNodesByCondition,
    new PodSecurity(lookup),
    new PriorityAdmission(lookup),
    defaultTolerationSeconds,
    defaultStorageClass(lookup),
    storageObjectInUseProtection,
    runtimeClass(lookup),
    new CertificateAdmission(access),
    defaultIngressClass(lookup),
    new ResourceQuotaAdmission(lookup, parts.clock),
    unserved,
  ];
}
