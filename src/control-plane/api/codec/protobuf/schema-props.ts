import type { ScalarKind } from '../../../../types/kubernetes/schema.ts';
import { BYTES, VARINT } from './reader.ts';
import { SCALAR_CODERS, tag, withLength, type Coder } from './scalars.ts';

interface Other {
  readonly number: number;
  readonly coder: Coder;
  readonly repeated: boolean;
}

/** A schema of a custom resource, or something simpler in its place: told apart in JSON by its looks, in protobuf by the field. */
export function schemaPropsCoder(kind: ScalarKind & `JSONSchemaProps${string}`, props: Coder): Coder {
  switch (kind) {
    case 'JSONSchemaPropsOrBool': return either(props, 2, { number: 1, coder: SCALAR_CODERS.bool, repeated: false }, (value) => typeof value !== 'boolean');
    case 'JSONSchemaPropsOrArray': return either(props, 1, { number: 2, coder: props, repeated: true }, (value) => !Array.isArray(value));
    default: return either(props, 1, { number: 2, coder: SCALAR_CODERS.string, repeated: true }, (value) => !Array.isArray(value));
  }
}

function either(props: Coder, number: number, other: Other, isSchema: (value: unknown) => boolean): Coder {
  return {
    wire: BYTES,
    write: (writer, value) => withLength(writer, () => {
      if (isSchema(value)) {
        props.write(writer, value);
        tag(writer, number, BYTES);
        if (other.coder.wire === VARINT) { // `allows` is true beside a schema.
          writer.varint(1);
          tag(writer, other.number, VARINT);
        }
        return;
      }
      for (const item of other.repeated ? [...(value as unknown[])].reverse() : [value]) {
        other.coder.write(writer, item);
        tag(writer, other.number, other.coder.wire);
      }
    }),
    read: (reader, depth) => {
      let schema: unknown;
      const list: unknown[] = [];
      const part = reader.part();
      while (part.tag()) {
        if (part.number === number && part.wire === BYTES) schema = props.read(part, depth + 1);
        else if (part.number === other.number && part.wire === other.coder.wire) list.push(other.coder.read(part, depth + 1));
        else part.skip();
      }
      return schema ?? (other.repeated ? list : list.at(-1));
    },
  };
}
