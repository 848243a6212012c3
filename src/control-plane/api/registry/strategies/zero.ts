import type { TypeRef, TypeSchema } from '../../../../types/kubernetes/schema.ts';

/** The value of a Go struct that nothing was set in, as it is written to JSON: what omitempty leaves out is left out, and that never is a struct. */
export function zeroOf(schema: TypeSchema): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of schema.fields.values()) {
    if (field.pointer) continue;
    if (field.type.kind === 'struct') out[field.name] = zeroOf(field.type.schema);
    else if (!field.omitEmpty) out[field.name] = zeroScalar(field.type);
  }
  return out;
}

function zeroScalar(type: TypeRef): unknown {
  switch (type.kind) {
    case 'string': case 'Quantity': case 'Duration': return type.kind === 'string' ? '' : '0';
    case 'bool': return false;
    case 'int32': case 'int64': case 'float64': case 'IntOrString': return 0;
    default: return null;
  }
}
