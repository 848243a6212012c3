import type { PodDNSConfig, PodSpec, PodTemplateSpec } from '../../../../../types/kubernetes/generated/core-v1.ts';
import type { ObjectMeta } from '../../../../../types/kubernetes/meta.ts';
import { validIP } from '../addresses.ts';
import { checked, each, validLabel, validQualifiedName, validSubdomain } from '../common.ts';
import type { Errors, Path } from '../errors.ts';
import { dnsSubdomain, inRange, pattern } from '../formats.ts';
import { validateAnnotations, validateLabels } from '../metadata.ts';
import { validateContainerResourceName, validateAmount, validatePodClaims, validateResources } from '../resources.ts';
import { validateContainers, validateEphemeralContainers, validateInitContainers } from './containers.ts';
import { validateOs } from './os.ts';
import { validateAffinity, validateSpread, validateTolerations } from './scheduling.ts';
import { validatePodSecurityContext } from './security.ts';
import { validateVolumes } from './volumes.ts';

const MAX_INT32 = 2_147_483_647;
const UNDERSCORED = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';

/** Annotations of a pod that mean something to the API itself. */
export function validatePodAnnotations(annotations: ObjectMeta['annotations'], spec: PodSpec, errors: Errors, path: Path): void {
  if (annotations === undefined) return;
  const mirror = annotations['kubernetes.io/config.mirror'];
  if (mirror !== undefined && (spec.nodeName ?? '') === '') {
    errors.invalid(path.key('kubernetes.io/config.mirror'), mirror, 'must set spec.nodeName if mirror pod annotation is set');
  }
  const cost = annotations['controller.kubernetes.io/pod-deletion-cost'];
  if (cost !== undefined && (!/^(?:0|-?[1-9]\d{0,9})$/.test(cost) || Math.abs(Number(cost)) > MAX_INT32)) {
    errors.invalid(path.key('controller.kubernetes.io/pod-deletion-cost'), cost, 'must be a 32bit integer');
  }
}

