import { errorCode, LongshoreError, messageOf } from '../../../lib/errors.ts';
import { GRPC, GrpcError } from '../../../lib/grpc.ts';
import { DockerfileError } from '../dockerfile/error.ts';
import { placeOf } from '../solve/errors.ts';
import { RpcStatus } from './messages.ts';

/** BuildKit's own errors of a build have no code: clients would show it before the message. */
const CODES: Readonly<Record<string, number>> = { canceled: GRPC.CANCELLED, 'not-implemented': GRPC.UNIMPLEMENTED };

/** What an error means to a gRPC client. */
export function toStatus(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const message = error instanceof LongshoreError && error.remedy !== undefined ? `${messageOf(error)}\n${error.remedy}` : messageOf(error);
  return new GrpcError(CODES[errorCode(error)] ?? GRPC.UNKNOWN, message);
}

export interface SourceFile {
  readonly filename: string;
  readonly text: string;
}

/** As toStatus, with the lines of the Dockerfile that buildx then shows. */
export function toSourceStatus(error: unknown, source: SourceFile | undefined): GrpcError {
  const status = toStatus(error);
  const place = placeOf(error) ?? (error instanceof DockerfileError ? error : undefined);
  if (!source || !place || status.details) return status;
  const value = JSON.stringify({
    info: { filename: source.filename, data: Buffer.from(source.text).toString('base64'), language: 'Dockerfile' },
    ranges: [{ start: { line: place.line }, end: { line: place.endLine } }],
  });
  return new GrpcError(
    status.code,
    status.message,
    RpcStatus.encode({
      code: status.code,
      message: status.message,
      details: [{ typeUrl: 'github.com/moby/buildkit/errdefs.Source+json', value: Buffer.from(value) }],
    }),
  );
}
