import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointAddress, EndpointPort, Endpoints } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../../../types/kubernetes/generated/discovery-v1.ts';
import { validCanonicalIP, validEndpointIP, validIP } from './addresses.ts';
import { checked, each, immutable, same, validLabel, validQualifiedName } from './common.ts';
import { type Errors, Errors as Collector, Path } from './errors.ts';
import { dnsLabel, dnsSubdomain, labelValue, portNumber } from './formats.ts';
import { rulesOf } from './kind.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

function validateSubsets(endpoints: Endpoints, errors: Errors): void {
  each(endpoints.subsets).forEach((subset, n) => {
    const at = new Path('subsets').index(n);
    const ports = each(subset.ports);
    if (each(subset.addresses).length === 0 && each(subset.notReadyAddresses).length === 0) {
      errors.required(at, 'must specify `addresses` or `notReadyAddresses`');
    }
    for (const list of ['addresses', 'notReadyAddresses'] as const) {
      each(subset[list]).forEach((address, i) => validateAddress(address, errors, at.child(list).index(i)));
    }
    ports.forEach((port, i) => validatePort(port, ports.length > 1, errors, at.child('ports').index(i)));
  });
}

function validateAddress(address: EndpointAddress, errors: Errors, path: Path): void {
  validIP(address.ip, errors, path.child('ip'));
  if ((address.hostname ?? '') !== '') validLabel(address.hostname!, errors, path.child('hostname'));
  if (address.nodeName !== undefined) checked(address.nodeName, dnsSubdomain, errors, path.child('nodeName'));
  validEndpointIP(address.ip, errors, path.child('ip'));
}

function validatePort(port: EndpointPort, named: boolean, errors: Errors, path: Path): void {
  const { name = '', appProtocol } = port;
  if (name !== '') validLabel(name, errors, path.child('name'));
  else if (named) errors.required(path.child('name'));
  errors.invalidEach(path.child('port'), port.port, portNumber(port.port));
  errors.oneOf(path.child('protocol'), port.protocol, PROTOCOLS);
  if (appProtocol !== undefined) validQualifiedName(appProtocol, errors, path.child('appProtocol'));
}

export const ENDPOINTS = rulesOf<Endpoints>({
  create: validateSubsets,
  update: (endpoints, old, errors) => {
    if (!same(endpoints.subsets, old.subsets)) validateSubsets(endpoints, errors);
  },
});

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];

function validateSlice(slice: EndpointSlice, old: EndpointSlice | undefined, errors: Errors): void {
  errors.oneOf(new Path('addressType'), slice.addressType, ADDRESS_TYPES);
  const ports = each(slice.ports);
  const names = new Set<string>();
  if (ports.length > 20_000) errors.tooMany(new Path('ports'), ports.length, 20_000);
  ports.forEach((port, n) => {
    const at = new Path('ports').index(n);
    const { name = '', protocol = '', appProtocol } = port;
    if (name !== '') validLabel(name, errors, at.child('name'));
    if (names.has(name)) errors.duplicate(at.child('name'), name);
    names.add(name);
    errors.oneOf(at.child('protocol'), protocol, PROTOCOLS);
    if (appProtocol !== undefined) validQualifiedName(appProtocol, errors, at.child('appProtocol'));
  });
  const own = new Collector();
  validateEndpoints(slice, own);
  // What was accepted once may stay.
  if (old === undefined || !same(slice.endpoints, old.endpoints)) errors.list.push(...own.list);
}

function validateEndpoints(slice: EndpointSlice, errors: Errors): void {
  const list = each(slice.endpoints);
  if (list.length > 1000) errors.tooMany(new Path('endpoints'), list.length, 1000);
  list.forEach((endpoint, n) => {
    const at = new Path('endpoints').index(n);
    const addresses = each(endpoint.addresses);
    if (addresses.length === 0) errors.required(at.child('addresses'), 'must contain at least 1 address');
    else if (addresses.length > 100) errors.tooMany(at.child('addresses'), addresses.length, 100);
    addresses.forEach((address, i) => validateSliceAddress(address, slice.addressType, errors, at.child('addresses'), i));
    if (endpoint.nodeName !== undefined) checked(endpoint.nodeName, dnsSubdomain, errors, at.child('nodeName'));
    if (endpoint.hostname !== undefined) checked(endpoint.hostname, dnsLabel, errors, at.child('hostname'));
    if (endpoint.hints !== undefined) validateHints(endpoint.hints, errors, at.child('hints'));
  });
}

function validateSliceAddress(address: string, type: string, errors: Errors, path: Path, n: number): void {
  const before = errors.list.length;
  if (type === 'IPv4') {
    validIP(address, errors, path.index(n));
    if (errors.list.length > before) return;
    if (!isIPv4(address)) errors.invalid(path, address, 'must be an IPv4 address');
    validEndpointIP(address, errors, path.index(n));
  } else if (type === 'IPv6') {
    validCanonicalIP(address, errors, path.index(n));
    if (errors.list.length > before) return;
    if (!isIPv6(address)) errors.invalid(path, address, 'must be an IPv6 address');
    validEndpointIP(address, errors, path.index(n));
  } else if (type === 'FQDN') validateDomain(address, errors, path.index(n));
}

function validateDomain(value: string, errors: Errors, path: Path): void {
  if (value === '') return errors.required(path);
  const name = value.replace(/\.$/, '');
  const wrong = dnsSubdomain(name);
  if (wrong.length > 0) errors.invalid(path, name, wrong.join(','));
  else if (!name.includes('.')) errors.invalid(path, name, 'should be a domain with at least two segments separated by dots');
}

function validateHints(hints: NonNullable<Endpoint['hints']>, errors: Errors, path: Path): void {
  for (const [list, rule] of [['forZones', labelValue], ['forNodes', dnsSubdomain]] as const) {
    const names = each(hints[list]).map(({ name }) => name);
    if (names.length > 8) errors.tooMany(path.child(list), names.length, 8);
    names.forEach((name, n) => {
      if (names.indexOf(name) < n) errors.duplicate(path.child(list).index(n).child('name'), name);
      checked(name, rule, errors, path.child(list).index(n).child('name'));
    });
  }
}

export const ENDPOINT_SLICE = rulesOf<EndpointSlice>({
  create: (slice, errors) => validateSlice(slice, undefined, errors),
  update: (slice, old, errors) => {
    validateSlice(slice, old, errors);
    immutable(slice.addressType, old.addressType, errors, new Path('addressType'));
  },
});