/** @param metadata of the pod; undefined for a template, whose pods have no names yet */
export function validatePodSpec(spec: PodSpec, metadata: ObjectMeta | undefined, errors: Errors, path: Path): void {
  if (spec.terminationGracePeriodSeconds === undefined) errors.required(path.child('terminationGracePeriodSeconds'));
  const volumes = validateVolumes(spec.volumes, metadata?.name ?? '', metadata !== undefined, errors, path.child('volumes'));
  const claims = validatePodClaims(spec.resourceClaims, errors, path.child('resourceClaims'));
  const context = { spec, volumes, claims, hostUsers: spec.hostUsers !== false };
  validateContainers(context, errors, path.child('containers'));
  if (spec.initContainers !== undefined) validateInitContainers(context, errors, path.child('initContainers'));
  if (spec.ephemeralContainers !== undefined) validateEphemeralContainers(context, errors, path.child('ephemeralContainers'));
  if (spec.resources !== undefined) validatePodResources(spec, claims, errors, path.child('resources'));
  if (spec.hostNetwork === true) validateHostNetwork(spec, metadata !== undefined, errors, path.child('containers'));
  errors.oneOf(path.child('restartPolicy'), spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  errors.oneOf(path.child('dnsPolicy'), spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']);
  if (spec.nodeSelector !== undefined) validateLabels(spec.nodeSelector, errors, path.child('nodeSelector'));
  validatePodSecurityContext(spec, errors, path.child('securityContext'));
  validateAffinity(spec.affinity, errors, path.child('affinity'));
  validateDns(spec.dnsConfig, spec.dnsPolicy, errors, path.child('dnsConfig'));
  each(spec.readinessGates).forEach(({ conditionType }, n) =>
    validQualifiedName(conditionType, errors, path.child('readinessGates').index(n).child('conditionType')),
  );
  const gates = new Set<string>();
  each(spec.schedulingGates).forEach(({ name }, n) => {
    validQualifiedName(name, errors, path.child('schedulingGates').index(n));
    if (gates.has(name)) errors.duplicate(path.child('schedulingGates').index(n), name);
    gates.add(name);
  });
  validateSpread(spec.topologySpreadConstraints, errors, path.child('topologySpreadConstraints'));
  validateHostUsers(spec, errors, path);
  validateNames(spec, errors, path);
  validateTolerations(spec.tolerations, errors, path.child('tolerations'));
  each(spec.hostAliases).forEach(({ ip, hostnames }, n) => {
    const at = path.child('hostAliases').index(n);
    validIP(ip, errors, at.child('ip'));
    each(hostnames).forEach((name, i) => validSubdomain(name, errors, at.child('hostnames').index(i)));
  });
  if ((spec.priorityClassName ?? '') !== '') checked(spec.priorityClassName!, dnsSubdomain, errors, path.child('priorityClassName'));
  if (spec.runtimeClassName !== undefined) checked(spec.runtimeClassName, dnsSubdomain, errors, path.child('runtimeClassName'));
  if (spec.preemptionPolicy !== undefined) {
    errors.oneOf(path.child('preemptionPolicy'), spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  }
  for (const name in spec.overhead) {
    validateContainerResourceName(name, errors, path.child('overhead').child('limits').key(name));
    validateAmount(name, spec.overhead[name]!, errors, path.child('overhead').child('limits').key(name));
  }
  if (spec.os !== undefined) validateOs(spec, errors, path);
}

function validateNames(spec: PodSpec, errors: Errors, path: Path): void {
  const { hostnameOverride, serviceAccountName = '', nodeName = '', activeDeadlineSeconds: deadline, hostname = '', subdomain = '' } = spec;
  if (hostnameOverride !== undefined) {
    const at = path.child('hostnameOverride');
    if (spec.setHostnameAsFQDN === true) errors.forbidden(at, 'may not be specified when setHostnameAsFQDN is true');
    if (spec.hostNetwork === true) errors.forbidden(at, 'may not be specified when hostNetwork is true');
    if (hostnameOverride.length > 64) errors.tooLong(at, 64);
    validSubdomain(hostnameOverride, errors, at);
  }
  if (serviceAccountName !== '') checked(serviceAccountName, dnsSubdomain, errors, path.child('serviceAccountName'));
  if (nodeName !== '') checked(nodeName, dnsSubdomain, errors, path.child('nodeName'));
  if (deadline !== undefined && (deadline < 1 || deadline > MAX_INT32)) {
    errors.invalid(path.child('activeDeadlineSeconds'), deadline, inRange(1, MAX_INT32));
  }
  if (hostname !== '') validLabel(hostname, errors, path.child('hostname'));
  if (subdomain !== '') validLabel(subdomain, errors, path.child('subdomain'));
}

function validatePodResources(spec: PodSpec, claims: ReadonlySet<string>, errors: Errors, path: Path): void {
  if (spec.os?.name === 'windows') return errors.forbidden(path, 'may not be set for a windows pod');
  if (spec.resources!.claims !== undefined) errors.forbidden(path.child('claims'), 'claims may not be set for Resources at pod-level');
  validateResources(spec.resources, claims, errors, path, 'pod');
}

function validateHostNetwork(spec: PodSpec, isPod: boolean, errors: Errors, path: Path): void {
  each(spec.containers).forEach((container, n) => {
    each(container.ports).forEach(({ hostPort = 0, containerPort }, i) => {
      if ((isPod || hostPort !== 0) && hostPort !== containerPort) {
        errors.invalid(
          path.index(n).child('ports').index(i).child('hostPort'),
          hostPort,
          'must match `containerPort` when `hostNetwork` is true',
        );
      }
    });
  });
}

function validateHostUsers(spec: PodSpec, errors: Errors, path: Path): void {
  if (spec.hostUsers !== false) return;
  if (spec.hostNetwork === true) errors.forbidden(path.child('hostNetwork'), 'when `hostUsers` is false');
  if (spec.hostPID === true) errors.forbidden(path.child('HostPID'), 'when `hostUsers` is false');
  if (spec.hostIPC === true) errors.forbidden(path.child('HostIPC'), 'when `hostUsers` is false');
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    each<{ readonly volumeDevices?: readonly unknown[] }>(spec[list]).forEach(({ volumeDevices }, n) => {
      if (each(volumeDevices).length > 0) errors.forbidden(path.child(list).index(n).child('volumeDevices'), 'when `hostUsers` is false');
    });
  }
}

function validateDns(config: PodDNSConfig | undefined, policy: string | undefined, errors: Errors, path: Path): void {
  if (policy === 'None') {
    if (config === undefined) return errors.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None');
    if (each(config.nameservers).length === 0) {
      return errors.required(path.child('nameservers'), 'must provide at least one DNS nameserver when `dnsPolicy` is None');
    }
  }
  if (config === undefined) return;
  const [servers, searches] = [each(config.nameservers), each(config.searches)];
  if (servers.length > 3) errors.invalid(path.child('nameservers'), servers, 'must not have more than 3 nameservers');
  servers.forEach((server, n) => validIP(server, errors, path.child('nameservers').index(n)));
  if (searches.length > 32) errors.invalid(path.child('searches'), searches, 'must not have more than 32 search paths');
  if (searches.join(' ').length > 2048) {
    errors.invalid(path.child('searches'), searches, 'must not have more than 2048 characters (including spaces) in the search list');
  }
  searches.forEach((search, n) => {
    if (search !== '.') checked(search.replace(/\.$/, ''), underscoredSubdomain, errors, path.child('searches').index(n));
  });
  each(config.options).forEach(({ name = '' }, n) => {
    if (name === '') errors.required(path.child('options').index(n), 'must not be empty');
  });
}

function underscoredSubdomain(value: string): readonly string[] {
  const wrong: string[] = [];
  if (value.length > 253) wrong.push('must be no more than 253 characters');
  if (!value.split('.').every((label) => /^_?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/.test(label))) {
    wrong.push(
      pattern(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
        `${UNDERSCORED}(\\.${UNDERSCORED})*`,
        'example.com',
      ),
    );
  }
  return wrong;
}

/** The template of a controller's pods. */
export function validatePodTemplate(template: PodTemplateSpec, errors: Errors, path: Path): void {
  const metadata = template.metadata ?? {};
  if (metadata.labels !== undefined) validateLabels(metadata.labels, errors, path.child('labels'));
  if (metadata.annotations !== undefined) validateAnnotations(metadata.annotations, errors, path.child('annotations'));
  const spec = template.spec ?? { containers: [] };
  validatePodAnnotations(metadata.annotations, spec, errors, path.child('annotations'));
  validatePodSpec(spec, undefined, errors, path.child('spec'));
  if (each(spec.ephemeralContainers).length > 0) {
    errors.forbidden(path.child('spec').child('ephemeralContainers'), 'ephemeral containers not allowed in pod template');
  }
}
