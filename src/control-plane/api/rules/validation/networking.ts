import { isIP } from 'node:net';
import type {
  Ingress,
  IngressBackend,
  IngressClass,
  IngressRule,
  IngressSpec,
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../../../types/kubernetes/generated/networking-v1.ts';
import { bitsOf, isV6, validCIDR } from './addresses.ts';
import { checked, each, immutable, validateLabelSelector } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { dnsLabel, dnsSubdomain, domainPrefixedPath, pathSegment, portName, portNumber, wildcardSubdomain } from './formats.ts';
import { rulesOf } from './kind.ts';
import { validateLoadBalancer } from './load-balancer.ts';

const SPEC = new Path('spec');
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

function validatePort(port: NetworkPolicyPort, errors: Errors, path: Path): void {
  const { protocol, port: number, endPort } = port;
  if (protocol !== undefined && !['TCP', 'UDP', 'SCTP'].includes(protocol)) {
    errors.notSupported(path.child('protocol'), protocol, ['TCP', 'UDP', 'SCTP']);
  }
  const end = path.child('endPort');
  if (number === undefined) {
    if (endPort !== undefined) errors.invalid(end, endPort, 'may not be specified when `port` is not specified');
  } else if (typeof number === 'string') {
    if (endPort !== undefined) errors.invalid(end, endPort, 'may not be specified when `port` is non-numeric');
    checked(number, portName, errors, path.child('port'));
  } else {
    errors.invalidEach(path.child('port'), number, portNumber(number));
    if (endPort === undefined) return;
    if (endPort < number) errors.invalid(end, number, 'must be greater than or equal to `port`');
    errors.invalidEach(end, endPort, portNumber(endPort));
  }
}

function validatePeer(peer: NetworkPolicyPeer, old: readonly string[], errors: Errors, path: Path): void {
  validateLabelSelector(peer.podSelector, errors, path.child('podSelector'));
  validateLabelSelector(peer.namespaceSelector, errors, path.child('namespaceSelector'));
  if (peer.ipBlock !== undefined) validateBlock(peer.ipBlock, old, errors, path.child('ipBlock'));
  const peers = [peer.podSelector, peer.namespaceSelector, peer.ipBlock].filter((one) => one !== undefined).length;
  if (peers === 0) errors.required(path, 'must specify a peer');
  else if (peers > 1 && peer.ipBlock !== undefined) errors.forbidden(path, 'may not specify both ipBlock and another peer');
}

function validateBlock(block: IPBlock, old: readonly string[], errors: Errors, path: Path): void {
  if (block.cidr === '') return errors.required(path.child('cidr'));
  const before = errors.list.length;
  validCIDR(block.cidr, errors, path.child('cidr'), old);
  if (errors.list.length > before) return;
  each(block.except).forEach((except, n) => {
    const count = errors.list.length;
    validCIDR(except, errors, path.child('except').index(n), old);
    if (errors.list.length === count && !isStrictlyWithin(except, block.cidr)) {
      errors.invalid(path.child('except').index(n), except, 'must be a strict subset of `cidr`');
    }
  });
}

function isStrictlyWithin(inner: string, outer: string): boolean {
  const [innerAddress = '', innerBits] = inner.split('/');
  const [outerAddress = '', outerBits] = outer.split('/');
  if (isIP(innerAddress) === 0 || isIP(outerAddress) === 0 || isV6(inner) !== isV6(outer)) return false;
  const shift = BigInt((isV6(inner) ? 128 : 32) - Number(outerBits));
  return Number(innerBits) > Number(outerBits) && bitsOf(innerAddress) >> shift === bitsOf(outerAddress) >> shift;
}

function validatePolicy(policy: NetworkPolicy, old: readonly string[], errors: Errors): void {
  const spec = policy.spec;
  validateLabelSelector(spec?.podSelector, errors, SPEC.child('podSelector'));
  each(spec?.ingress).forEach(({ ports, from }, n) => {
    const at = SPEC.child('ingress').index(n);
    each(ports).forEach((port, i) => validatePort(port, errors, at.child('ports').index(i)));
    each(from).forEach((peer, i) => validatePeer(peer, old, errors, at.child('from').index(i)));
  });
  each(spec?.egress).forEach(({ ports, to }, n) => {
    const at = SPEC.child('egress').index(n);
    each(ports).forEach((port, i) => validatePort(port, errors, at.child('ports').index(i)));
    each(to).forEach((peer, i) => validatePeer(peer, old, errors, at.child('to').index(i)));
  });
  const types = each(spec?.policyTypes);
  if (types.length > 2) return errors.invalid(SPEC.child('policyTypes'), types, 'may not specify more than two policyTypes');
  types.forEach((type, n) => {
    if (type !== 'Ingress' && type !== 'Egress') errors.notSupported(SPEC.child('policyTypes').index(n), type, ['Ingress', 'Egress']);
  });
}

function ranges(policy: NetworkPolicy): string[] {
  const peers = [...each(policy.spec?.ingress).flatMap(({ from }) => each(from)), ...each(policy.spec?.egress).flatMap(({ to }) => each(to))];
  return peers.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock.cidr, ...each(ipBlock.except)]));
}

