import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { requireSchema } from '../../../../types/kubernetes/schema.ts';
import type { Rules, WriteOutcome } from '../../contract.ts';
import { badRequest } from '../../errors.ts';
import { reportFields, type Scope } from '../scope.ts';
import { Stored } from '../stored.ts';

/** The type of a subresource's body, in the form that the rules take. */
export function bodyType(apiVersion: string, kind: string, schema: string): ResourceInfo {
  requireSchema(schema);
  const [version, group = ''] = apiVersion.split('/').reverse() as [string, string?];
  return {
    group,
    version,
    resource: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    kind,
    namespaced: true,
    verbs: [],
    shortNames: [],
    categories: [],
    subresources: [],
    schema,
  };
}

/**
 * Decodes the body of a subresource, with its defaults.
 * @param name the object's name in the path, which the body must not contradict
 * @throws StatusError 400
 */
export function decodeAs(rules: Rules, scope: Scope, type: ResourceInfo, body: unknown, name: string): KubeObject {
  const unknown: string[] = [];
  const object = rules.decode(type, underItsName(type, body), unknown);
  reportFields(scope, unknown, body);
  rules.applyDefaults(type, object);
  const { metadata } = object;
  if (metadata?.name && metadata.name !== name) throw badRequest(`name in URL does not match name in ${type.kind} object`);
  if (metadata?.namespace && metadata.namespace !== scope.namespace) {
    throw badRequest(
      `the namespace of the object (${metadata.namespace}) does not match the namespace on the request (${scope.namespace})`,
    );
  }
  return object;
}

/** Eviction has been of policy/v1beta1, with the same fields, so that every version of the group is taken for the one we know. */
function underItsName(type: ResourceInfo, body: unknown): unknown {
  const { apiVersion } = (body ?? {}) as { apiVersion?: unknown };
  if (typeof apiVersion !== 'string' || apiVersion === '' || groupOf(apiVersion) !== type.group) return body;
  return { ...(body as object), apiVersion: type.group === '' ? type.version : `${type.group}/${type.version}` };
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** The answer of a subresource that does something and has nothing to show. */
export function success(revision: number): WriteOutcome {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  return { stored: Stored.of(status, revision), created: true };
}
