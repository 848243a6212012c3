import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { WriteOutcome } from '../contract.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import { faultsOf } from '../apply/faults.ts';
import { untypable } from '../apply/typed.ts';
import { badRequest } from '../errors.ts';
import { jsonCopy } from './equal.ts';
import { draftOf, type Pipeline } from './pipeline.ts';
import { checkName, type Scope } from './scope.ts';
import { change } from './update.ts';

/**
 * Server-side apply: merges the configuration by who owns which field; makes
 * the object when it is not there.
 * @throws StatusError 400, 404, 409 (another manager owns a field), 422
 */
export async function applyOver(pipeline: Pipeline, scope: Scope, name: string, body: KubeObject): Promise<WriteOutcome> {
  const { kind, options } = scope;
  if (options.fieldManager === undefined || options.fieldManager === '') {
    throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
  }
  const applied = decodeApplied(pipeline, scope, body);
  // On a copy: what was sent says no more than it says.
  checkName(scope, { ...applied, metadata: { ...applied.metadata } }, name);
  reportApplied(scope);
  const time = pipeline.now();
  return change(pipeline, scope, name, {
    allowCreate: options.subresource === undefined,
    derived: true,
    tracked: true,
    next: (live) => {
      const { object, changed } = pipeline.applyPatch({
        resource: kind.info, subresource: options.subresource, live, applied: applied, manager: options.fieldManager!, force: options.force ?? false, now: time,
      });
      if (!changed) return undefined;
      const draft = draftOf(object);
      draft.metadata ??= {};
      draft.apiVersion = kind.apiVersion;
      draft.kind = kind.kind;
      checkName(scope, draft, name);
      pipeline.rules.applyDefaults(kind.info, draft);
      return draft;
    },
  });
}

/** A body is what a client sends, whatever its type says. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/**
 * As it was sent, perhaps without metadata: without defaults, since what is not in it is not applied.
 * @throws StatusError 400 for another kind; 500, as the API server answers, for what does not fit it
 */
function decodeApplied(pipeline: Pipeline, scope: Scope, body: KubeObject): KubeObject {
  const { info, apiVersion, kind } = scope.kind;
  if (body.apiVersion !== apiVersion || body.kind !== kind) {
    const [version, group] = textOf(body.apiVersion).split('/').reverse();
    throw badRequest(`invalid object type: ${group ?? ''}/${version ?? ''}, Kind=${textOf(body.kind)}`);
  }
  const unknown: string[] = [];
  try {
    pipeline.rules.decode(info, body, unknown);
  } catch (error) {
    const faults = isReason(error, 'BadRequest') ? faultsOf(info, body) : [];
    throw faults.length === 0 ? error : untypable(info, body, faults);
  }
  if (unknown.length > 0) throw untypable(info, body, faultsOf(info, body));
  // Decoding writes empty structs out (`strategy: {}`): what was not sent is not applied.
  return jsonCopy(body);
}

/** Keys that came twice. @throws StatusError 400 when the client is strict */
function reportApplied({ context, options: { strictFaults = [], fieldValidation = 'Warn' } }: Scope): void {
  if (strictFaults.length === 0 || fieldValidation === 'Ignore') return;
  const told = `yaml: unmarshal errors:\n  ${strictFaults.join('\n  ')}`;
  if (fieldValidation === 'Strict') throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${told}`);
  context.warnings.push(`error converting YAML to JSON: ${told}`);
}
