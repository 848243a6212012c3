import type { KubeObject, ObjectMeta } from '../../../types/kubernetes/meta.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import type { DeleteOutcome, DeleteParameters, StoredObject } from '../contract.ts';
import { conflict, forbidden, invalid, notFound } from '../errors.ts';
import { draftOf, type Decision, type Pipeline } from './pipeline.ts';
import type { Scope } from './scope.ts';
import type { Stored } from './stored.ts';
import type { Draft } from './strategy.ts';

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';
/** What cannot be deleted, by `group/resource`. */
const IMMORTAL: Readonly<Record<string, { readonly names: ReadonlySet<string>; readonly why: string }>> = {
  '/namespaces': { names: new Set(['default', 'kube-system', 'kube-public']), why: 'this namespace may not be deleted' },
  'scheduling.k8s.io/priorityclasses': {
    names: new Set(['system-node-critical', 'system-cluster-critical']),
    why: 'this is a system priority class and cannot be deleted',
  },
};

/**
 * Deletes an object, or begins to: with a grace period (pods) or finalizers
 * it lives on with a deletionTimestamp.
 * @throws StatusError 403, 404, 409 (preconditions), 422
 */
export async function remove(pipeline: Pipeline, scope: Scope, name: string, options: DeleteParameters): Promise<DeleteOutcome> {
  const { kind } = scope;
  checkOptions(options);
  leave(scope, options);
  let alive = false;
  const result = await pipeline.write(scope, kind.key(scope.namespace, name), (current): Decision => {
    if (current === undefined) throw notFound(kind.info, name);
    const decision = decideDeletion(pipeline, scope, name, current, kind.view(current).object, options);
    alive = decision.type !== 'delete';
    return decision;
  });
  return { stored: kind.view(result.stored), gone: !alive };
}

/**
 * What a deletion does to an object.
 * @param object its present state in the request's version, perhaps with a last change that is written along with the mark
 */
export function decideDeletion(pipeline: Pipeline, scope: Scope, name: string, current: Stored, object: KubeObject, options: DeleteParameters): Decision {
  const { info } = scope.kind;
  checkPreconditions(info, name, object, options);
  const immortal = IMMORTAL[`${info.group}/${info.resource}`];
  if (immortal?.names.has(name)) throw forbidden(info, name, immortal.why);
  pipeline.admit(scope, 'DELETE', name, undefined, object);
  const draft = draftOf(object);
  const fate = decide(pipeline, scope, draft, object, options);
  if (fate === 'unchanged') return { type: 'keep', stored: current };
  if (fate === 'gone') return { type: 'delete', object: draft, more: pipeline.releases(scope, object) };
  return { type: 'put', object: draft, created: false, more: [] };
}

/**
 * Deletes what a list has found; what vanishes meanwhile is no error.
 * @returns those that were there, as they were listed
 */
export async function removeAll(pipeline: Pipeline, scope: Scope, listed: readonly StoredObject[], options: DeleteParameters): Promise<StoredObject[]> {
  const removed = await Promise.all(listed.map(async (item) => {
    const { namespace, name } = item.object.metadata!;
    try {
      await remove(pipeline, { ...scope, namespace }, name!, options);
      return item;
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }));
  return removed.filter((item) => item !== undefined);
}

/** Warns where dependents are left because nothing was said of them. */
function leave({ kind, context }: Scope, { propagationPolicy }: DeleteParameters): void {
  const { orphansByDefault } = kind.strategy;
  if (orphansByDefault !== undefined && propagationPolicy === undefined && !context.warnings.includes(orphansByDefault)) {
    context.warnings.push(orphansByDefault);
  }
}

function checkOptions(options: DeleteParameters): void {
  const { propagationPolicy } = options;
  if (
    propagationPolicy !== undefined &&
    propagationPolicy !== 'Orphan' &&
    propagationPolicy !== 'Background' &&
    propagationPolicy !== 'Foreground'
  ) {
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'propagationPolicy',
        message: `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
      },
    ]);
  }
}

function checkPreconditions(info: Scope['kind']['info'], name: string, old: KubeObject, options: DeleteParameters): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const named = { group: info.group, resource: info.kind };
  if (uid !== undefined && uid !== old.metadata?.uid) {
    throw conflict(
      named,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${old.metadata?.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== old.metadata?.resourceVersion) {
    throw conflict(
      named,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${old.metadata?.resourceVersion}). The object might have been modified`,
    );
  }
}

type Fate = 'gone' | 'marked' | 'unchanged';

