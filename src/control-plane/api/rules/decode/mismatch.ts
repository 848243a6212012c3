import { RESOURCES } from '../../../../types/kubernetes/generated/resources.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import type { StatusError } from '../../../../types/kubernetes/status.ts';
import { encodeJsonText } from '../../codec/json.ts';
import { badRequest } from '../../errors.ts';

// Bodies that are not of the kind that their address asks for.

type NamedKind = Pick<ResourceInfo, 'group' | 'kind'>;

/** How much of a body an error shows. */
const SHOWN = 30;
const VERSION = /^v\d+(?:(?:alpha|beta)\d+)?$/;

/** How Go prints the type that the API server reads apiVersion and kind into. */
export const TYPE_META = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`;

/** A body of which not even the type can be told. */
export function unrecognized(kind: NamedKind, body: unknown, why: string): StatusError {
  const text = encodeJsonText(body);
  const start = text.slice(0, SHOWN);
  const shown = (text.startsWith('{') ? start : Buffer.from(start).toString('hex')) + (text.length > SHOWN ? ' ...' : '');
  return badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): ${why} (${shown})`);
}

/**
 * Why an object of another type is none of this kind, as the API server words it.
 * @param own apiVersion of the kind
 */
export function whyOther(kind: NamedKind, own: string, apiVersion: string, name: string): string {
  const [version, group = ''] = apiVersion.split('/').reverse() as [string, string?];
  const sameKind = name === kind.kind && (group === kind.group || group === 'extensions') && VERSION.test(version);
  if (sameKind) return `the API version in the data (${apiVersion}) does not match the expected API version (${own})`;
  const known = RESOURCES.some((row) => row.group === group && row.version === version && (row.kind === name || `${row.kind}List` === name));
  const inner = kind.group === '' ? 'core' : kind.group.split('.', 1)[0]!;
  const why = known
    ? `converting (${version}.${name}) to (${inner}.${kind.kind}): unknown conversion`
    : `no kind "${name}" is registered for version "${group === '' ? version : apiVersion}" in scheme "pkg/runtime/scheme.go:111"`;
  return `${name} in version "${version}" cannot be handled as a ${kind.kind}: ${why}`;
}
