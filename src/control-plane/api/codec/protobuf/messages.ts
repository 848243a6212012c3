import { requireSchema, type FieldSchema, type TypeRef, type TypeSchema } from '../../../../types/kubernetes/schema.ts';
import { setOwn, type JsonObject } from '../../patch/own.ts';
import { BYTES, malformed, Reader, VARINT } from './reader.ts';
import { SCALAR_CODERS, withLength, type Coder } from './scalars.ts';
import { schemaPropsCoder } from './schema-props.ts';
import type { ReverseWriter } from './writer.ts';

/** Messages nest no deeper than this: schemas of custom resources are recursive. */
const MAX_DEPTH = 200;

interface Member {
  readonly name: string;
  readonly field: FieldSchema;
  /** Writes the field with its tags; the value is not undefined. */
  write(writer: ReverseWriter, value: unknown): void;
  /** Reads one occurrence into the object. */
  read(reader: Reader, into: JsonObject, depth: number): void;
}

interface Compiled extends Coder {
  writeBody(writer: ReverseWriter, value: JsonObject): void;
  readBody(reader: Reader, into: JsonObject, depth: number): void;
}

const compiled = new WeakMap<TypeSchema, Compiled>();

/** The coder of a message type; made at first use. */
export function messageCoder(schema: TypeSchema): Compiled {
  let coder = compiled.get(schema);
  if (coder === undefined) {
    coder = compile(schema);
    compiled.set(schema, coder);
  }
  return coder;
}

function compile(schema: TypeSchema): Compiled {
  const members = schema.members.filter((member) => member.number > 0).sort((a, b) => b.number - a.number).map(memberOf);
  const byNumber = new Map(members.map((member) => [member.field.number, member]));
  const coder: Compiled = {
    wire: BYTES,
    writeBody(writer, value) {
      for (const member of members) {
        // An embedded struct has no name: its fields lie in the object itself.
        const item = member.name === '' ? value : value[member.name];
        if (item !== undefined && item !== null) member.write(writer, item);
      }
    },
    readBody(reader, into, depth) {
      if (depth > MAX_DEPTH) throw malformed('nested too deeply');
      while (reader.tag()) {
        const member = byNumber.get(reader.number);
        if (member === undefined) reader.skip();
        else member.read(reader, into, depth);
      }
    },
    write: (writer, value) => withLength(writer, () => coder.writeBody(writer, value as JsonObject)),
    read(reader, depth) {
      const into: JsonObject = {};
      coder.readBody(reader.part(), into, depth + 1);
      return into;
    },
  };
  return coder;
}

function coderOf(type: TypeRef): Coder {
  if (type.kind === 'struct') return lazy(() => type.schema);
  if (type.kind === 'list') return wrappedList(coderOf(type.element));
  if (type.kind === 'map') throw new Error('the schema table has a map within a map or list, which protobuf has not');
  switch (type.kind) {
    case 'JSONSchemaPropsOrBool':
    case 'JSONSchemaPropsOrArray':
    case 'JSONSchemaPropsOrStringArray':
      return schemaPropsCoder(
        type.kind,
        lazy(() => requireSchema(SCHEMA_PROPS)),
      );
    default:
      return SCALAR_CODERS[type.kind];
  }
}

const SCHEMA_PROPS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';

/** Types may hold themselves: the coder of what lies below is asked for when it is needed. */
function lazy(schema: () => TypeSchema): Coder {
  return {
    wire: BYTES,
    write: (writer, value) => messageCoder(schema()).write(writer, value),
    read: (reader, depth) => messageCoder(schema()).read(reader, depth),
  };
}

function memberOf(field: FieldSchema): Member {
  const { type, name, number } = field;
  if (name === '' && type.kind === 'struct') return embedded(field, type);
  if (type.kind === 'map') return mapMember(field, coderOf(type.value));
  if (type.kind === 'list' && !type.wrapped) return listMember(field, coderOf(type.element));
  const coder = coderOf(type);
  const header = number * 8 + coder.wire;
  return {
    name, field,
    write(writer, value) {
      coder.write(writer, value);
      writer.varint(header);
    },
    read(reader, into, depth) {
      reader.expect(coder.wire);
      const value = coder.read(reader, depth);
      if (value !== undefined && !isLeftOut(field, value)) setOwn(into, name, value);
    },
  };
}