/** What becomes of the object; marks `draft` where it lives on. */
function decide(pipeline: Pipeline, scope: Scope, draft: Draft, old: KubeObject, options: DeleteParameters): Fate {
  const { info } = scope.kind;
  if (info.group === '' && info.resource === 'namespaces') return decideNamespace(pipeline, draft, old, options);
  const grace = info.group === '' && info.resource === 'pods' ? decideGrace(pipeline, draft, old, options) : 'none';
  if (grace === 'pending') return 'unchanged';
  if (scope.kind.strategy.garbageCollected) {
    settleFinalizers(draft, old.metadata ?? {}, options, scope.kind.strategy.orphansByDefault !== undefined);
  }
  const held = finalizersOf(draft).length > 0;
  if (grace === 'graceful') return held || draft.metadata.deletionGracePeriodSeconds !== 0 ? 'marked' : 'gone';
  if (!held) return 'gone';
  const meta = old.metadata ?? {};
  const now = pipeline.now();
  if (meta.deletionTimestamp === undefined && meta.generation !== undefined) draft.metadata.generation = meta.generation + 1;
  if (meta.deletionTimestamp === undefined || meta.deletionTimestamp > now) draft.metadata.deletionTimestamp = now;
  draft.metadata.deletionGracePeriodSeconds = 0;
  return sameMark(draft, meta) ? 'unchanged' : 'marked';
}

function sameMark(draft: Draft, meta: ObjectMeta): boolean {
  return meta.deletionTimestamp === draft.metadata.deletionTimestamp && meta.deletionGracePeriodSeconds === 0
    && JSON.stringify(meta.finalizers) === JSON.stringify(draft.metadata.finalizers);
}

interface PodLike extends KubeObject {
  readonly spec?: { readonly nodeName?: string; readonly terminationGracePeriodSeconds?: number };
  readonly status?: { readonly phase?: string };
}

/** `none`: no grace applies any more; `pending`: its grace runs and isn't shortened. */
function decideGrace(pipeline: Pipeline, draft: Draft, old: PodLike, options: DeleteParameters): 'graceful' | 'pending' | 'none' {
  const meta = old.metadata ?? {};
  const asked = options.gracePeriodSeconds === undefined ? undefined : options.gracePeriodSeconds < 0 ? 1 : Math.trunc(options.gracePeriodSeconds);
  const nowMs = pipeline.clock.now();
  if (meta.deletionTimestamp !== undefined) {
    const running = meta.deletionGracePeriodSeconds ?? 0;
    if (running === 0) return 'none';
    if (asked === undefined || asked >= running) return 'pending';
    let period = asked;
    let at = Date.parse(meta.deletionTimestamp) - running * 1000 + asked * 1000;
    if (at < nowMs) {
      at = nowMs;
      if (period !== 0) period = 1;
    }
    draft.metadata.deletionTimestamp = rfc3339(at);
    draft.metadata.deletionGracePeriodSeconds = period;
    return 'graceful';
  }
  let period = asked ?? old.spec?.terminationGracePeriodSeconds ?? 0;
  const phase = old.status?.phase;
  if (!old.spec?.nodeName || phase === 'Failed' || phase === 'Succeeded') period = 0;
  if (period < 0) period = 1;
  draft.metadata.deletionTimestamp = rfc3339(nowMs + period * 1000);
  draft.metadata.deletionGracePeriodSeconds = period;
  if (meta.generation !== undefined) draft.metadata.generation = meta.generation + 1;
  return 'graceful';
}

/** The policy decides on the two finalizers of the garbage collector; without one those that are there stay, and then the kind's default counts. */
function settleFinalizers(draft: Draft, meta: ObjectMeta, { propagationPolicy }: DeleteParameters, orphansByDefault = false): void {
  const before = meta.finalizers ?? [];
  const orphan =
    propagationPolicy === undefined
      ? before.includes(ORPHAN) || (orphansByDefault && !before.includes(FOREGROUND))
      : propagationPolicy === 'Orphan';
  const foreground = propagationPolicy === undefined ? !orphan && before.includes(FOREGROUND) : propagationPolicy === 'Foreground';
  const after = before.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (orphan) after.push(ORPHAN);
  if (foreground) after.push(FOREGROUND);
  if (after.length > 0) draft.metadata.finalizers = after;
  else delete draft.metadata.finalizers;
}

/** A namespace ends in two steps: it is marked, its content goes, then `/finalize` empties spec.finalizers. */
function decideNamespace(pipeline: Pipeline, draft: Draft, old: KubeObject, options: DeleteParameters): Fate {
  const { spec } = old as { spec?: { finalizers?: readonly string[] } };
  if (old.metadata?.deletionTimestamp === undefined) {
    draft.metadata.deletionTimestamp = pipeline.now();
    draft.status = { ...(draft.status as object | undefined), phase: 'Terminating' };
    settleFinalizers(draft, old.metadata ?? {}, options);
    return 'marked';
  }
  return (spec?.finalizers ?? []).length > 0 || finalizersOf(draft).length > 0 ? 'unchanged' : 'gone';
}

function finalizersOf(draft: Draft): readonly string[] {
  return (draft.metadata.finalizers) ?? [];
}
