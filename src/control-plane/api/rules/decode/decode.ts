import type { KubeObject, ObjectMeta } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { requireSchema } from '../../../../types/kubernetes/schema.ts';
import { badRequest } from '../../errors.ts';
import { structDecoder, type Walk } from './decoder.ts';
import { diagnose, jsonType } from './diagnose.ts';
import { TYPE_META, unrecognized, whyOther } from './mismatch.ts';
import { MISFIT } from './scalars.ts';

/** What decoding needs to know of a kind; a row of the resource table has it, and so can the body of a subresource. */
export type DecodedKind = Pick<ResourceInfo, 'group' | 'version' | 'kind' | 'schema'>;

/**
 * Checks a parsed body against the kind's schema, and returns a clean copy: no nulls but for times that are not set,
 * canonical quantities and times, values that are
 * always written filled in, apiVersion and kind set. Never looks at a prototype; keys such as `__proto__` are data.
 * @param unknown collects the paths of fields that the schema does not know (at most 100)
 * @throws StatusError 400, worded as the API server does
 */
export function decodeKind(kind: DecodedKind, body: unknown, unknown: string[]): KubeObject {
  const { apiVersion, kind: name } = typeOf(kind, body);
  const walk: Walk = { unknown: 0 };
  let decoded: Record<string, unknown>;
  try {
    decoded = structDecoder(kind.schema)(body ?? {}, walk) as Record<string, unknown>;
  } catch (error) {
    if (error !== MISFIT) throw error;
    const { misfit } = diagnose(requireSchema(kind.schema), body);
    throw badRequest(`${name} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${misfit}`);
  }
  if (walk.unknown > 0) unknown.push(...diagnose(requireSchema(kind.schema), body).unknown);
  // The usual order, whatever the client's was.
  const { apiVersion: _, kind: __, metadata, ...rest } = decoded;
  return { apiVersion, kind: name, ...(metadata !== undefined && { metadata: metadata as ObjectMeta }), ...rest };
}

function typeOf(kind: DecodedKind, body: unknown): { apiVersion: string; kind: string } {
  const own = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
  if (body === null) return { apiVersion: own, kind: kind.kind };
  if (typeof body !== 'object' || Array.isArray(body)) {
    throw unrecognized(
      kind,
      body,
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonType(body)} into Go value of type ${TYPE_META}`,
    );
  }
  const given = body as { readonly apiVersion?: unknown; readonly kind?: unknown };
  for (const field of ['apiVersion', 'kind'] as const) {
    const value = given[field];
    if (value !== undefined && value !== null && typeof value !== 'string') {
      throw unrecognized(
        kind,
        body,
        `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonType(value)} into Go struct field .${field} of type string`,
      );
    }
  }
  const apiVersion = (given.apiVersion ?? '') === '' ? own : given.apiVersion as string;
  const name = (given.kind ?? '') === '' ? kind.kind : given.kind as string;
  if (apiVersion.split('/').length > 2) throw unrecognized(kind, body, `unexpected GroupVersion string: ${apiVersion}`);
  if (apiVersion !== own || name !== kind.kind) throw badRequest(whyOther(kind, own, apiVersion, name));
  return { apiVersion, kind: name };
}
