import type { Namespace, Pod, PodSpec, PodTemplateSpec } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../contract.ts';
import { invalid } from '../../errors.ts';
import type { Lookup } from '../../lookup.ts';
import { jsonSame } from '../json-same.ts';
import { refuse } from '../plugin.ts';
import {
  allowPrivilegeEscalation,
  appArmor,
  capabilitiesBaseline,
  capabilitiesRestricted,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  hostProcess,
  privileged,
  procMount,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompBaseline,
  seccompRestricted,
  seLinux,
  sysctls,
  type Check,
  type Violation,
} from './checks.ts';

type Level = 'privileged' | 'baseline' | 'restricted';

// In the order of their names upstream, in which violations are listed.
const CHECKS: Readonly<Record<Level, readonly Check[]>> = {
  privileged: [],
  baseline: [
    appArmor,
    capabilitiesBaseline,
    hostNamespaces,
    hostPathVolumes,
    hostPorts,
    hostProbes,
    privileged,
    procMount,
    seLinux,
    seccompBaseline,
    sysctls,
    hostProcess,
  ],
  restricted: [
    appArmor,
    hostNamespaces,
    hostPorts,
    hostProbes,
    privileged,
    procMount,
    seLinux,
    sysctls,
    hostProcess,
    allowPrivilegeEscalation,
    capabilitiesRestricted,
    hostPathVolumes,
    restrictedVolumes,
    runAsNonRoot,
    runAsUser,
    seccompRestricted,
  ],
};

const PREFIX = 'pod-security.kubernetes.io/';
const MODES = ['enforce', 'audit', 'warn'] as const;
/** Kinds that make pods: they are warned about, and never refused. */
const MAKERS = new Set([
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'replicationcontrollers.',
  'jobs.batch',
  'cronjobs.batch',
  'podtemplates.',
]);

/** All violations of a pod, as one line; '' for none. */
export function violations(level: Level, pod: Pick<Pod, 'metadata'>, spec: PodSpec): string {
  const found = CHECKS[level].map((check) => check(pod, spec)).filter((one): one is Violation => one !== undefined);
  return found.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
}

/** Pod Security Standards by a namespace's labels: what `enforce` forbids is refused, what `warn` names is warned about. */
export class PodSecurity implements AdmissionPlugin {
  readonly name = 'PodSecurity';
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    const { group, resource } = at.resource;
    if (at.operation !== 'CREATE' && at.operation !== 'UPDATE') return false;
    if (group === '' && resource === 'pods') return at.subresource === undefined || at.subresource === 'ephemeralcontainers';
    return at.subresource === undefined && ((group === '' && resource === 'namespaces') || MAKERS.has(`${resource}.${group}`));
  }

  validate(at: AdmissionAttributes): void {
    if (at.resource.resource === 'namespaces') return checkLabels(at);
    const labels = this.#lookup.get<Namespace>('', 'namespaces', undefined, at.namespace ?? '')?.metadata?.labels;
    if (labels === undefined) return undefined;
    const [enforce, warn] = [levelOf(labels, 'enforce'), levelOf(labels, 'warn')];
    if (enforce === 'privileged' && warn === 'privileged') return undefined;
    const isPod = at.resource.resource === 'pods';
    const pod = isPod ? (at.object as Pod) : templateOf(at.object!);
    if (pod?.spec === undefined) return undefined;
    if (isPod && at.operation === 'UPDATE' && at.subresource === undefined && sameToStandards(at)) return undefined;
    if (isPod && enforce !== 'privileged') {
      const found = violations(enforce, pod, pod.spec);
      if (found !== '') throw refuse(at, `violates PodSecurity "${enforce}:${versionOf(labels, 'enforce')}": ${found}`);
    }
    const found = violations(warn, pod, pod.spec);
    if (found !== '') {
      const text = `would violate PodSecurity "${warn}:${versionOf(labels, 'warn')}": ${found}`;
      if (!at.context.warnings.includes(text)) at.context.warnings.push(text);
    }
    return undefined;
  }
}

/** An update that changes nothing the standards look at passes, so that a pod from before a label can still be finalised. */
function sameToStandards(at: AdmissionAttributes): boolean {
  const old: Pod | undefined = at.oldObject;
  const pod = at.object as Pod;
  return old !== undefined && jsonSame(old.spec, pod.spec) && jsonSame(old.metadata?.annotations, pod.metadata?.annotations);
}

function levelOf(labels: Readonly<Record<string, string>>, mode: (typeof MODES)[number]): Level {
  const value = labels[`${PREFIX}${mode}`];
  if (value === undefined) return 'privileged';
  return value === 'privileged' || value === 'baseline' || value === 'restricted' ? value : 'restricted'; // What can't be read counts as the strictest.
}

function versionOf(labels: Readonly<Record<string, string>>, mode: string): string {
  return labels[`${PREFIX}${mode}-version`] ?? 'latest';
}

function templateOf(object: KubeObject): PodTemplateSpec | undefined {
  const { template, spec } = object as KubeObject & {
    template?: PodTemplateSpec;
    spec?: { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } };
  };
  return template ?? spec?.template ?? spec?.jobTemplate?.spec?.template;
}

function checkLabels(at: AdmissionAttributes): void {
  const labels = at.object?.metadata?.labels ?? {};
  const old = at.oldObject?.metadata?.labels ?? {};
  const causes = MODES.flatMap((mode) => {
    const field = (key: string): string => `metadata.labels[${key}]`;
    const [level, version] = [`${PREFIX}${mode}`, `${PREFIX}${mode}-version`];
    const out = [];
    const value = labels[level];
    if (value !== undefined && value !== old[level] && !(value in CHECKS)) {
      out.push({
        reason: 'FieldValueInvalid',
        field: field(level),
        message: `Invalid value: ${JSON.stringify(value)}: must be one of privileged, baseline, restricted`,
      });
    }
    const at = labels[version];
    if (at !== undefined && at !== old[version] && !/^(latest|v1\.\d{1,3})$/.test(at)) {
      out.push({
        reason: 'FieldValueInvalid',
        field: field(version),
        message: `Invalid value: ${JSON.stringify(at)}: must be "latest" or "v1.x"`,
      });
    }
    return out;
  });
  if (causes.length > 0) throw invalid({ group: '', kind: 'Namespace' }, at.object?.metadata?.name ?? '', causes);
}
