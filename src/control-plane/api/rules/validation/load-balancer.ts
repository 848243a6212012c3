import { isIP } from 'node:net';
import { validIP } from './addresses.ts';
import { checked, each } from './common.ts';
import type { Errors, Path } from './errors.ts';
import { dnsSubdomain } from './formats.ts';

interface Ingress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: string;
}

/** Addresses that a load balancer answers at, in the status of Services and Ingresses. */
export function validateLoadBalancer(list: readonly Ingress[] | undefined, old: readonly Ingress[] | undefined, errors: Errors, path: Path): void {
  each(list).forEach(({ ip = '', hostname = '', ipMode }, n) => {
    const at = path.child('ingress').index(n);
    if (ip !== '') validIP(ip, errors, at.child('ip'), each(old).map((known) => known.ip ?? ''));
    if (ipMode !== undefined && ip === '') errors.forbidden(at.child('ipMode'), 'may not be specified when `ip` is not set');
    if (ipMode !== undefined && ipMode !== 'VIP' && ipMode !== 'Proxy') errors.notSupported(at.child('ipMode'), ipMode, ['Proxy', 'VIP']);
    if (hostname === '') return;
    checked(hostname, dnsSubdomain, errors, at.child('hostname'));
    if (isIP(hostname) !== 0) errors.invalid(at.child('hostname'), hostname, 'must be a DNS name, not an IP address');
  });
}
