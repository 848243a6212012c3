import type { KubeObject, ListMeta } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { schemaOf, type TypeSchema } from '../../../../types/kubernetes/schema.ts';
import { badRequest } from '../../errors.ts';
import type { JsonObject } from '../../patch/own.ts';
import type { ListPage } from '../../contract.ts';
import { messageCoder } from './messages.ts';
import { BYTES, malformed, Reader } from './reader.ts';
import { withLength } from './scalars.ts';
import { ReverseWriter } from './writer.ts';

const MAGIC = Buffer.from('k8s\0');
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/**
 * `application/vnd.kubernetes.protobuf`: four bytes of magic, then
 * runtime.Unknown, which names the type and holds the object. Driven by the
 * schema table alone; objects are what their JSON is.
 */
export class ProtobufCodec {
  readonly #resources: () => Iterable<ResourceInfo>;

  /** @param resources the served rows: they tell which types a group and version has */
  constructor(resources: () => Iterable<ResourceInfo>) {
    this.#resources = resources;
  }

  /** True when the kind has a Go type, which custom resources have not. */
  handles(resource: Pick<ResourceInfo, 'schema'>): boolean {
    return schemaOf(resource.schema) !== undefined;
  }

  /** An object as a body, envelope included. */
  readonly object = (resource: ResourceInfo, object: KubeObject): Buffer => {
    const apiVersion = object.apiVersion ?? (resource.group === '' ? resource.version : `${resource.group}/${resource.version}`);
    const kind = object.kind ?? resource.kind;
    const schema = this.#schemaFor(apiVersion, kind) ?? schemaOf(resource.schema);
    if (schema === undefined) throw badRequest(`${kind} has no protobuf form`);
    return envelope(apiVersion, kind, (writer) => messageCoder(schema).writeBody(writer, object as JsonObject));
  };

  /** A list as a body. */
  readonly list = (resource: ResourceInfo, page: ListPage): Buffer => {
    const coder = messageCoder(schemaOf(resource.schema)!);
    const metadata: ListMeta = {
      resourceVersion: String(page.revision),
      ...(page.continue !== undefined && { continue: page.continue }),
      ...(page.remainingItemCount !== undefined && { remainingItemCount: page.remainingItemCount }),
    };
    return envelope(resource.group === '' ? resource.version : `${resource.group}/${resource.version}`, `${resource.kind}List`, (writer) => {
      for (let at = page.items.length - 1; at >= 0; at--) {
        coder.write(writer, page.items[at]!.object);
        writer.varint(2 * 8 + BYTES);
      }
      messageCoder(schemaOf(`${META}ListMeta`)!).write(writer, metadata);
      writer.varint(8 + BYTES);
    });
  };

  /** One frame of a watch: a length of four bytes, then a WatchEvent whose object is a body of its own. */
  watchEvent(type: string, body: Buffer): Buffer {
    const writer = new ReverseWriter(body.length + 64);
    withLength(writer, () => {
      withLength(writer, () => writer.bytes(body));
      writer.varint(8 + BYTES);
    });
    writer.varint(2 * 8 + BYTES);
    withLength(writer, () => writer.text(type));
    writer.varint(8 + BYTES);
    const event = writer.finish();
    const out = Buffer.allocUnsafe(event.length + 4);
    out.writeUInt32BE(event.length, 0);
    event.copy(out, 4);
    return out;
  }

  /** The object of a body. @throws StatusError 400 */
  readonly decode = (body: Buffer): unknown => {
    if (body.length < MAGIC.length || body.compare(MAGIC, 0, 4, 0, 4) !== 0) {
      throw malformed('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
    }
    let apiVersion = '';
    let kind = '';
    let raw: Buffer = Buffer.alloc(0);
    const unknown = new Reader(body, 4);
    while (unknown.tag()) {
      if (unknown.number === 1 && unknown.wire === BYTES) {
        const type = unknown.part();
        while (type.tag()) {
          if (type.number === 1 && type.wire === BYTES) apiVersion = type.text();
          else if (type.number === 2 && type.wire === BYTES) kind = type.text();
          else type.skip();
        }
      } else if (unknown.number === 2 && unknown.wire === BYTES) raw = unknown.bytes();
      else unknown.skip();
    }
    const schema = this.#schemaFor(apiVersion, kind);
    if (schema === undefined) throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
    const object: JsonObject = { kind, apiVersion };
    messageCoder(schema).readBody(new Reader(raw), object, 0);
    return object;
  };

  /** The type of a kind: beside those of the resources of its group and version, or one of meta/v1 (DeleteOptions comes under any version). */
  #schemaFor(apiVersion: string, kind: string): TypeSchema | undefined {
    if (!/^[A-Za-z]+$/.test(kind)) return undefined;
    const [version, group = ''] = apiVersion.split('/').reverse() as [string, string?];
    for (const row of this.#resources()) {
      if (row.group !== group || row.version !== version) continue;
      const found = schemaOf(row.schema.slice(0, row.schema.lastIndexOf('.') + 1) + kind);
      if (found !== undefined) return found;
      break;
    }
    return schemaOf(META + kind);
  }
}

function envelope(apiVersion: string, kind: string, write: (writer: ReverseWriter) => void): Buffer {
  const writer = new ReverseWriter();
  // contentEncoding (3) and contentType (4) are empty, and written by upstream as such.
  writer.varint(0);
  writer.varint(4 * 8 + BYTES);
  writer.varint(0);
  writer.varint(3 * 8 + BYTES);
  withLength(writer, () => write(writer));
  writer.varint(2 * 8 + BYTES);
  withLength(writer, () => {
    withLength(writer, () => writer.text(kind));
    writer.varint(2 * 8 + BYTES);
    withLength(writer, () => writer.text(apiVersion));
    writer.varint(8 + BYTES);
  });
  writer.varint(8 + BYTES);
  writer.bytes(MAGIC);
  return writer.finish();
}
