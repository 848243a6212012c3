import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { WriteOutcome } from '../contract.ts';
import type { Write } from './commit.ts';
import { badRequest, conflict, invalid, notFound, unexpected } from '../errors.ts';
import { prepareCreate } from './create.ts';
import { OPTIMISTIC_LOCK } from './errors.ts';
import { sameState, type Decision, type Pipeline } from './pipeline.ts';
import { checkName, decodeBody, type Scope } from './scope.ts';
import type { Draft } from './strategy.ts';

/**
 * Replaces an object, or a part of it through a subresource of the same kind.
 * @throws StatusError 400, 403, 404, 409, 422
 */
export async function update(pipeline: Pipeline, scope: Scope, name: string, body: unknown): Promise<WriteOutcome> {
  const decoded = decodeBody(pipeline.rules, scope, body);
  if (!decoded.metadata.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  checkName(scope, decoded, name);
  let used = false;
  return change(pipeline, scope, name, {
    allowCreate: scope.kind.strategy.createOnUpdate && scope.options.subresource === undefined,
    next: () => {
      // The first attempt may use up the decoded body; a later one needs it as it was.
      const draft = used ? decodeBody(pipeline.rules, scope, body) : decoded;
      if (used) checkName(scope, draft, name);
      used = true;
      return draft;
    },
  });
}

/** How a write makes the new object of the old one. */
export interface Changing {
  readonly allowCreate: boolean;
  /** @param old the object in the request's version; undefined: it does not exist. @returns a private copy; undefined: no change */
  readonly next: (old: KubeObject | undefined) => Draft | undefined;
  /** True: `next` has kept managedFields itself (server-side apply). */
  readonly tracked?: boolean;
  /** True: the new object is made of the old one, so that no resourceVersion means the one it was made of. */
  readonly derived?: boolean;
}

/** Update, patch and apply, from the point where they know how to make the new object. */
export async function change(pipeline: Pipeline, scope: Scope, name: string, changing: Changing): Promise<WriteOutcome> {
  const { kind } = scope;
  const result = await pipeline.write(scope, kind.key(scope.namespace, name), (current): Decision => {
    if (current === undefined) {
      if (!changing.allowCreate) throw notFound(kind.info, name);
      const draft = changing.next(undefined)!;
      refuseForeign(scope, name, draft);
      pipeline.checkNamespace(scope, name);
      const object = prepareCreate(pipeline, scope, draft, changing.tracked ?? false);
      return { type: 'put', object: object, created: true, more: pipeline.companions(scope, object, undefined) };
    }
    const old = kind.view(current).object;
    const draft = changing.next(old);
    if (draft === undefined) return { type: 'keep', stored: current };
    checkPreconditions(scope, name, draft, old, current.revision, changing.derived ?? false);
    const { object, more } = prepareUpdate(pipeline, scope, name, draft, old, changing.tracked ?? false);
    if (sameState(object, old)) return { type: 'keep', stored: current };
    if (isFinished(object, old)) return { type: 'delete', object: object, more: pipeline.releases(scope, old), unseen: true };
    return { type: 'put', object: object, created: false, more };
  });
  return { stored: kind.view(result.stored), created: result.created };
}

/** A write that would create must not speak of an object that was: its uid belongs to nobody. */
function refuseForeign(scope: Scope, name: string, draft: Draft): void {
  const { uid } = draft.metadata;
  if (uid) throw conflict(scope.kind.info, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: `);
}

function checkPreconditions(scope: Scope, name: string, draft: Draft, old: KubeObject, revision: number, derived: boolean): void {
  const { info, strategy } = scope.kind;
  const { uid, resourceVersion } = draft.metadata;
  // A patch that changes the uid is not about another object: validation calls it what it is.
  if (!derived && uid && uid !== old.metadata?.uid) {
    throw conflict(info, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata?.uid ?? ''}`);
  }
  if (!resourceVersion || resourceVersion === '0') {
    if (derived || strategy.unconditionalUpdate) return;
    throw invalid({ group: info.group, kind: info.resource }, name, [
      { reason: 'FieldValueInvalid', message: 'Invalid value: 0: must be specified for an update', field: 'metadata.resourceVersion' },
    ]);
  }
  if (!/^\d+$/.test(resourceVersion)) throw unexpected(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  if (resourceVersion !== String(revision)) throw conflict(info, name, OPTIMISTIC_LOCK);
}

/** Everything that happens to a changed object before it is written. */
function prepareUpdate(
  pipeline: Pipeline,
  scope: Scope,
  name: string,
  draft: Draft,
  old: KubeObject,
  tracked: boolean,
): { object: Draft; more: readonly Write[] } {
  const { strategy } = scope.kind;
  if (!tracked) pipeline.track(scope, draft, old);
  const object = pipeline.mutate(scope, 'UPDATE', name, draft, old);
  keepSystemFields(object, old);
  strategy.prepareForUpdate(object, old, scope.options.subresource);
  keepSystemFields(object, old);
  if (strategy.generation && scope.options.subresource !== 'status' && strategy.changed(object, old)) {
    object.metadata.generation = (old.metadata?.generation ?? 0) + 1;
  }
  const more = pipeline.companions(scope, object, old);
  pipeline.validate(scope, object, old);
  pipeline.admit(scope, 'UPDATE', name, object, old);
  pipeline.advise(scope, object, old);
  return { object, more };
}

/** Metadata that no update can touch. */
function keepSystemFields(object: Draft, old: KubeObject): void {
  const { metadata } = object;
  const before = old.metadata ?? {};
  metadata.uid ||= before.uid!;
  metadata.creationTimestamp = before.creationTimestamp;
  metadata.resourceVersion = before.resourceVersion;
  setOrDelete(metadata, 'generation', before.generation);
  setOrDelete(metadata, 'deletionTimestamp', before.deletionTimestamp);
  if (before.deletionTimestamp === undefined || metadata.deletionGracePeriodSeconds === undefined) {
    setOrDelete(metadata, 'deletionGracePeriodSeconds', before.deletionGracePeriodSeconds);
  }
  setOrDelete(metadata, 'generateName', metadata.generateName ?? before.generateName);
  delete metadata.selfLink;
}

function setOrDelete(target: Record<string, unknown>, key: string, value: unknown): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

/** The last finalizer of an object that is being deleted is gone, and its grace is over: this write removes it. */
function isFinished(object: Draft, old: KubeObject): boolean {
  const finalizers = object.metadata.finalizers;
  if (finalizers !== undefined && finalizers.length > 0) return false;
  if (old.metadata?.deletionTimestamp === undefined) return false;
  if (object.kind === 'Namespace' && ((object.spec as { finalizers?: readonly string[] } | undefined)?.finalizers ?? []).length > 0) {
    return false;
  }
  return !old.metadata.deletionGracePeriodSeconds;
}