export const NETWORK_POLICY = rulesOf<NetworkPolicy>({
  create: (policy, errors) => validatePolicy(policy, [], errors), update: (policy, old, errors) => validatePolicy(policy, ranges(old), errors),
});

function validateIngress(ingress: Ingress, errors: Errors): void {
  const spec: IngressSpec = ingress.spec ?? {};
  const rules = each(spec.rules);
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    errors.invalid(SPEC, spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified');
  }
  if (spec.defaultBackend !== undefined) validateBackend(spec.defaultBackend, errors, SPEC.child('defaultBackend'));
  rules.forEach((rule, n) => validateRule(rule, errors, SPEC.child('rules').index(n)));
  each(spec.tls).forEach(({ hosts, secretName = '' }, n) => {
    const at = SPEC.child('tls').index(n);
    each(hosts).forEach((host, i) => checked(host, host.includes('*') ? wildcardSubdomain : dnsSubdomain, errors, at.child('hosts').index(i)));
    if (secretName !== '') checked(secretName, dnsSubdomain, errors, at.child('secretName'));
  });
  if (spec.ingressClassName !== undefined) checked(spec.ingressClassName, dnsSubdomain, errors, SPEC.child('ingressClassName'));
}

function validateRule(rule: IngressRule, errors: Errors, path: Path): void {
  const { host = '', http } = rule;
  if (host !== '') {
    if (isIP(host) !== 0) errors.invalid(path.child('host'), host, 'must be a DNS name, not an IP address');
    checked(host, host.includes('*') ? wildcardSubdomain : dnsSubdomain, errors, path.child('host'));
  }
  if (http === undefined) return;
  const paths = each(http.paths);
  if (paths.length === 0) errors.required(path.child('http').child('paths'));
  paths.forEach(({ path: text = '', pathType, backend }, n) => {
    const at = path.child('http').child('paths').index(n);
    if (pathType === undefined) return errors.required(at.child('pathType'), 'pathType must be specified');
    if (!PATH_TYPES.includes(pathType)) errors.notSupported(at.child('pathType'), pathType, PATH_TYPES);
    else if (pathType !== 'ImplementationSpecific') validatePath(text, errors, at.child('path'));
    else if (text !== '' && !text.startsWith('/')) errors.invalid(at.child('path'), text, 'must be an absolute path');
    validateBackend(backend, errors, at.child('backend'));
  });
}

function validatePath(text: string, errors: Errors, path: Path): void {
  if (!text.startsWith('/')) errors.invalid(path, text, 'must be an absolute path');
  for (const sequence of ['//', '/./', '/../', '%2f', '%2F']) {
    if (text.includes(sequence)) {
      errors.invalid(path, text, `must not contain '${sequence}'`);
    }
  }
  for (const end of ['/..', '/.']) if (text.endsWith(end)) errors.invalid(path, text, `cannot end with '${end}'`);
}

