/**
 * The messages of BuildKit's API that are spoken here: names and numbers from its published definitions
 * (github.com/moby/buildkit, api, session, frontend/gateway).
 */
import { message } from '../../../lib/protobuf.ts';
import type { Message } from '../../../lib/protobuf.ts';

type Strings = Readonly<Record<string, string>>;

export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}
export const Timestamp: Message<Timestamp> = message<Timestamp>({ seconds: [1, 'int64'], nanos: [2, 'int32'] });

export function timestamp(ms: number | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : { seconds: Math.floor(ms / 1000), nanos: Math.floor((ms % 1000) * 1e6) };
}

/** google.rpc.Status, with google.protobuf.Any. */
export interface RpcAny {
  readonly typeUrl: string;
  readonly value: Buffer;
}
const RpcAny = message<RpcAny>({ typeUrl: [1, 'string'], value: [2, 'bytes'] });
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly RpcAny[];
}
export const RpcStatus: Message<RpcStatus> = message<RpcStatus>({ code: [1, 'int32'], message: [2, 'string'], details: [3, RpcAny, 'repeated'] });

export interface Exporter {
  readonly type: string;
  readonly attrs: Strings;
}
const Exporter = message<Exporter>({ type: [1, 'string'], attrs: [2, 'string', 'map'] });

/** Where caches of other builders are kept: `exports` of `--cache-to`. */
const CacheOptions = message<{ readonly exports: readonly Exporter[] }>({ exports: [4, Exporter, 'repeated'] });
export interface SolveRequest {
  readonly ref: string;
  readonly definition: Buffer;
  readonly exporter: string;
  readonly exporterAttrs: Strings;
  readonly session: string;
  readonly frontend: string;
  readonly frontendAttrs: Strings;
  readonly cache: { readonly exports: readonly Exporter[] } | undefined;
  readonly exporters: readonly Exporter[];
}
export const SolveRequest: Message<SolveRequest> = message<SolveRequest>({
  ref: [1, 'string'],
  definition: [2, 'bytes'],
  exporter: [3, 'string'],
  exporterAttrs: [4, 'string', 'map'],
  session: [5, 'string'],
  frontend: [6, 'string'],
  frontendAttrs: [7, 'string', 'map'],
  cache: [8, CacheOptions],
  exporters: [13, Exporter, 'repeated'],
});
export const SolveResponse: Message<{ readonly exporterResponse: Strings }> = message<{ readonly exporterResponse: Strings }>({
  exporterResponse: [1, 'string', 'map'],
});

export const StatusRequest: Message<{ readonly ref: string }> = message<{ readonly ref: string }>({ ref: [1, 'string'] });

export interface StatusVertex {
  readonly digest: string;
  readonly inputs: readonly string[];
  readonly name: string;
  readonly cached: boolean;
  readonly started: Timestamp | undefined;
  readonly completed: Timestamp | undefined;
  readonly error: string;
}
const StatusVertex = message<StatusVertex>({
  digest: [1, 'string'],
  inputs: [2, 'string', 'repeated'],
  name: [3, 'string'],
  cached: [4, 'bool'],
  started: [5, Timestamp],
  completed: [6, Timestamp],
  error: [7, 'string'],
});
export interface VertexStatus {
  readonly id: string;
  readonly vertex: string;
  readonly name: string;
  readonly current: number;
  readonly total: number;
  readonly timestamp: Timestamp | undefined;
  readonly started: Timestamp | undefined;
  readonly completed: Timestamp | undefined;
}
const VertexStatus = message<VertexStatus>({
  id: [1, 'string'],
  vertex: [2, 'string'],
  name: [3, 'string'],
  current: [4, 'int64'],
  total: [5, 'int64'],
  timestamp: [6, Timestamp],
  started: [7, Timestamp],
  completed: [8, Timestamp],
});
export interface VertexLog {
  readonly vertex: string;
  readonly timestamp: Timestamp | undefined;
  readonly stream: number;
  readonly msg: Buffer;
}
const VertexLog = message<VertexLog>({ vertex: [1, 'string'], timestamp: [2, Timestamp], stream: [3, 'int64'], msg: [4, 'bytes'] });
export interface VertexWarning {
  readonly vertex: string;
  readonly level: number;
  readonly short: Buffer;
}
const VertexWarning = message<VertexWarning>({ vertex: [1, 'string'], level: [2, 'int64'], short: [3, 'bytes'] });
export interface StatusResponse {
  readonly vertexes: readonly StatusVertex[];
  readonly statuses: readonly VertexStatus[];
  readonly logs: readonly VertexLog[];
  readonly warnings: readonly VertexWarning[];
}
export const StatusResponse: Message<StatusResponse> = message<StatusResponse>({
  vertexes: [1, StatusVertex, 'repeated'],
  statuses: [2, VertexStatus, 'repeated'],
  logs: [3, VertexLog, 'repeated'],
  warnings: [4, VertexWarning, 'repeated'],
});