/** What Go's omitempty leaves out of JSON, and its protobuf writes all the same. */
function isLeftOut(field: FieldSchema, value: unknown): boolean {
  return field.omitEmpty && !field.pointer && (value === '' || value === 0 || value === false);
}

function embedded(field: FieldSchema, type: TypeRef & { readonly kind: 'struct' }): Member {
  return {
    name: '', field,
    write(writer, value) {
      messageCoder(type.schema).write(writer, value);
      writer.varint(field.number * 8 + BYTES);
    },
    read(reader, into, depth) {
      reader.expect(BYTES);
      messageCoder(type.schema).readBody(reader.part(), into, depth + 1);
    },
  };
}

function listMember(field: FieldSchema, coder: Coder): Member {
  const { name, number } = field;
  return {
    name, field,
    write(writer, value) {
      const items = value as readonly unknown[];
      for (let at = items.length - 1; at >= 0; at--) {
        coder.write(writer, items[at]);
        writer.varint(number * 8 + coder.wire);
      }
    },
    read(reader, into, depth) {
      const list = (into[name] ??= []) as unknown[];
      if (reader.wire === BYTES && coder.wire === VARINT) {
        const packed = reader.part(); // Numbers may also come packed.
        while (!packed.empty) list.push(coder.read(packed, depth));
        return;
      }
      reader.expect(coder.wire);
      list.push(coder.read(reader, depth));
    },
  };
}

/** A list that is a message of its own, with the elements as its field 1. */
function wrappedList(coder: Coder): Coder {
  return {
    wire: BYTES,
    write: (writer, value) => withLength(writer, () => {
      const items = value as readonly unknown[];
      for (let at = items.length - 1; at >= 0; at--) {
        coder.write(writer, items[at]);
        writer.varint(8 + coder.wire);
      }
    }),
    read(reader, depth) {
      const list: unknown[] = [];
      const part = reader.part();
      while (part.tag()) {
        if (part.number === 1 && part.wire === coder.wire) list.push(coder.read(part, depth + 1));
        else part.skip();
      }
      return list;
    },
  };
}

/** Entries of key (1) and value (2), in the order of the keys. */
function mapMember(field: FieldSchema, coder: Coder): Member {
  const { name, number } = field;
  return {
    name, field,
    write(writer, value) {
      const map = value as JsonObject;
      for (const key of Object.keys(map).sort().reverse()) {
        withLength(writer, () => {
          if (map[key] !== null && map[key] !== undefined) {
            coder.write(writer, map[key]);
            writer.varint(16 + coder.wire);
          }
          withLength(writer, () => writer.text(key));
          writer.varint(8 + BYTES);
        });
        writer.varint(number * 8 + BYTES);
      }
    },
    read(reader, into, depth) {
      reader.expect(BYTES);
      const map = (into[name] ??= {}) as JsonObject;
      const entry = reader.part();
      let key = '';
      let value: unknown;
      while (entry.tag()) {
        if (entry.number === 1 && entry.wire === BYTES) key = entry.text();
        else if (entry.number === 2 && entry.wire === coder.wire) value = coder.read(entry, depth + 1);
        else entry.skip();
      }
      setOwn(map, key, value ?? zeroOf(coder));
    },
  };
}

/** What a map entry without a value means: its type's zero value. */
function zeroOf(coder: Coder): unknown {
  if (coder === SCALAR_CODERS.string || coder === SCALAR_CODERS.bytes) return '';
  if (coder === SCALAR_CODERS.bool) return false;
  if (coder === SCALAR_CODERS.int32) return 0;
  return coder.read(new Reader(Buffer.from([0])), 0) ?? null;
}
