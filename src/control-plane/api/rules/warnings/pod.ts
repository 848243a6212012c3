import type { Container, PodSpec, PodTemplateSpec, Volume } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { ObjectMeta } from '../../../../types/kubernetes/meta.ts';
import { parseQuantity } from '../../../../types/kubernetes/quantity.ts';

/** Labels of nodes that have other names today, and what is said of them. */
const OLD_LABELS: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
]);

const OLD_ANNOTATIONS: readonly (readonly [string, string])[] = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
];

const OLD_VOLUMES: readonly (readonly [keyof Volume, string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';

/** @param at the path of the template, with a dot at its end; '' for a pod itself */
export function podWarnings(template: PodTemplateSpec | undefined, at: string, out: string[]): void {
  const { spec, metadata } = template ?? {};
  if (spec === undefined) return;
  placement(spec, `${at}spec.`, out);
  annotations(spec, metadata, at, out);
  if (spec.volumes !== undefined) volumes(spec.volumes, `${at}spec.volumes`, out);
  duplicates(spec.hostAliases?.map(({ ip }) => ip), (n) => `${at}spec.hostAliases[${n}].ip: duplicate ip `, out);
  duplicates(spec.imagePullSecrets?.map(({ name }) => name ?? ''), (n) => `${at}spec.imagePullSecrets[${n}].name: duplicate name `, out);
  spec.imagePullSecrets?.forEach(({ name }, n) => { if (!name) out.push(`${at}spec.imagePullSecrets[${n}].name: invalid empty name ""`); });
  fractions(spec.overhead, `${at}spec.overhead`, out);
  const all = containers(spec, `${at}spec.`);
  for (const [container, path] of all) {
    fractions(container.resources?.limits, `${path}.resources.limits`, out);
    fractions(container.resources?.requests, `${path}.resources.requests`, out);
    if (container.env !== undefined && container.env.length > 1) hidden(container.env, path, out);
  }
  ports(all, out);
}

function containers(spec: PodSpec, at: string): (readonly [Container, string])[] {
  const of = (list: readonly Container[] | undefined, name: string): (readonly [Container, string])[] =>
    (list ?? []).map((container, n) => [container, `${at}${name}[${n}]`]);
  return [
    ...of(spec.initContainers, 'initContainers'),
    ...of(spec.containers, 'containers'),
    ...of(spec.ephemeralContainers, 'ephemeralContainers'),
  ];
}

function placement(spec: PodSpec, at: string, out: string[]): void {
  for (const key in spec.nodeSelector) {
    const told = OLD_LABELS.get(key);
    if (told !== undefined) out.push(`${at}nodeSelector[${key}]: ${told}`);
  }
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, n) => {
    const told = OLD_LABELS.get(topologyKey);
    if (told !== undefined) out.push(`${at}topologySpreadConstraints[${n}].topologyKey: ${topologyKey} is ${told}`);
    if (labelSelector === undefined) {
      out.push(`${at}topologySpreadConstraints[${n}].labelSelector: a null labelSelector results in matching no pod`);
    }
  });
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.forEach((term, n) => {
    nodeTerm(term, `${at}affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${n}]`, out);
  });
  nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ preference }, n) => {
    nodeTerm(preference, `${at}affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${n}].preference`, out);
  });
  for (const [name, affinity] of [['podAffinity', podAffinity], ['podAntiAffinity', podAntiAffinity]] as const) {
    const none = 'a null labelSelector results in matching no pod';
    affinity?.requiredDuringSchedulingIgnoredDuringExecution?.forEach((term, n) => {
      if (term.labelSelector === undefined) {
        out.push(`${at}affinity.${name}.requiredDuringSchedulingIgnoredDuringExecution[${n}].labelSelector: ${none}`);
      }
    });
    affinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ podAffinityTerm }, n) => {
      if (podAffinityTerm.labelSelector === undefined) {
        out.push(`${at}affinity.${name}.preferredDuringSchedulingIgnoredDuringExecution[${n}].podAffinityTerm.labelSelector: ${none}`);
      }
    });
  }
}

function nodeTerm(term: { readonly matchExpressions?: readonly { readonly key: string }[] }, at: string, out: string[]): void {
  term.matchExpressions?.forEach(({ key }, n) => {
    const told = OLD_LABELS.get(key);
    if (told !== undefined) out.push(`${at}.matchExpressions[${n}].key: ${key} is ${told}`);
  });
}

