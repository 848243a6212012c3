import type { Clock } from '../../../lib/clock.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ApplyPatch, TrackUpdate } from '../apply/contract.ts';
import type { AdmissionAttributes, AdmissionPlugin, Rules } from '../contract.ts';
import { conflict, invalid, notFound } from '../errors.ts';
import type { Committer, Write } from './commit.ts';
import { jsonCopy, jsonEqual } from './equal.ts';
import { namespaceTerminating, OPTIMISTIC_LOCK } from './errors.ts';
import type { Kind } from './kinds.ts';
import { Plugins } from './plugins.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { Scope } from './scope.ts';
import { Stored } from './stored.ts';
import type { Draft } from './strategy.ts';

/** How often a write is decided anew after it lost to another. */
const ATTEMPTS = 6;

/** What a kind writes along with its objects, in the same transaction: addresses and ports of Services. */
export interface Companion {
  handles(kind: Kind): boolean;
  /** Fills in what it allots, on a private copy. @returns what else is written. @throws StatusError 422 when something asked for is taken */
  prepare(object: Draft, old: KubeObject | undefined, dryRun: boolean): readonly Write[];
  /** What else is deleted with the object. */
  release(old: KubeObject): readonly Write[];
}

/** What a request has decided to do with one object, given its present state. */
export type Decision =
  | { readonly type: 'keep'; readonly stored: Stored }
  | { readonly type: 'put'; readonly object: KubeObject; readonly created: boolean; readonly more: readonly Write[] }
  /** `object`: the last state, to be answered; `unseen`: under the resourceVersion that it had, as by an update that ends an object. */
  | { readonly type: 'delete'; readonly object: KubeObject; readonly more: readonly Write[]; readonly unseen?: boolean };

export interface Result {
  readonly stored: Stored;
  readonly created: boolean;
  readonly gone: boolean;
}

export interface PipelineParts {
  readonly committer: Committer;
  readonly rules: Rules;
  readonly admission: readonly AdmissionPlugin[];
  readonly clock: Clock;
  readonly random: Random;
  readonly applyPatch: ApplyPatch;
  readonly trackUpdate: TrackUpdate;
  readonly companions: readonly Companion[];
  readonly namespaces: () => ResourceCache;
}

/** The steps that all writes share. */
export class Pipeline {
  readonly rules: Rules;
  readonly clock: Clock;
  readonly random: Random;
  readonly applyPatch: ApplyPatch;
  readonly #parts: PipelineParts;
  readonly #plugins: Plugins;
  #stampedAt = -1;
  #stamp = '';

  constructor(parts: PipelineParts) {
    this.rules = parts.rules;
    this.clock = parts.clock;
    this.random = parts.random;
    this.applyPatch = parts.applyPatch;
    this.#parts = parts;
    this.#plugins = new Plugins(parts.admission);
  }

  /** RFC 3339, to the second. */
  now(): string {
    const second = Math.floor(this.clock.now() / 1000);
    if (second !== this.#stampedAt) {
      this.#stampedAt = second;
      this.#stamp = rfc3339(second * 1000);
    }
    return this.#stamp;
  }

  /** The newest decided state of an object. */
  latest(kind: Kind, key: string): Stored | undefined {
    return this.#parts.committer.latest(kind.cache, key).stored;
  }

