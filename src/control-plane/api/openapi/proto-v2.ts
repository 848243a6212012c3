import { ProtoWriter } from './proto-writer.ts';

// The Swagger document as the message openapi.v2.Document of gnostic, which kubectl asks for. Field numbers are those of its OpenAPIv2.proto.

type Json = Record<string, unknown>;

/** Encodes the document that `documents.ts` makes: what it never holds is not written. */
export function encodeSwagger(document: Json): Buffer {
  const info = document.info as Json;
  const paths = new ProtoWriter();
  for (const [name, item] of Object.entries(document.paths as Json)) {
    paths.message(2, new ProtoWriter().string(1, name).message(2, pathItem(item as Json)));
  }
  const definitions = new ProtoWriter();
  for (const [name, schema] of Object.entries(document.definitions as Json)) {
    definitions.message(1, named(name, schemaMessage(schema as Json)));
  }
  return new ProtoWriter()
    .string(1, document.swagger)
    .message(2, new ProtoWriter().string(1, info.title).string(2, info.version))
    .message(8, paths)
    .message(9, definitions)
    .finish();
}

const OPERATIONS: readonly (readonly [string, number])[] = [['get', 2], ['put', 3], ['post', 4], ['delete', 5], ['patch', 8]];

function pathItem(item: Json): ProtoWriter {
  const out = new ProtoWriter();
  for (const [method, number] of OPERATIONS) if (item[method] !== undefined) out.message(number, operationMessage(item[method] as Json));
  for (const parameter of (item.parameters ?? []) as Json[]) out.message(9, parameterItem(parameter));
  return out;
}

function operationMessage(operation: Json): ProtoWriter {
  const out = new ProtoWriter().strings(1, operation.tags).string(5, operation.operationId).strings(6, operation.produces).strings(7, operation.consumes);
  for (const parameter of operation.parameters as Json[]) out.message(8, parameterItem(parameter));
  const responses = new ProtoWriter();
  for (const [code, response] of Object.entries(operation.responses as Json)) {
    const { description, schema } = response as Json;
    const body = new ProtoWriter().string(1, description);
    if (schema !== undefined) body.message(2, new ProtoWriter().message(1, schemaMessage(schema as Json)));
    responses.message(1, new ProtoWriter().string(1, code).message(2, new ProtoWriter().message(1, body)));
  }
  out.message(9, responses).strings(10, operation.schemes);
  vendor(out, 13, operation);
  return out;
}

function parameterItem(parameter: Json): ProtoWriter {
  const inner = new ProtoWriter();
  if (parameter.in === 'body') {
    inner.message(
      1,
      new ProtoWriter()
        .string(2, parameter.name)
        .string(3, 'body')
        .bool(4, parameter.required)
        .message(5, schemaMessage(parameter.schema as Json)),
    );
  } else if (parameter.in === 'query') {
    inner.message(
      2,
      new ProtoWriter().message(
        3,
        new ProtoWriter()
          .bool(1, parameter.required)
          .string(2, 'query')
          .string(4, parameter.name)
          .string(6, parameter.type)
          .bool(20, parameter.uniqueItems),
      ),
    );
  } else {
    inner.message(
      2,
      new ProtoWriter().message(
        4,
        new ProtoWriter()
          .bool(1, parameter.required)
          .string(2, 'path')
          .string(4, parameter.name)
          .string(5, parameter.type)
          .bool(19, parameter.uniqueItems),
      ),
    );
  }
  return new ProtoWriter().message(1, inner);
}

function schemaMessage(schema: Json): ProtoWriter {
  const out = new ProtoWriter().string(1, schema.$ref).string(2, schema.format).string(4, schema.description);
  if (schema.default !== undefined) out.message(5, any(schema.default));
  out.strings(19, schema.required);
  for (const value of (schema.enum ?? []) as readonly string[]) out.message(20, any(value));
  if (schema.additionalProperties !== undefined) {
    out.message(21, new ProtoWriter().message(1, schemaMessage(schema.additionalProperties as Json)));
  }
  if (schema.type !== undefined) out.message(22, new ProtoWriter().strings(1, [schema.type]));
  if (schema.items !== undefined) out.message(23, new ProtoWriter().message(1, schemaMessage(schema.items as Json)));
  if (schema.properties !== undefined) {
    const properties = new ProtoWriter();
    for (const [name, property] of Object.entries(schema.properties as Json)) {
      properties.message(1, named(name, schemaMessage(property as Json)));
    }
    out.message(25, properties);
  }
  vendor(out, 31, schema);
  return out;
}

function named(name: string, value: ProtoWriter): ProtoWriter {
  return new ProtoWriter().string(1, name).message(2, value);
}

/** Extensions hold their value as YAML, of which JSON is a part. */
function vendor(out: ProtoWriter, number: number, holder: Json): void {
  for (const [name, value] of Object.entries(holder)) if (name.startsWith('x-')) out.message(number, named(name, any(value)));
}

function any(value: unknown): ProtoWriter {
  return new ProtoWriter().string(2, `${JSON.stringify(value)}\n`);
}
