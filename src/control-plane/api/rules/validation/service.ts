import type { Service, ServicePort, ServiceSpec } from '../../../../types/kubernetes/generated/core-v1.ts';
import { isV6, validCIDR, validEndpointIP, validIP } from './addresses.ts';
import { checked, each, validLabel, validPortOrName, validQualifiedName } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { dnsLabel, dnsSubdomain, portNumber } from './formats.ts';
import { rulesOf } from './kind.ts';
import { namedBy, validateLabels } from './metadata.ts';
import { validateLoadBalancer } from './load-balancer.ts';

const SPEC = new Path('spec');
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const DAY = 86_400;

const isHeadless = (spec: ServiceSpec): boolean => each(spec.clusterIPs).length === 1 && spec.clusterIPs![0] === 'None';
const isOutside = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && each(spec.externalIPs).length > 0);
const needsHealthCheck = (spec: ServiceSpec): boolean => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/** clusterIP and clusterIPs say one thing twice. A new Service may give the first alone: what is missing is filled in when addresses are allotted. */
function settled(spec: ServiceSpec): ServiceSpec {
  const { clusterIP = '' } = spec;
  return clusterIP !== '' && each(spec.clusterIPs).length === 0 ? { ...spec, clusterIPs: [clusterIP] } : spec;
}

/** @param old undefined for a new Service */
function validateSpec(service: Service, old: Service | undefined, errors: Errors): void {
  const spec = old === undefined ? settled(service.spec ?? {}) : service.spec ?? {};
  const ports = each(spec.ports);
  const type = spec.type ?? '';
  const headless = isHeadless(spec);
  if (ports.length === 0 && !headless && type !== 'ExternalName') errors.required(SPEC.child('ports'));
  if ((type === 'LoadBalancer' || type === 'NodePort') && headless) {
    errors.invalid(SPEC.child('clusterIPs').index(0), 'None', `may not be set to 'None' for ${type} services`);
  }
  if (type === 'ExternalName') validateExternalName(spec, errors);
  const names = new Set<string>();
  ports.forEach((port, n) => validatePort(port, ports.length > 1, names, errors, SPEC.child('ports').index(n)));
  if (spec.selector !== undefined) validateLabels(spec.selector, errors, SPEC.child('selector'));
  validateAffinity(spec, errors);
  if (type !== 'ExternalName') validateClusterIPs(spec, old?.spec, errors);
  each(spec.externalIPs).forEach((ip, n) => {
    const before = errors.list.length;
    validIP(ip, errors, SPEC.child('externalIPs').index(n), each(old?.spec?.externalIPs));
    if (errors.list.length === before) validEndpointIP(ip, errors, SPEC.child('externalIPs').index(n));
  });
  errors.oneOf(SPEC.child('type'), type, TYPES);
  validatePortsTogether(ports, type, errors);
  validateSourceRanges(service, old, errors);
  validatePolicies(spec, errors);
}

function validateExternalName(spec: ServiceSpec, errors: Errors): void {
  if (each(spec.clusterIPs).length > 0) errors.forbidden(SPEC.child('clusterIPs'), 'may not be set for ExternalName services');
  if (each(spec.ipFamilies).length > 0) errors.forbidden(SPEC.child('ipFamilies'), 'may not be set for ExternalName services');
  if (spec.ipFamilyPolicy !== undefined) errors.forbidden(SPEC.child('ipFamilyPolicy'), 'may not be set for ExternalName services');
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.required(SPEC.child('externalName'));
  else checked(name, dnsSubdomain, errors, SPEC.child('externalName'));
}

function validatePort(port: ServicePort, named: boolean, names: Set<string>, errors: Errors, path: Path): void {
  const { name = '', appProtocol } = port;
  if (name !== '') {
    validLabel(name, errors, path.child('name'));
    if (names.has(name)) errors.duplicate(path.child('name'), name);
    names.add(name);
  } else if (named) errors.required(path.child('name'));
  errors.invalidEach(path.child('port'), port.port, portNumber(port.port));
  errors.oneOf(path.child('protocol'), port.protocol, PROTOCOLS);
  validPortOrName(port.targetPort, errors, path.child('targetPort'));
  if (appProtocol !== undefined) validQualifiedName(appProtocol, errors, path.child('appProtocol'));
}

function validateAffinity(spec: ServiceSpec, errors: Errors): void {
  const { sessionAffinity = '', sessionAffinityConfig: config } = spec;
  errors.oneOf(SPEC.child('sessionAffinity'), sessionAffinity, ['ClientIP', 'None']);
  const at = SPEC.child('sessionAffinityConfig');
  if (sessionAffinity === 'ClientIP') {
    const seconds = config?.clientIP?.timeoutSeconds;
    if (seconds === undefined) {
      errors.required(at, 'when session affinity type is ClientIP');
    } else if (seconds <= 0 || seconds > DAY) {
      errors.invalid(at.child('clientIP').child('timeoutSeconds'), seconds, `must be greater than 0 and less than ${DAY}`);
    }
  } else if (sessionAffinity === 'None' && config !== undefined) errors.forbidden(at, 'must not be set when session affinity is None');
}

