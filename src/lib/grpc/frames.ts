/** Status codes of gRPC (grpc.io, "Status codes"). */
export const GRPC = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** A call that did not end well. */
export class GrpcError extends Error {
  readonly code: number;
  /** An encoded google.rpc.Status, with details. */
  readonly details: Uint8Array | undefined;

  constructor(code: number, message: string, details?: Uint8Array) {
    super(message);
    this.name = 'GrpcError';
    this.code = code;
    this.details = details;
  }
}

/** The largest message that is taken. */
const MAX_MESSAGE_BYTES = 16 << 20;

/** A message with its prefix: not compressed, length. */
export function frame(message: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(5 + message.length);
  out[0] = 0;
  out.writeUInt32BE(message.length, 1);
  out.set(message, 5);
  return out;
}

/** The messages of a stream of frames. @throws GrpcError for compressed or oversized ones */
export async function* unframe(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let held: Buffer[] = [];
  let length = 0;
  let wanted = 5;
  for await (const piece of source) {
    held.push(piece);
    length += piece.length;
    while (length >= wanted) {
      const bytes = held.length === 1 ? held[0]! : Buffer.concat(held, length);
      if (wanted === 5) {
        if (bytes[0] !== 0) throw new GrpcError(GRPC.UNIMPLEMENTED, 'compressed messages are not supported');
        wanted = 5 + bytes.readUInt32BE(1);
        if (wanted > MAX_MESSAGE_BYTES) throw new GrpcError(GRPC.RESOURCE_EXHAUSTED, `a message of ${wanted - 5} bytes is too large`);
        held = [bytes];
        if (length < wanted) break;
      }
      yield bytes.subarray(5, wanted);
      const rest = bytes.subarray(wanted);
      held = rest.length > 0 ? [rest] : [];
      length = rest.length;
      wanted = 5;
    }
  }
  if (length > 0) throw new GrpcError(GRPC.INTERNAL, 'the stream ended within a message');
}

/** Percent-encoding of grpc-message: all but printable ASCII, and the percent sign. */
export function encodeMessage(text: string): string {
  return [...Buffer.from(text.slice(0, 4096))]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

export function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Sent as it is.
    return text;
  }
}