function validateReference(reference: { readonly apiGroup?: string; readonly kind: string; readonly name: string }, errors: Errors, path: Path): void {
  if (reference.apiGroup !== undefined) checked(reference.apiGroup, dnsSubdomain, errors, path.child('apiGroup'));
  for (const field of ['kind', 'name'] as const) {
    if (reference[field] === '') errors.required(path.child(field));
    else errors.invalidEach(path.child(field), reference[field], pathSegment(reference[field]));
  }
}

function validateBackend(backend: IngressBackend, errors: Errors, path: Path): void {
  const { service, resource } = backend;
  if (service !== undefined && resource !== undefined) return errors.invalid(path, '', 'cannot set both resource and service backends');
  if (resource !== undefined) return validateReference(resource, errors, path.child('resource'));
  if (service === undefined) return errors.invalid(path, '', 'resource or service backend is required');
  const at = path.child('service');
  if (service.name === '') errors.required(at.child('name'));
  else checked(service.name, dnsLabel, errors, at.child('name'));
  const { name = '', number = 0 } = service.port ?? {};
  if (name !== '' && number !== 0) errors.invalid(path, '', 'cannot set both port name & port number');
  else if (name !== '') checked(name, portName, errors, at.child('port').child('name'));
  else if (number !== 0) errors.invalidEach(at.child('port').child('number'), number, portNumber(number));
  else errors.required(path, 'port name or number is required');
}

export const INGRESS = rulesOf<Ingress>({
  create: (ingress, errors) => {
    validateIngress(ingress, errors);
    const [annotated, named] = [ingress.metadata?.annotations?.[CLASS_ANNOTATION], ingress.spec?.ingressClassName];
    if (annotated !== undefined && named !== undefined && annotated !== named) {
      errors.invalid(new Path('annotations').child(CLASS_ANNOTATION), annotated, 'must match `ingressClassName` when both are specified');
    }
  },
  update: (ingress, _old, errors) => validateIngress(ingress, errors),
  subresources: {
    status: (ingress, old, errors) =>
      validateLoadBalancer(
        ingress.status?.loadBalancer?.ingress,
        old.status?.loadBalancer?.ingress,
        errors,
        new Path('status').child('loadBalancer'),
      ),
  },
});

function validateClass(ingressClass: IngressClass, errors: Errors): void {
  const { controller = '', parameters } = ingressClass.spec ?? {};
  if (controller.length > 250) errors.tooLong(SPEC.child('controller'), 250);
  if (controller === '') errors.required(SPEC.child('controller'));
  else for (const { value, detail } of domainPrefixedPath(controller)) errors.invalid(SPEC.child('controller'), value, detail);
  if (parameters === undefined) return;
  const at = SPEC.child('parameters');
  validateReference(parameters, errors, at);
  const { scope, namespace } = parameters;
  if (scope === undefined) return errors.required(at.child('scope'));
  if (scope !== 'Cluster' && scope !== 'Namespace') return errors.notSupported(at.child('scope'), scope, ['Cluster', 'Namespace']);
  if (scope === 'Cluster') {
    if (namespace !== undefined) errors.forbidden(at.child('namespace'), "`parameters.scope` is set to 'Cluster'");
  } else if (namespace === undefined) errors.required(at.child('namespace'), "`parameters.scope` is set to 'Namespace'");
  else checked(namespace, dnsLabel, errors, at.child('namespace'));
}

export const INGRESS_CLASS = rulesOf<IngressClass>({
  create: validateClass,
  update: (ingressClass, old, errors) => {
    immutable(ingressClass.spec?.controller, old.spec?.controller, errors, SPEC.child('controller'));
    validateClass(ingressClass, errors);
  },
});