  /**
   * Decides and commits. `decide` is synchronous and may be called again when
   * it lost to another write; a refusal that rests on a write that is not
   * durable yet is told only once that is.
   */
  async write(scope: Scope, key: string, decide: (current: Stored | undefined) => Decision): Promise<Result> {
    const { committer } = this.#parts;
    const { cache } = scope.kind;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      scope.context.signal?.throwIfAborted();
      const { stored: current, pending } = committer.latest(cache, key);
      if (pending !== undefined && committer.shared) {
        await pending;
        continue;
      }
      let decision: Decision;
      try {
        decision = decide(current);
      } catch (error) {
        if (pending !== undefined && !(await pending)) continue;
        throw error;
      }
      if (decision.type === 'keep') {
        if (pending !== undefined && !(await pending)) continue;
        return { stored: decision.stored, created: false, gone: false };
      }
      const expected = current?.revision ?? 0;
      if (scope.options.dryRun === true) return dryResult(scope.kind, decision, expected);
      const object = decision.type === 'delete' ? undefined : scope.kind.toStored(decision.object);
      const done = await committer.commit([{ cache, key, expected, object }, ...decision.more]);
      if (done === undefined) continue;
      if (decision.type === 'put') return { stored: done.stored[0]!, created: decision.created, gone: false };
      const last = Stored.of(decision.object, expected);
      return { stored: decision.unseen === true ? last : last.at(done.revision), created: false, gone: true };
    }
    throw conflict(scope.kind.info, key.slice(key.indexOf('/') + 1), OPTIMISTIC_LOCK);
  }

  /** @throws StatusError 404 or 403 unless something may be made in this namespace */
  checkNamespace(scope: Scope, name: string): void {
    if (!scope.kind.namespaced) return;
    const namespace = this.#parts.committer.latest(this.#parts.namespaces(), scope.namespace!).stored?.object as
      { metadata: { deletionTimestamp?: string }; status?: { phase?: string } } | undefined;
    if (namespace === undefined) throw notFound({ group: '', resource: 'namespaces' }, scope.namespace!);
    if (namespace.status?.phase === 'Terminating' || namespace.metadata.deletionTimestamp !== undefined) {
      throw namespaceTerminating(scope.kind.info, name, scope.namespace!);
    }
  }

  /** Runs the mutating plug-ins. */
  mutate(scope: Scope, operation: 'CREATE' | 'UPDATE', name: string | undefined, object: Draft, old: KubeObject | undefined): Draft {
    const { mutating } = this.#plugins.of(scope.kind.info, operation, scope.options.subresource);
    if (mutating.length === 0) return object;
    let current = object;
    let attributes = this.#attributes(scope, operation, name, current, old);
    for (const plugin of mutating) {
      const changed = plugin.mutate(attributes);
      if (changed === undefined || changed === current) continue;
      current = changed as Draft;
      attributes = this.#attributes(scope, operation, name, current, old);
    }
    return current;
  }

  /** Runs the validating plug-ins. */
  admit(scope: Scope, operation: 'CREATE' | 'UPDATE' | 'DELETE', name: string | undefined, object: KubeObject | undefined, old: KubeObject | undefined): void {
    const { validating } = this.#plugins.of(scope.kind.info, operation, scope.options.subresource);
    if (validating.length === 0) return;
    const attributes = this.#attributes(scope, operation, name, object, old);
    for (const plugin of validating) plugin.validate(attributes);
  }

  /** @throws StatusError 422 with all causes */
  validate(scope: Scope, object: Draft, old: KubeObject | undefined): void {
    const errors = this.rules.validate(scope.kind.info, object, old, scope.options.subresource);
    if (errors.length > 0) {
      // Both groups of events are stored as one kind, of the core.
      const { group, kind } = scope.kind.info;
      throw invalid(
        { group: kind === 'Event' ? '' : group, kind },
        object.metadata.name ?? '',
        errors.map(({ type, message, field }) => ({ reason: type, message, field })),
      );
    }
  }

  /** Warns of what is valid and seldom meant. */
  advise(scope: Scope, object: Draft, old: KubeObject | undefined): void {
    if (scope.options.subresource !== undefined || this.rules.warnings === undefined) return;
    const { warnings } = scope.context;
    // A write may be decided more than once.
    for (const text of this.rules.warnings(scope.kind.info, object, old)) if (!warnings.includes(text)) warnings.push(text);
  }

  /** Keeps managedFields: who set what. */
  track(scope: Scope, object: Draft, live: KubeObject | undefined): void {
    const { kind, options } = scope;
    const fields = this.#parts.trackUpdate({
      resource: kind.info, subresource: options.subresource, live, updated: object, manager: options.fieldManager ?? 'unknown', now: this.now(),
    });
    if (fields === undefined || fields.length === 0) delete object.metadata.managedFields;
    else object.metadata.managedFields = fields;
  }

  /** True when objects of this kind have something written along with them. */
  accompanied(kind: Kind): boolean {
    return this.#parts.companions.some((companion) => companion.handles(kind));
  }

  companions(scope: Scope, object: Draft, old: KubeObject | undefined): readonly Write[] {
    const companion = scope.options.subresource === undefined ? this.#parts.companions.find((candidate) => candidate.handles(scope.kind)) : undefined;
    return companion === undefined ? [] : companion.prepare(object, old, scope.options.dryRun ?? false);
  }

  releases(scope: Scope, old: KubeObject): readonly Write[] {
    const companion = this.#parts.companions.find((candidate) => candidate.handles(scope.kind));
    return companion === undefined ? [] : companion.release(old);
  }

  #attributes(
    scope: Scope,
    operation: 'CREATE' | 'UPDATE' | 'DELETE',
    name: string | undefined,
    object: KubeObject | undefined,
    oldObject: KubeObject | undefined,
  ): AdmissionAttributes {
    return {
      context: scope.context, operation, resource: scope.kind.info, subresource: scope.options.subresource, namespace: scope.namespace, name, object, oldObject,
      dryRun: scope.options.dryRun ?? false,
    };
  }
}

/** What would have been written; a new object has no resourceVersion then. */
function dryResult(kind: Kind, decision: Exclude<Decision, { type: 'keep' }>, revision: number): Result {
  const { resourceVersion: _, ...meta } = decision.object.metadata ?? {};
  const object = { ...decision.object, metadata: revision === 0 ? meta : { ...meta, resourceVersion: String(revision) } };
  return { stored: Stored.of(kind.toStored(object), revision), created: decision.type === 'put' && decision.created, gone: decision.type === 'delete' };
}

/** A private copy of an object that is in memory. */
export function draftOf(object: KubeObject): Draft {
  return jsonCopy(object) as unknown as Draft;
}

/** True when nothing differs but the resourceVersion. */
export function sameState(object: Draft, old: KubeObject): boolean {
  const { metadata, ...rest } = object;
  const { metadata: oldMetadata, ...oldRest } = old as KubeObject & Record<string, unknown>;
  const { resourceVersion: _a, ...meta } = metadata;
  const { resourceVersion: _b, ...oldMeta } = oldMetadata ?? {};
  return jsonEqual(rest, oldRest) && jsonEqual(meta, oldMeta);
}