const PlatformMessage = message<{ readonly architecture: string; readonly os: string; readonly variant: string }>({
  architecture: [1, 'string'],
  os: [2, 'string'],
  variant: [3, 'string'],
});
export interface BuildkitVersion {
  readonly package: string;
  readonly version: string;
  readonly revision: string;
}
const BuildkitVersion = message<BuildkitVersion>({ package: [1, 'string'], version: [2, 'string'], revision: [3, 'string'] });
export interface WorkerRecord {
  readonly id: string;
  readonly labels: Strings;
  readonly platforms: readonly { readonly architecture: string; readonly os: string; readonly variant: string }[];
  readonly version: BuildkitVersion | undefined;
}
const WorkerRecord = message<WorkerRecord>({
  id: [1, 'string'],
  labels: [2, 'string', 'map'],
  platforms: [3, PlatformMessage, 'repeated'],
  version: [5, BuildkitVersion],
});
export const ListWorkersResponse: Message<{ readonly record: readonly WorkerRecord[] }> = message<{
  readonly record: readonly WorkerRecord[];
}>({ record: [1, WorkerRecord, 'repeated'] });
export const InfoResponse: Message<{ readonly version: BuildkitVersion | undefined }> = message<{
  readonly version: BuildkitVersion | undefined;
}>({ version: [1, BuildkitVersion] });

export interface UsageRecord {
  readonly id: string;
  readonly mutable: boolean;
  readonly inUse: boolean;
  readonly size: number;
  readonly createdAt: Timestamp | undefined;
  readonly lastUsedAt: Timestamp | undefined;
  readonly usageCount: number;
  readonly description: string;
  readonly recordType: string;
  readonly shared: boolean;
}
export const UsageRecord: Message<UsageRecord> = message<UsageRecord>({
  id: [1, 'string'],
  mutable: [2, 'bool'],
  inUse: [3, 'bool'],
  size: [4, 'int64'],
  createdAt: [6, Timestamp],
  lastUsedAt: [7, Timestamp],
  usageCount: [8, 'int64'],
  description: [9, 'string'],
  recordType: [10, 'string'],
  shared: [11, 'bool'],
});
export const DiskUsageResponse: Message<{ readonly record: readonly UsageRecord[] }> = message<{ readonly record: readonly UsageRecord[] }>(
  { record: [1, UsageRecord, 'repeated'] },
);
export interface PruneRequest {
  readonly filter: readonly string[];
  readonly all: boolean;
  readonly keepDuration: number;
  readonly reservedSpace: number;
  readonly maxUsedSpace: number;
}
export const PruneRequest: Message<PruneRequest> = message<PruneRequest>({
  filter: [1, 'string', 'repeated'],
  all: [2, 'bool'],
  keepDuration: [3, 'int64'],
  reservedSpace: [4, 'int64'],
  maxUsedSpace: [5, 'int64'],
});

