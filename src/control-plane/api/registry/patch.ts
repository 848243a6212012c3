import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { isReason, StatusError } from '../../../types/kubernetes/status.ts';
import { encodeJsonText } from '../codec/json.ts';
import type { PatchBody, WriteOutcome } from '../contract.ts';
import { failure } from '../errors.ts';
import { plainText } from '../go-text.ts';
import { patchObject } from '../patch/patch.ts';
import { applyOver } from './apply.ts';
import type { Pipeline } from './pipeline.ts';
import { checkName, decodeBody, type Scope } from './scope.ts';
import type { Draft } from './strategy.ts';
import { change } from './update.ts';

/** At most so much of a patch is repeated in the error that it caused. */
const SHOWN = 1000;

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
  const draft = decodePatched(pipeline, scope, body, result);
  checkName(scope, draft, name);
  return draft;
}

/** A patch whose result can't be read is at fault itself: 422 instead of the 400 that a body gets. */
function decodePatched(pipeline: Pipeline, scope: Scope, body: Exclude<PatchBody, { type: 'apply' }>, result: unknown): Draft {
  try {
    return decodeBody(pipeline.rules, scope, result);
  } catch (error) {
    if (!isReason(error, 'BadRequest')) throw error;
    const told = (error as Error).message.replace(/^.* cannot be handled as a \w+: /, '');
    const [shown, why] =
      body.type === 'strategic'
        ? [plainText(body.body).slice(0, SHOWN), restoring(told)]
        : [encodeJsonText(body.body).slice(0, SHOWN), told];
    const message = `Invalid value: ${JSON.stringify(shown)}: ${why}`;
    throw new StatusError(failure(422, 'Invalid', ` "" is invalid: patch: ${message}`, { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] }));
  }
}

const GO_KINDS: Readonly<Record<string, string>> = { object: 'map', array: 'slice', number: 'int64', bool: 'bool', string: 'string' };

/** What strategic merge patches say of a value that does not fit: their results are not read as JSON. */
function restoring(told: string): string {
  const [, given = '', type = ''] = /^json: cannot unmarshal (\w+).* into Go .* of type (\S+)$/.exec(told) ?? [];
  const kind = GO_KINDS[given];
  if (kind === undefined) return told;
  if (type.startsWith('[]')) return `cannot restore slice from ${kind}`;
  if (type.startsWith('map[')) return `cannot restore map from ${kind}`;
  if (/^\w+\.[A-Z]\w*$/.test(type) && kind !== 'map') return `cannot restore struct from: ${kind}`;
  return `cannot convert ${kind} to ${type}`;
}
