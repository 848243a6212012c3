/** gRPC over connections that somebody else has made: enough of it to serve and to call, without a generator. Messages are bytes here; see protobuf.ts. */
export { GrpcClient } from './grpc/client.ts';
export type { ClientCall } from './grpc/client.ts';
export { GRPC, GrpcError } from './grpc/frames.ts';
export { serveGrpc, unary } from './grpc/server.ts';
export type { GrpcHandler, ServerCall } from './grpc/server.ts';
