import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { ListPage, StoredObject } from '../contract.ts';
import { encodeJson } from '../codec/json.ts';
import { badRequest } from '../errors.ts';
import { LargeAnswers } from './large-answers.ts';
import type { ListCache } from './list-cache.ts';
import { notAcceptable, type Wanted } from './accept.ts';
import type { Query } from './target.ts';
import { sendLarge, sendValue, wantsPretty, type ProtobufEncoder, type TableMaker } from './respond.ts';
import type { ApiRequest } from './request.ts';

/** How a client wants to see objects: plain, as rows of a Table, or their metadata alone; and in which encoding. */
export class Representation {
  readonly #tables: TableMaker;
  readonly #protobuf: ProtobufEncoder | undefined;
  readonly #lists: ListCache;
  readonly #large = new LargeAnswers();

  constructor(tables: TableMaker, protobuf: ProtobufEncoder | undefined, lists: ListCache) {
    this.#lists = lists;
    this.#tables = tables;
    this.#protobuf = protobuf;
  }

  canProtobuf(resource: ResourceInfo): boolean {
    return this.#protobuf?.handles(resource) ?? false;
  }

  /** One object as the whole answer. The usual one, plain JSON, is the registry's own bytes. */
  sendObject(request: ApiRequest, wanted: Wanted, status: number, stored: StoredObject): void | Promise<void> {
    if (wanted.as === undefined && wanted.format === 'json' && !wantsPretty(request)) {
      const body = stored.json();
      if (body.length < PLAIN_BELOW) {
        request.exchange.respond(status, [...request.headers, 'Content-Type', 'application/json'], body);
        return undefined;
      }
      return sendLarge(request, status, 'application/json', body);
    }
    if (wanted.as === undefined && wanted.format === 'protobuf') {
      return sendLarge(request, status, 'application/vnd.kubernetes.protobuf', this.#protobuf!.object(request.resource, stored.object));
    }
    return sendValue(request, status, wanted, this.view(request, wanted, stored, true));
  }

  sendList(request: ApiRequest, wanted: Wanted, page: ListPage): void | Promise<void> {
    const { resource } = request;
    if (wanted.as === undefined && ((wanted.format === 'json' && !wantsPretty(request)) || wanted.format === 'protobuf')) {
      const body = wanted.format === 'json' ? this.#listBody(request, page) : this.#protobuf!.list(resource, page);
      this.#large.admit(request, body);
      return sendLarge(request, 200, wanted.format === 'json' ? 'application/json' : 'application/vnd.kubernetes.protobuf', body);
    }
    if (wanted.as === 'Table') {
      const table = this.#tables.table(resource, page.items, includeObject(request.target.query), true) as Record<string, unknown>;
      return sendValue(request, 200, wanted, { ...table, metadata: listMeta(page) });
    }
    if (wanted.as === 'PartialObjectMetadata') throw notAcceptable();
    if (wanted.as === 'PartialObjectMetadataList') {
      return sendValue(request, 200, wanted, {
        kind: 'PartialObjectMetadataList',
        apiVersion: `meta.k8s.io/${wanted.asVersion}`,
        metadata: listMeta(page),
        items: page.items.map((item) => partial(item.object, wanted)),
      });
    }
    return sendValue(request, 200, wanted, {
      kind: `${resource.kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata: listMeta(page),
      items: page.items.map((item) => item.object),
    });
  }

  /** A list of everything is made once for all who ask for it at the same revision. */
  #listBody({ resource, route, target: { query }, verb }: ApiRequest, page: ListPage): Buffer {
    const whole = verb === 'list' && page.continue === undefined && !PARTIAL.some((name) => query.has(name));
    return whole ? this.#lists.body(resource, route.namespace, page.revision, () => encodeList(resource, page)) : encodeList(resource, page);
  }

  /** A frame of a watch in protobuf. */
  protobufFrame(request: ApiRequest, type: string, object: KubeObject): Buffer {
    return this.#protobuf!.watchEvent(type, this.#protobuf!.object(request.resource, object));
  }

  /** One object as a watch event carries it, in JSON. */
  eventBody(request: ApiRequest, wanted: Wanted, stored: StoredObject, first: boolean): Buffer {
    if (wanted.as === undefined) return stored.json();
    return encodeJson(this.view(request, wanted, stored, first));
  }

  /** @param headers whether a Table names its columns: the first of a watch does */
  view(request: ApiRequest, wanted: Wanted, stored: StoredObject, headers: boolean): unknown {
    if (wanted.as === 'Table') return this.#tables.table(request.resource, [stored], includeObject(request.target.query), headers);
    if (wanted.as === 'PartialObjectMetadata') return partial(stored.object, wanted);
    if (wanted.as === 'PartialObjectMetadataList') {
      if (request.verb === 'watch') return partial(stored.object, wanted);
      throw notAcceptable();
    }
    return stored.object;
  }
}

/** Parameters by which a list is not all there is at the newest revision. */
const PARTIAL = ['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersionMatch'];
/** Where the answer is surely too small to be compressed, and needs no promise. */
const PLAIN_BELOW = 128 * 1024;

export function apiVersionOf(resource: { readonly group: string; readonly version: string }): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

function listMeta(page: ListPage): Record<string, unknown> {
  return {
    resourceVersion: String(page.revision), ...(page.continue !== undefined && { continue: page.continue }),
    ...(page.remainingItemCount !== undefined && { remainingItemCount: page.remainingItemCount }),
  };
}

function partial(object: KubeObject, wanted: Wanted): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${wanted.asVersion}`, metadata: object.metadata ?? {} };
}

function includeObject(query: Query): 'None' | 'Metadata' | 'Object' {
  const value = query.get('includeObject');
  if (value === undefined || value === '') return 'Metadata';
  if (value !== 'None' && value !== 'Metadata' && value !== 'Object') {
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  }
  return value;
}

const COMMA = 0x2c;
const OPEN = 0x7b;
/** What stands before the fields of every item: lists of built-in kinds leave it out, as upstream's do. */
const heads = new WeakMap<ResourceInfo, Buffer>();

/** The JSON of a list, from the JSON of its items as they lie in memory. */
function encodeList(resource: ResourceInfo, page: ListPage): Buffer {
  const start = Buffer.from(
    `{"kind":${JSON.stringify(`${resource.kind}List`)},"apiVersion":${JSON.stringify(apiVersionOf(resource))},"metadata":${JSON.stringify(listMeta(page))},"items":[`,
  );
  let head = heads.get(resource);
  if (head === undefined) {
    heads.set(
      resource,
      (head = Buffer.from(`{"kind":${JSON.stringify(resource.kind)},"apiVersion":${JSON.stringify(apiVersionOf(resource))},`)),
    );
  }
  const { items } = page;
  let size = start.length + 2 + items.length;
  for (const item of items) size += item.json().length;
  const out = Buffer.allocUnsafe(size);
  out.set(start, 0);
  let at = start.length;
  const skip = head.length;
  for (let n = 0; n < items.length; n++) {
    const json = items[n]!.json();
    if (n > 0) out[at++] = COMMA;
    if (json.length > skip && json.compare(head, 0, skip, 0, skip) === 0) {
      out[at++] = OPEN;
      at += json.copy(out, at, skip);
    } else at += json.copy(out, at);
  }
  out[at++] = 0x5d;
  out[at++] = 0x7d;
  return out.subarray(0, at);
}
