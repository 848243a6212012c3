import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { PatchBody, WriteOutcome } from '../contract.ts';
import { patchObject } from '../patch/patch.ts';
import { applyOver } from './apply.ts';
import type { Pipeline } from './pipeline.ts';
import { checkName, decodeBody, type Scope } from './scope.ts';
import type { Draft } from './strategy.ts';
import { change } from './update.ts';

/**
 * Patches an object. A patch that lost to another write is made anew on the
 * newest state, unless it carries a resourceVersion.
 * @throws StatusError 400, 403, 404, 409, 415, 422
 */
export async function patch(pipeline: Pipeline, scope: Scope, name: string, body: PatchBody): Promise<WriteOutcome> {
  if (body.type === 'apply') return applyOver(pipeline, scope, name, body.body);
  return change(pipeline, scope, name, {
    allowCreate: false,
    derived: true,
    next: (old) => patched(pipeline, scope, name, body, old!),
  });
}

/** The object after the patch: decoded and defaulted as a body would be. */
export function patched(pipeline: Pipeline, scope: Scope, name: string, body: Exclude<PatchBody, { type: 'apply' }>, old: KubeObject): Draft {
  const result = patchObject(scope.kind.info, body, old);
  const draft = decodeBody(pipeline.rules, scope, result);
  checkName(scope, draft, name);
  return draft;
}