function validateClusterIPs(spec: ServiceSpec, old: ServiceSpec | undefined, errors: Errors): void {
  const ips = each(spec.clusterIPs);
  const families = each(spec.ipFamilies);
  const at = SPEC.child('clusterIPs');
  const { clusterIP = '' } = spec;
  if (clusterIP !== '') {
    if (ips.length === 0) errors.required(at);
    else if (ips[0] !== clusterIP) errors.invalid(at, ips, 'first value must match `clusterIP`');
  } else if (ips.length > 0) errors.invalid(at, ips, 'must be empty when `clusterIP` is not specified');
  families.forEach((family, n) => {
    if (family !== 'IPv4' && family !== 'IPv6') errors.notSupported(SPEC.child('ipFamilies').index(n), family, ['IPv4', 'IPv6']);
    if (families.indexOf(family) < n) errors.duplicate(SPEC.child('ipFamilies').index(n), family);
  });
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy)) {
    errors.notSupported(SPEC.child('ipFamilyPolicy'), spec.ipFamilyPolicy, policies);
  }
  const before = errors.list.length;
  ips.forEach((ip, n) => {
    if (n > 0 || ip !== 'None') validIP(ip, errors, at.index(n), each(old?.clusterIPs));
    else if (ips.length > 1) errors.invalid(at, ips, "'None' must be the first and only value");
  });
  const faulty = errors.list.length > before;
  if (ips.length > 2) errors.invalid(at, ips, 'may only hold up to 2 values');
  if (faulty) return;
  if (ips.length > 1 && (ips.every(isV6) || !ips.some(isV6))) errors.invalid(at, ips, 'may specify no more than one IP for each IP family');
  if (isHeadless(spec)) return;
  ips.forEach((ip, n) => {
    const family = families[n];
    if (family === 'IPv4' && isV6(ip)) errors.invalid(at.index(n), ip, `expected an IPv4 value as indicated by \`ipFamilies[${n}]\``);
    if (family === 'IPv6' && !isV6(ip)) errors.invalid(at.index(n), ip, `expected an IPv6 value as indicated by \`ipFamilies[${n}]\``);
  });
}

function validatePortsTogether(ports: readonly ServicePort[], type: string, errors: Errors): void {
  const [taken, nodePorts] = [new Set<string>(), new Set<string>()];
  const at = SPEC.child('ports');
  ports.forEach(({ nodePort = 0 }, n) => {
    if (type === 'ClusterIP' && nodePort !== 0) {
      errors.forbidden(at.index(n).child('nodePort'), "may not be used when `type` is 'ClusterIP'");
    }
  });
  ports.forEach(({ protocol = '', nodePort = 0 }, n) => {
    if (nodePort === 0) return;
    const key = `${protocol}/${nodePort}`;
    if (nodePorts.has(key)) errors.duplicate(at.index(n).child('nodePort'), nodePort);
    nodePorts.add(key);
  });
  ports.forEach(({ protocol = '', port }, n) => {
    const key = `${protocol}/${port}`;
    if (taken.has(key)) {
      errors.duplicate(at.index(n), { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 });
    }
    taken.add(key);
  });
}

const RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

function validateSourceRanges(service: Service, old: Service | undefined, errors: Errors): void {
  const spec = service.spec ?? {};
  const ranges = each(spec.loadBalancerSourceRanges);
  const annotated = service.metadata?.annotations?.[RANGES];
  if (ranges.length > 0) {
    const at = SPEC.child('LoadBalancerSourceRanges');
    if (spec.type !== 'LoadBalancer') errors.forbidden(at, "may only be used when `type` is 'LoadBalancer'");
    ranges.forEach((range, n) => validCIDR(range.trim(), errors, at.index(n), each(old?.spec?.loadBalancerSourceRanges).map((known) => known.trim())));
  } else if (annotated !== undefined) {
    const at = new Path('metadata').child('annotations').key(RANGES);
    if (spec.type !== 'LoadBalancer') errors.forbidden(at, "may only be used when `type` is 'LoadBalancer'");
    if (old?.metadata?.annotations?.[RANGES] !== annotated && annotated.trim() !== '') {
      for (const range of annotated.split(',')) {
        validCIDR(range.trim(), errors, at);
      }
    }
  }
}

