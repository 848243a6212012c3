import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { schemaOf } from '../../../types/kubernetes/schema.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import type { PatchBody } from '../contract.ts';
import { badRequest, failure } from '../errors.ts';
import { jsonPatch } from './json-patch.ts';
import { mergePatch } from './merge-patch.ts';
import { isObject, type JsonObject } from './own.ts';
import { strategicMerge } from './strategic-merge.ts';

/**
 * The object after a patch, as a value that nobody has checked yet. `object`
 * stays as it is; the result may share parts with it.
 * @throws StatusError 400, 413, 415 (strategic merge for a kind without a Go type), 422
 */
export function patchObject(resource: Pick<ResourceInfo, 'schema'>, patch: Exclude<PatchBody, { type: 'apply' }>, object: KubeObject): unknown {
  if (patch.type === 'json') return jsonPatch(object, patch.body);
  if (!isObject(patch.body)) {
    const found = patch.body === null ? 'null' : Array.isArray(patch.body) ? 'array' : typeof patch.body;
    throw badRequest(
      `${patch.type === 'strategic' ? '' : 'error decoding patch: '}json: cannot unmarshal ${found} into Go value of type map[string]interface {}`,
    );
  }
  if (patch.type === 'merge') return mergePatch(object, patch.body);
  const schema = schemaOf(resource.schema);
  if (schema === undefined) {
    throw new StatusError(
      failure(
        415,
        'UnsupportedMediaType',
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
      ),
    );
  }
  return strategicMerge(object as JsonObject, patch.body, schema);
}
