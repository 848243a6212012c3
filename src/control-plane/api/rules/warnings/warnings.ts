import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../../../../lib/errors.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../../../types/kubernetes/generated/apps-v1.ts';
import type { CronJob, Job } from '../../../../types/kubernetes/generated/batch-v1.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  ReplicationController,
  Secret,
  Service,
} from '../../../../types/kubernetes/generated/core-v1.ts';
import type { Ingress } from '../../../../types/kubernetes/generated/networking-v1.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { dnsLabel } from '../validation/formats.ts';
import { claimWarnings, podWarnings } from './pod.ts';

type Advise<T> = (object: T, out: string[], old: T | undefined) => void;

/** A kind's advice, as an entry of the table of all: the type of its objects is settled here, once. */
function of<T extends KubeObject>(advise: Advise<T>): Advise<KubeObject> {
  return advise as unknown as Advise<KubeObject>;
}

const NONE: readonly string[] = [];

function generation(object: KubeObject): number {
  return object.metadata?.generation ?? 0;
}

/** Names of pods are made of it, and host names of those. */
function name(object: KubeObject, out: string[], whose = 'in Pod names and hostnames'): void {
  const faults = dnsLabel(object.metadata?.name ?? '');
  if (faults.length > 0) {
    out.push(
      `metadata.name: this is used ${whose}, which can result in surprising behavior; a DNS label is recommended: [${faults.join(' ')}]`,
    );
  }
}

/** Of a kind that counts generations: whoever changes nothing of what it wants is told nothing again. */
function counted<T extends KubeObject>(advise: (object: T, out: string[]) => void, named: 'named' | 'unnamed' = 'unnamed'): Advise<KubeObject> {
  return of<T>((object, out, old) => {
    if (old !== undefined && generation(old) === generation(object)) return;
    if (named === 'named' && old === undefined) name(object, out);
    advise(object, out);
  });
}

function service(object: Service, out: string[]): void {
  const { spec, metadata } = object;
  if (metadata?.annotations?.['service.kubernetes.io/topology-aware-hints'] !== undefined) {
    out.push('annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead');
  }
  if (spec === undefined) return;
  const external = spec.externalIPs?.length ?? 0;
  const headless = spec.type === 'ClusterIP' && spec.clusterIP === 'None';
  if (headless && spec.loadBalancerIP) out.push('spec.loadBalancerIP is ignored for headless services');
  if (headless && external > 0) out.push('spec.externalIPs is ignored for headless services');
  if (headless && spec.sessionAffinity !== 'None') out.push('spec.SessionAffinity is ignored for headless services');
  if (!headless && external > 0 && spec.type !== 'ExternalName') {
    out.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (spec.type === 'ExternalName' && external > 0) out.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (spec.type !== 'ExternalName' && spec.externalName) out.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  if (spec.trafficDistribution === 'PreferClose') out.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
}

/** A certificate that its key does not fit. */
function tls(object: Secret, out: string[]): void {
  if (object.type !== 'kubernetes.io/tls') return;
  const text = (key: string): string => Buffer.from(object.data?.[key] ?? '', 'base64').toString('latin1');
  const [certificate, key] = [text('tls.crt'), text('tls.key')];
  if (!certificate.includes('-----BEGIN ')) return void out.push('tls: failed to find any PEM data in certificate input');
  if (!key.includes('-----BEGIN ')) return void out.push('tls: failed to find any PEM data in key input');
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) out.push('tls: private key does not match public key');
  } catch (error) {
    out.push(`tls: failed to parse certificate and key: ${messageOf(error)}`);
  }
}

const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';
const OLD_OPTIONS = 'volume.beta.kubernetes.io/mount-options';

/** By the name of the schema, without its prefix. */
const ADVICE: Readonly<Record<string, Advise<KubeObject>>> = {
  'core.v1.Pod': of<Pod>((pod, out, old) => {
    // People seldom change pods themselves.
    if (old !== undefined) return;
    name(pod, out, 'in the Pod\'s hostname');
    podWarnings(pod, '', out);
  }),
  'core.v1.PodTemplate': of<PodTemplate>((object, out) => podWarnings(object.template, 'template.', out)),
  'core.v1.ReplicationController': counted<ReplicationController>((object, out) => podWarnings(object.spec?.template, 'spec.template.', out), 'named'),
  'core.v1.Service': of<Service>((object, out) => service(object, out)),
  'core.v1.Secret': of<Secret>((object, out) => tls(object, out)),
  'core.v1.PersistentVolumeClaim': of<PersistentVolumeClaim>((claim, out) => {
    if (claim.metadata?.annotations?.[OLD_CLASS] !== undefined) {
      out.push(`metadata.annotations[${OLD_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`);
    }
    claimWarnings(claim.spec ?? {}, 'spec', out);
  }),
  'core.v1.PersistentVolume': of<PersistentVolume>((volume, out) => {
    const { annotations } = volume.metadata ?? {};
    if (annotations?.[OLD_CLASS] !== undefined) {
      out.push(`metadata.annotations[${OLD_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`);
    }
    if (annotations?.[OLD_OPTIONS] !== undefined) {
      out.push(`metadata.annotations[${OLD_OPTIONS}]: deprecated since v1.31; use "mountOptions" attribute instead`);
    }
    if (volume.spec?.persistentVolumeReclaimPolicy === 'Recycle') {
      out.push(
        'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
      );
    }
  }),
  'apps.v1.Deployment': counted<Deployment>((object, out) => podWarnings(object.spec?.template, 'spec.template.', out), 'named'),
  'apps.v1.ReplicaSet': counted<ReplicaSet>((object, out) => podWarnings(object.spec?.template, 'spec.template.', out), 'named'),
  'apps.v1.DaemonSet': counted<DaemonSet>((object, out) => podWarnings(object.spec?.template, 'spec.template.', out)),
  'apps.v1.StatefulSet': counted<StatefulSet>(({ spec }, out) => {
    podWarnings(spec?.template, 'spec.template.', out);
    spec?.volumeClaimTemplates?.forEach((claim, n) => claimWarnings(claim.spec ?? {}, `spec.volumeClaimTemplates[${n}]`, out));
    if ((spec?.revisionHistoryLimit ?? 0) < 0) {
      out.push('spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended');
    }
  }),
  'batch.v1.Job': counted<Job>((object, out) => podWarnings(object.spec?.template, 'spec.template.', out), 'named'),
  'batch.v1.CronJob': counted<CronJob>(({ spec }, out) => podWarnings(spec?.jobTemplate.spec?.template, 'spec.jobTemplate.spec.template.', out), 'named'),
  'networking.v1.Ingress': of<Ingress>((ingress, out) => {
    if (ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined) {
      out.push('annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead');
    }
  }),
};

const adviceOf = new WeakMap<ResourceInfo, Advise<KubeObject> | null>();

/**
 * What is allowed, and seldom meant: deprecated fields, and such as shadow
 * one another. Worded as the API server does. Asked of objects that are valid.
 * @param old undefined: a create
 */
export function warnings(resource: ResourceInfo, object: KubeObject, old: KubeObject | undefined): readonly string[] {
  let advise = adviceOf.get(resource);
  if (advise === undefined) {
    advise = ADVICE[resource.schema.split('.').slice(-3).join('.')] ?? null;
    adviceOf.set(resource, advise);
  }
  if (advise === null) return NONE;
  const out: string[] = [];
  advise(object, out, old);
  return out;
}