function validatePolicies(spec: ServiceSpec, errors: Errors): void {
  const balanced = spec.type === 'LoadBalancer';
  if (spec.allocateLoadBalancerNodePorts !== undefined && !balanced) {
    errors.forbidden(SPEC.child('allocateLoadBalancerNodePorts'), "may only be used when `type` is 'LoadBalancer'");
  }
  if (balanced && spec.allocateLoadBalancerNodePorts === undefined) errors.required(new Path('allocateLoadBalancerNodePorts'));
  if (spec.loadBalancerClass !== undefined) {
    if (balanced) validQualifiedName(spec.loadBalancerClass, errors, SPEC.child('loadBalancerClass'));
    else errors.forbidden(SPEC.child('loadBalancerClass'), "may only be used when `type` is 'LoadBalancer'");
  }
  const external = spec.externalTrafficPolicy ?? '';
  if (isOutside(spec)) {
    errors.oneOf(SPEC.child('externalTrafficPolicy'), external, ['Cluster', 'Local']);
  } else if (external !== '') {
    errors.invalid(SPEC.child('externalTrafficPolicy'), external, 'may only be set for externally-accessible services');
  }
  const health = spec.healthCheckNodePort ?? 0;
  // The one that is allotted comes after this; a number that the client chose is looked at.
  if (needsHealthCheck(spec)) {
    if (health !== 0) errors.invalidEach(SPEC.child('healthCheckNodePort'), health, portNumber(health));
  } else if (health !== 0) {
    errors.invalid(
      SPEC.child('healthCheckNodePort'),
      health,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    );
  }
  if (spec.internalTrafficPolicy === undefined) {
    if (spec.type !== 'ExternalName' && TYPES.includes(spec.type ?? '')) errors.required(SPEC.child('internalTrafficPolicy'));
  } else if (!['Cluster', 'Local'].includes(spec.internalTrafficPolicy)) {
    errors.notSupported(SPEC.child('internalTrafficPolicy'), spec.internalTrafficPolicy, ['Cluster', 'Local']);
  }
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
    errors.notSupported(SPEC.child('trafficDistribution'), spec.trafficDistribution, distributions);
  }
}

function update(service: Service, old: Service, errors: Errors): void {
  const [spec, before] = [service.spec ?? {}, old.spec ?? {}];
  if (spec.type !== 'ExternalName' && before.type !== 'ExternalName') {
    validateClusterIPChange(spec, before, errors);
    validateFamilyChange(spec, before, errors);
  }
  if (spec.type === 'LoadBalancer' && before.type === 'LoadBalancer' && spec.loadBalancerClass !== before.loadBalancerClass) {
    errors.invalid(SPEC.child('loadBalancerClass'), spec.loadBalancerClass, 'may not change once set');
  }
  if (needsHealthCheck(before) && needsHealthCheck(spec) && (spec.healthCheckNodePort ?? 0) !== 0 && spec.healthCheckNodePort !== before.healthCheckNodePort) {
    errors.forbidden(SPEC.child('healthCheckNodePort'), 'field is immutable');
  }
  validateSpec(service, old, errors);
}

function validateClusterIPChange(spec: ServiceSpec, before: ServiceSpec, errors: Errors): void {
  const [now, was] = [each(spec.clusterIPs), each(before.clusterIPs)];
  const at = SPEC.child('clusterIPs');
  if (isHeadless(spec) && isHeadless(before)) return;
  if (now.length === was.length) {
    was.forEach((ip, n) => {
      if (ip !== now[n]) errors.invalid(at.index(n), now, 'may not change once set');
    });
    return;
  }
  if (now.length < was.length && now.length === 0) errors.invalid(at.index(0), now, 'primary clusterIP can not be unset');
  else if (was.length > 0 && now[0] !== was[0]) errors.invalid(at.index(0), now, 'may not change once set');
  if (now.length === 1 && was.length === 2 && spec.ipFamilyPolicy !== 'SingleStack') {
    errors.invalid(
      SPEC.child('ipFamilyPolicy'),
      spec.ipFamilyPolicy,
      "must be set to 'SingleStack' when releasing the secondary clusterIP",
    );
  }
}

function validateFamilyChange(spec: ServiceSpec, before: ServiceSpec, errors: Errors): void {
  if (isHeadless(spec) || isHeadless(before)) return;
  const [now, was] = [each(spec.ipFamilies), each(before.ipFamilies)];
  const at = SPEC.child('ipFamilies');
  const changed = now.length === was.length ? was.some((family, n) => family !== now[n]) : now.length > 0 && was.length > 0 && now[0] !== was[0];
  if (changed) errors.invalid(at.index(0), now, 'may not change once set');
  if (now.length === 1 && was.length === 2 && spec.ipFamilyPolicy !== 'SingleStack') {
    errors.invalid(SPEC.child('ipFamilyPolicy'), spec.ipFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary ipFamily");
  }
}

function status(service: Service, old: Service, errors: Errors): void {
  validateLoadBalancer(
    service.status?.loadBalancer?.ingress,
    old.status?.loadBalancer?.ingress,
    errors,
    new Path('status').child('loadBalancer'),
  );
  if (service.spec?.type !== 'LoadBalancer' && each(service.status?.loadBalancer?.ingress).length > 0) {
    errors.forbidden(new Path('status').child('loadBalancer').child('ingress'), 'may only be used when `spec.type` is LoadBalancer');
  }
}

export const SERVICE = rulesOf<Service>({
  name: namedBy(dnsLabel),
  create: (service, errors) => validateSpec(service, undefined, errors),
  update,
  subresources: { status },
});