export interface Ref {
  readonly id: string;
}
const Ref = message<Ref>({ id: [1, 'string'] });
const RefMap = message<{ readonly refs: Readonly<Record<string, Ref>> }>({ refs: [1, Ref, 'map'] });
export interface GatewayResult {
  readonly refDeprecated: string;
  readonly ref: Ref | undefined;
  readonly refs: { readonly refs: Readonly<Record<string, Ref>> } | undefined;
  readonly metadata: Readonly<Record<string, Buffer>>;
}
const GatewayResult = message<GatewayResult>({ refDeprecated: [1, 'string'], ref: [3, Ref], refs: [4, RefMap], metadata: [10, 'bytes', 'map'] });
export interface GatewaySolveRequest {
  readonly definition: Buffer;
  readonly frontend: string;
  readonly frontendOpt: Strings;
}
export const GatewaySolveRequest: Message<GatewaySolveRequest> = message<GatewaySolveRequest>({
  definition: [1, 'bytes'],
  frontend: [2, 'string'],
  frontendOpt: [3, 'string', 'map'],
});
export const GatewaySolveResponse: Message<{ readonly result: GatewayResult | undefined }> = message<{
  readonly result: GatewayResult | undefined;
}>({ result: [3, GatewayResult] });
export interface ReturnRequest {
  readonly result: GatewayResult | undefined;
  readonly error: RpcStatus | undefined;
}
export const ReturnRequest: Message<ReturnRequest> = message<ReturnRequest>({ result: [1, GatewayResult], error: [2, RpcStatus] });
const Capability = message<{ readonly id: string; readonly enabled: boolean }>({ id: [1, 'string'], enabled: [2, 'bool'] });
export interface PongResponse {
  readonly frontend: readonly { readonly id: string; readonly enabled: boolean }[];
  readonly llb: readonly { readonly id: string; readonly enabled: boolean }[];
  readonly workers: readonly WorkerRecord[];
}
export const PongResponse: Message<PongResponse> = message<PongResponse>({
  frontend: [1, Capability, 'repeated'],
  llb: [2, Capability, 'repeated'],
  workers: [3, WorkerRecord, 'repeated'],
});
export interface ReadFileRequest {
  readonly ref: string;
  readonly path: string;
}
export const ReadFileRequest: Message<ReadFileRequest> = message<ReadFileRequest>({ ref: [1, 'string'], path: [2, 'string'] });
export const ReadFileResponse: Message<{ readonly data: Buffer }> = message<{ readonly data: Buffer }>({ data: [1, 'bytes'] });

export const SecretRequest: Message<{ readonly id: string }> = message<{ readonly id: string }>({ id: [1, 'string'] });
export const SecretResponse: Message<{ readonly data: Buffer }> = message<{ readonly data: Buffer }>({ data: [1, 'bytes'] });
/** moby.sshforward.v1. */
export const CheckAgentRequest: Message<{ readonly id: string }> = message<{ readonly id: string }>({ id: [1, 'string'] });
export const CredentialsRequest: Message<{ readonly host: string }> = message<{ readonly host: string }>({ host: [1, 'string'] });
export const CredentialsResponse: Message<{ readonly username: string; readonly secret: string }> = message<{
  readonly username: string;
  readonly secret: string;
}>({ username: [1, 'string'], secret: [2, 'string'] });
export const BytesMessage: Message<{ readonly data: Buffer }> = message<{ readonly data: Buffer }>({ data: [1, 'bytes'] });

/** A file in transfer (github.com/tonistiigi/fsutil, types). */
export interface Stat {
  readonly path: string;
  /** Go's os.FileMode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly modTime: bigint;
  readonly linkname: string;
  readonly devMajor: number;
  readonly devMinor: number;
}
const Stat = message<Stat>({
  path: [1, 'string'],
  mode: [2, 'uint32'],
  uid: [3, 'uint32'],
  gid: [4, 'uint32'],
  size: [5, 'int64'],
  modTime: [6, 'bigint'],
  linkname: [7, 'string'],
  devMajor: [8, 'int64'],
  devMinor: [9, 'int64'],
});
export const PACKET = { STAT: 0, REQ: 1, DATA: 2, FIN: 3, ERR: 4 } as const;
export interface Packet {
  readonly type: number;
  readonly stat: Stat | undefined;
  readonly id: number;
  readonly data: Buffer;
}
export const Packet: Message<Packet> = message<Packet>({ type: [1, 'int32'], stat: [2, Stat], id: [3, 'uint32'], data: [4, 'bytes'] });