function annotations(spec: PodSpec, metadata: ObjectMeta | undefined, at: string, out: string[]): void {
  const given = metadata?.annotations;
  if (given === undefined) return;
  for (const [key, told] of OLD_ANNOTATIONS) if (given[key] !== undefined) out.push(`${at}metadata.annotations[${key}]: ${told}`);
  const unused = (key: string): void => {
    out.push(`${at}metadata.annotations[${key}]: non-functional in v1.27+; use the "seccompProfile" field instead`);
  };
  if (given[SECCOMP_POD] !== undefined && spec.securityContext?.seccompProfile === undefined) unused(SECCOMP_POD);
  for (const [{ name, securityContext }] of containers(spec, '')) {
    if (given[SECCOMP_CONTAINER + name] !== undefined && securityContext?.seccompProfile === undefined) {
      unused(SECCOMP_CONTAINER + name);
    }
  }
}

function volumes(list: readonly Volume[], at: string, out: string[]): void {
  list.forEach((volume, n) => {
    for (const [kind, told] of OLD_VOLUMES) {
      if (volume[kind] !== undefined) {
        out.push(`${at}[${n}].${kind === 'storageos' ? 'storageOS' : kind}: ${told}`);
      }
    }
    const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
    if (claim !== undefined) claimWarnings(claim, `${at}[${n}].ephemeral.volumeClaimTemplate.spec`, out);
  });
}

/** Bytes come whole. */
export function claimWarnings(
  spec: {
    readonly resources?: { readonly requests?: Readonly<Record<string, string>>; readonly limits?: Readonly<Record<string, string>> };
  },
  at: string,
  out: string[],
): void {
  for (const kind of ['requests', 'limits'] as const) {
    const amount = spec.resources?.[kind]?.storage;
    if (amount !== undefined && isFraction(amount)) {
      out.push(`${at}.resources.${kind}[storage]: fractional byte value "${amount}" is invalid, must be an integer`);
    }
  }
}

function fractions(amounts: Readonly<Record<string, string>> | undefined, at: string, out: string[]): void {
  if (amounts === undefined) return;
  for (const name of ['memory', 'ephemeral-storage']) {
    const amount = amounts[name];
    if (amount !== undefined && isFraction(amount)) {
      out.push(`${at}[${name}]: fractional byte value "${amount}" is invalid, must be an integer`);
    }
  }
}

/** Only a quantity with one of these letters can be less than whole. */
function isFraction(amount: string): boolean {
  return /[mnu.-]/.test(amount) && parseQuantity(amount).nano % 1_000_000_000n !== 0n;
}

function duplicates(values: readonly string[] | undefined, words: (n: number) => string, out: string[]): void {
  if (values === undefined || values.length < 2) return;
  const seen = new Set<string>();
  values.forEach((value, n) => {
    if (seen.has(value)) out.push(words(n) + JSON.stringify(value));
    seen.add(value);
  });
}

/** A variable that is set again, and not made of its former value. */
function hidden(env: NonNullable<Container['env']>, at: string, out: string[]): void {
  const seen = new Set<string>();
  env.forEach(({ name, value = '', valueFrom }, n) => {
    const own = `$(${name})`;
    if (seen.has(name) && (valueFrom !== undefined || value === own || !value.includes(own))) {
      out.push(`${at}.env[${n}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    }
    seen.add(name);
  });
}

interface KnownPort {
  readonly at: string;
  readonly hostIP: string;
  readonly hostPort: number;
}

function ports(all: readonly (readonly [Container, string])[], out: string[]): void {
  const known = new Map<string, KnownPort[]>();
  const names = new Map<string, string>();
  const named: string[] = [];
  for (const [container, path] of all) {
    container.ports?.forEach(({ containerPort, protocol, hostIP = '', hostPort = 0, name = '' }, n) => {
      const at = `${path}.ports[${n}]`;
      const key = `${containerPort}/${protocol ?? ''}`;
      const others = known.get(key) ?? [];
      for (const other of others) {
        if (hostIP === other.hostIP && hostPort === other.hostPort) {
          out.push(`${at}: duplicate port definition with ${other.at}`);
        } else if (hostPort === 0 || other.hostPort === 0) {
          out.push(`${at}: overlapping port definition with ${other.at}`);
        } else if (hostPort === other.hostPort && (hostIP === '') !== (other.hostIP === '')) {
          out.push(`${at}: dangerously ambiguous port definition with ${other.at}`);
        }
      }
      known.set(key, [...others, { at, hostIP, hostPort }]);
      const first = names.get(name);
      if (name !== '' && first !== undefined) {
        named.push(
          `${at}: duplicate port name ${JSON.stringify(name)} with ${first}, services and probes that select ports by name will use ${first}`,
        );
      } else if (name !== '') {
        names.set(name, at);
      }
    });
  }
  out.push(...named);
}
