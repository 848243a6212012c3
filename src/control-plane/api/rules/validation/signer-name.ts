import type { Errors, Path } from './errors.ts';
import { dnsLabel, dnsSubdomain } from './formats.ts';

/** `example.com/name`: who signs certificates. */
export function validateSignerName(name: string, errors: Errors, path: Path): void {
  if (name === '') return errors.required(path);
  const [domain = '', rest = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0) {
    return errors.invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
  }
  if (domain.length > 253) errors.tooLong(path, 253);
  const labels = domain.split('.');
  const wrong = labels.find((label) => dnsLabel(label).length > 0);
  if (wrong !== undefined) {
    for (const why of dnsLabel(wrong)) {
      errors.invalid(path, domain, `validating label ${JSON.stringify(wrong)}: ${why}`);
    }
  }
  if (labels.length < 2) errors.invalid(path, domain, 'should be a domain with at least two segments separated by dots');
  const bad = rest.split('.').find((label) => dnsSubdomain(label).length > 0);
  if (bad !== undefined) for (const why of dnsSubdomain(bad)) errors.invalid(path, rest, `validating label ${JSON.stringify(bad)}: ${why}`);
  if (name.length > 571) errors.tooLong(path, 571);
}
