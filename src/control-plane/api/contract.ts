import type { KubeObject } from '../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../types/kubernetes/resource-info.ts';

/**
 * # Inside the API server: the seam between the doors and the registry
 *
 * `http/` (and the in-process door) authenticate, authorise, negotiate and
 * decode; `registry/` holds the kinds: it defaults, admits, validates and
 * transacts, and serves reads and watches from memory. Neither knows how the
 * other works. Every failure is a StatusError.
 */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface RequestContext {
  readonly user: UserInfo;
  /** The verb that was authorised: admission asks again where a patch or an update makes the object. */
  readonly verb?: string;
  readonly signal?: AbortSignal;
  /** Warning headers for the client; the registry appends. */
  readonly warnings: string[];
}

/** One revision of one object. Encoded once: the same bytes go to every GET, LIST and watcher. */
export interface StoredObject {
  /** Frozen; carries apiVersion and kind of the version in which it is stored, and its resourceVersion. */
  readonly object: KubeObject;
  /** modRevision: the resourceVersion as a number. */
  readonly revision: number;
  /** The object as JSON. Computed once, then kept. */
  json(): Buffer;
}

export interface ReadOptions {
  /** '' or absent: newest. '0': anything. Else not older than. */
  readonly resourceVersion?: string;
}

export interface ListParameters extends ReadOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersionMatch?: string;
}

export interface ListPage {
  readonly revision: number;
  readonly items: readonly StoredObject[];
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface WriteParameters {
  readonly subresource?: string;
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  /** What unknown and duplicate fields do; default Warn. */
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  readonly force?: boolean;
  /** What a strict reader finds wrong with the body besides unknown fields, worded (`duplicate field "data.x"`); treated as fieldValidation says. */
  readonly strictFaults?: readonly string[];
}

/** meta.k8s.io/v1 DeleteOptions, decoded. */
export interface DeleteParameters {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export type PatchBody =
  | { readonly type: 'json' | 'merge' | 'strategic'; readonly body: unknown }
  | { readonly type: 'apply'; readonly body: KubeObject };

export interface WriteOutcome {
  readonly stored: StoredObject;
  /** False: PUT or apply changed what existed (200); true: it made the object (201). */
  readonly created: boolean;
}

export interface DeleteOutcome {
  /** The object as it was last; when `gone` is false it lives on with a deletionTimestamp (grace or finalizers). */
  readonly stored: StoredObject;
  readonly gone: boolean;
}

export interface WatchParameters {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  /** Deliver one name only, found by index. */
  readonly name?: string;
}

export interface RegistryWatchSink {
  /** `BOOKMARK` carries an object of the kind with its resourceVersion alone (and the initial-events-end annotation where that is due). */
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: StoredObject): void;
  /** undefined: closed in good order. */
  ended(error: Error | undefined): void;
}

/**
 * All kinds, by verb. `resource` is a row of the generated table; `namespace`
 * is undefined for cluster-scoped kinds and for lists over all namespaces.
 * `body` is a decoded JSON value that nobody has looked at yet: the registry
 * checks it against the schema.
 */
export interface Registry {
  get(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    options?: ReadOptions & { readonly subresource?: string },
  ): StoredObject | Promise<StoredObject>;
  list(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    options: ListParameters,
  ): ListPage | Promise<ListPage>;
  create(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    body: unknown,
    options: WriteParameters & { readonly name?: string },
  ): Promise<WriteOutcome>;
  update(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    body: unknown,
    options: WriteParameters,
  ): Promise<WriteOutcome>;
  patch(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    patch: PatchBody,
    options: WriteParameters,
  ): Promise<WriteOutcome>;
  delete(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    name: string,
    options: DeleteParameters,
  ): Promise<DeleteOutcome>;
  deleteCollection(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    list: ListParameters,
    options: DeleteParameters,
  ): Promise<readonly StoredObject[]>;
  watch(
    context: RequestContext,
    resource: ResourceInfo,
    namespace: string | undefined,
    options: WatchParameters,
    sink: RegistryWatchSink,
  ): () => void;
  readonly revision: number;
  /** Reads of one resource without options, for the server's own look-ups; a registry without it is read by the verbs above. */
  peek?(resource: ResourceInfo): RegistryPeek;
  close(): Promise<void>;
}

/** One resource's objects as they are now, in the version asked for. What it gives is shared and never changed. */
export interface RegistryPeek {
  get(namespace: string | undefined, name: string): KubeObject | undefined;
  /** Of a namespace, or of all, in the order of their keys. */
  list(namespace: string | undefined): readonly KubeObject[];
}

/** What admission sees. `object` is a private copy: a mutating plug-in returns the changed object, or undefined for no change. */
export interface AdmissionAttributes {
  readonly context: RequestContext;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly resource: ResourceInfo;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
}

/** A link of the admission chain. Refuses by throwing a StatusError (403). Runs at each attempt of a write, so it has no effects of its own. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Which requests concern it. Asked once for each combination of these three, and the answer kept, so that a create pays only for what applies. */
  handles(attributes: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean;
  mutate?(attributes: AdmissionAttributes): KubeObject | undefined;
  validate?(attributes: AdmissionAttributes): void;
}

/** What the registry needs from the rules of the kinds (`rules/`). All are pure: no clock, no random inside. */
export interface Rules {
  /**
   * Checks a decoded body against the kind's schema and returns a clean copy: types, unknown and duplicate fields, canonical quantities and times
   * left as the API leaves them. @throws StatusError 400 (`strict decoding error: …`, `json: cannot unmarshal …`); `unknown` collects field paths for warnings.
   */
  decode(resource: ResourceInfo, body: unknown, unknown: string[]): KubeObject;
  /** Fills defaults in place on a private copy. */
  applyDefaults(resource: ResourceInfo, object: KubeObject): void;
  /** @returns the causes; empty when it is valid */
  validate(resource: ResourceInfo, object: KubeObject, old: KubeObject | undefined, subresource: string | undefined): readonly FieldError[];
  /** What a valid object holds against advice; the client is warned. Asked of writes through the main endpoint. */
  warnings?(resource: ResourceInfo, object: KubeObject, old: KubeObject | undefined): readonly string[];
}

export interface FieldError {
  readonly type:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueNotFound'
    | 'FieldValueTypeInvalid'
    | 'InternalError';
  readonly field: string;
  /** As the API server words it: `Required value: …`. */
  readonly message: string;
}

export interface AuthorizationAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Of a list, watch or deletecollection: a node may list the pods that are bound to it, and no others. */
  readonly fieldSelector?: string;
  /** Set, instead of the five above, for a path that is no resource. */
  readonly path?: string;
}

export interface Authorizer {
  authorize(attributes: AuthorizationAttributes): { readonly allowed: boolean; readonly reason: string };
}
