import type { Duplex } from 'node:stream';
import type { ServerHttp2Session } from 'node:http2';
import { join } from 'node:path';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import { GRPC, GrpcError, serveGrpc, unary } from '../../../lib/grpc.ts';
import type { GrpcHandler, ServerCall } from '../../../lib/grpc.ts';
import { hexId } from '../../../lib/random.ts';
import { Progress } from '../solve/progress.ts';
import type { BuildParts, BuildResult } from '../solve/request.ts';
import { ContextFolders } from './contexts.ts';
import { toSourceStatus, toStatus } from './errors.ts';
import type { SourceFile } from './errors.ts';
import { exportResult, refusalOfExporter } from './exporters.ts';
import { buildDockerfile } from './frontend.ts';
import {
  DiskUsageResponse,
  GatewaySolveRequest,
  GatewaySolveResponse,
  InfoResponse,
  ListWorkersResponse,
  PongResponse,
  PruneRequest,
  ReadFileRequest,
  ReadFileResponse,
  ReturnRequest,
  RpcStatus,
  SolveRequest,
  SolveResponse,
  StatusRequest,
  timestamp,
  UsageRecord,
} from './messages.ts';
import type { Exporter, GatewayResult, WorkerRecord } from './messages.ts';
import { Sessions } from './sessions.ts';
import { StatusQueue } from './status.ts';
import { recordFilter } from '../solve/record-filter.ts';
import { withChain } from '../solve/scratch.ts';

/** What of BuildKit this stands in for. */
const BUILDKIT = { package: 'github.com/moby/buildkit', version: 'v0.23.2', revision: 'longshore' };
const CONTROL = '/moby.buildkit.v1.Control/';
const GATEWAY = '/moby.buildkit.v1.frontend.LLBBridge/';
/** By which a gateway call names its build. */
const BUILD_ID = 'buildkit-controlapi-buildid';
const CAPS = ['solve.base', 'return', 'returnmap', 'proto.refarray', 'readfile', 'gateway.evaluate', 'gateway.solve.evaluate', 'frontend.caps'];
const LLB_CAPS = [
  'exporter.multiple',
  'source.image',
  'source.local',
  'exec.meta.base',
  'exec.mount.bind',
  'exec.mount.cache',
  'exec.mount.cache.sharing',
  'exec.mount.secret',
  'exec.mount.ssh',
  'exec.mount.tmpfs',
  'constraints',
  'platform',
  'meta.ignorecache',
  'meta.description',
];

/** One build, from its Solve to its end. */
interface Build {
  readonly ref: string;
  readonly status: StatusQueue;
  readonly controller: AbortController;
  readonly session: string;
  readonly progress: Progress;
  source: SourceFile | undefined;
  /** Results by the ids that the client got for them. */
  readonly results: Map<string, BuildResult>;
  /** Why it can't be done as asked, known from the beginning. */
  readonly refusal: LongshoreError | undefined;
  /** The error that a call of the gateway ended with, as it was. */
  failure: GrpcError | undefined;
  readonly returned: Promise<GatewayResult | undefined>;
  returnResult(result: GatewayResult | undefined): void;
  returnError(error: GrpcError): void;
}

const LLB_REFUSED = 'building a definition in LLB is not supported: only the frontend dockerfile.v0 is';
/** How long a build that is over can still be asked for, in milliseconds. */
const FINISHED_MS = 10_000;
/** How long builds may take to end when the builder closes, and then their clients to hear of it, in milliseconds. */
export const CLOSE_MS = 5000;
const FLUSH_MS = 300;

/**
 * BuildKit's control API (services moby.buildkit.v1.Control and, for a build that the client directs itself,
 * moby.buildkit.v1.frontend.LLBBridge), for the frontend dockerfile.v0.
 */
export class ControlServer {
  readonly sessions: Sessions;
  readonly #parts: BuildParts;
  readonly #version: string;
  readonly #folders: ContextFolders;
  readonly #builds = new Map<string, Build>();
  /** Status streams and calls of the gateway that came before their build. */
  readonly #early = new Map<string, Set<(build: Build) => void>>();
  readonly #connections = new Set<ServerHttp2Session>();
  readonly #handlers: ReadonlyMap<string, GrpcHandler>;
  readonly #workerId: string;
  /** Calls of Solve that are not answered. */
  readonly #solving = new Set<Promise<Uint8Array>>();
  #closing: LongshoreError | undefined;

  constructor(parts: BuildParts, version: string) {
    this.#parts = parts;
    this.#version = version;
    this.sessions = new Sessions(parts.clock);
    this.#folders = new ContextFolders(join(parts.folder, 'contexts'), parts.random);
    this.#workerId = hexId(parts.random, 12);
    this.#handlers = new Map<string, GrpcHandler>([
      [`${CONTROL}Solve`, unary((message, call) => this.#solve(message, call))],
      [`${CONTROL}Status`, (call) => this.#status(call)],
      [`${CONTROL}ListWorkers`, unary(() => Promise.resolve(ListWorkersResponse.encode({ record: [this.#worker()] })))],
      [`${CONTROL}Info`, unary(() => Promise.resolve(InfoResponse.encode({ version: BUILDKIT })))],
      [`${CONTROL}DiskUsage`, unary(() => Promise.resolve(this.#diskUsage()))],
      [`${CONTROL}Prune`, (call) => this.#prune(call)],
      ...['ListenBuildHistory', 'UpdateBuildHistory'].map((name): [string, GrpcHandler] => [
        `${CONTROL}${name}`,
        unary(() =>
          Promise.reject(
            new LongshoreError('not-implemented', 'no history of builds is kept (docker buildx history): what was built here is shown by docker buildx du'),
          ),
        ),
      ]),
      [
        `${GATEWAY}Ping`,
        unary(() =>
          Promise.resolve(
            PongResponse.encode({
              frontend: CAPS.map((id) => ({ id, enabled: true })),
              llb: LLB_CAPS.map((id) => ({ id, enabled: true })),
              workers: [this.#worker()],
            }),
          ),
        ),
      ],
      [`${GATEWAY}Solve`, unary((message, call) => this.#gatewaySolve(message, call))],
      [`${GATEWAY}Evaluate`, unary(() => Promise.resolve(Buffer.alloc(0)))],
      [`${GATEWAY}ReadFile`, unary((message, call) => this.#readFile(message, call))],
      [`${GATEWAY}Inputs`, unary(() => Promise.resolve(Buffer.alloc(0)))],
      [`${GATEWAY}Return`, unary((message, call) => this.#return(message, call))],
      [`${GATEWAY}Warn`, unary(() => Promise.resolve(Buffer.alloc(0)))],
    ]);
  }

  /** Speaks gRPC on a connection. */
  serve(socket: Duplex, head: Buffer): void {
    const session = serveGrpc(socket, head, this.#handlers, toStatus);
    this.#connections.add(session);
    session.once('close', () => this.#connections.delete(session));
  }

  /** Ends the builds that run with `reason`, tells their clients, and closes. No build begins any more. */
  async close(reason: LongshoreError): Promise<void> {
    this.#closing = reason;
    for (const build of this.#builds.values()) build.controller.abort(reason);
    await settledWithin(this.#parts.clock, this.#solving, CLOSE_MS);
    // What was answered goes out first.
    await settledWithin(this.#parts.clock, [...this.#connections].map(closed), FLUSH_MS);
    for (const session of this.#connections) session.destroy();
    this.sessions.close();
  }

  #solve(message: Buffer, call: ServerCall): Promise<Uint8Array> {
    const solving = this.#solveOne(message, call);
    this.#solving.add(solving);
    const over = (): void => void this.#solving.delete(solving);
    solving.then(over, over);
    return solving;
  }

  async #solveOne(message: Buffer, call: ServerCall): Promise<Uint8Array> {
    if (this.#closing) throw this.#closing;
    const request = SolveRequest.decode(message);
    if (request.ref === '') throw new LongshoreError('invalid', 'a build needs a reference');
    if (this.#builds.has(request.ref)) throw new LongshoreError('already-exists', `there is a build ${request.ref} already`);
    const exporters =
      request.exporters.length > 0 ? request.exporters : request.exporter === '' ? [] : [{ type: request.exporter, attrs: request.exporterAttrs }];
    const refusal = refusalOf(request, exporters);
    const build = this.#begin(request.ref, request.session, refusal);
    const onAbort = (): void => build.controller.abort(new LongshoreError('canceled', 'context canceled'));
    call.signal.addEventListener('abort', onAbort);
    try {
      // A client that directs its build hears of it at its first call to the gateway: it waits for that one.
      if (refusal && request.frontend !== '') throw refusal;
      const result = request.frontend === '' ? await this.#directed(build) : await this.#build(build, request.frontend, request.frontendAttrs);
      const exporterResponse: Record<string, string> = {};
      if (result && exporters.length > 0) {
        const session = await this.sessions.get(request.session, build.controller.signal);
        for (const [index, exporter] of exporters.entries()) {
          Object.assign(
            exporterResponse,
            await exportResult(
              { parts: this.#parts, session, ref: build.ref, result, progress: build.progress, signal: build.controller.signal },
              exporter,
              index,
            ),
          );
        }
      }
      return SolveResponse.encode({ exporterResponse });
    } catch (error) {
      throw toSourceStatus(error, build.source);
    } finally {
      call.signal.removeEventListener('abort', onAbort);
      build.status.end();
      // A build may be over before its client has asked for its status.
      this.#parts.clock.after(FINISHED_MS, () => {
        if (this.#builds.get(build.ref) === build) this.#builds.delete(build.ref);
      });
    }
  }

  #begin(ref: string, session: string, refusal: LongshoreError | undefined): Build {
    const status = new StatusQueue();
    const { promise, resolve, reject } = Promise.withResolvers<GatewayResult | undefined>();
    // Awaited only by a build that the client directs.
    promise.catch(() => {});
    const build: Build = {
      ref,
      session,
      refusal,
      status,
      controller: new AbortController(),
      progress: new Progress(this.#parts.clock, (event) => status.push(event)),
      source: undefined,
      results: new Map(),
      failure: undefined,
      returned: promise,
      returnResult: resolve,
      returnError: reject,
    };
    build.controller.signal.addEventListener('abort', () => reject(build.controller.signal.reason as Error));
    this.#builds.set(ref, build);
    for (const tell of this.#early.get(ref) ?? []) tell(build);
    this.#early.delete(ref);
    return build;
  }

  /** The client calls the gateway, then returns a result. */
  async #directed(build: Build): Promise<BuildResult | undefined> {
    const result = await build.returned;
    const id = result?.ref?.id ?? Object.values(result?.refs?.refs ?? {})[0]?.id ?? result?.refDeprecated ?? '';
    return build.results.get(id);
  }

  async #build(build: Build, frontend: string, attrs: Readonly<Record<string, string>>): Promise<BuildResult> {
    if (frontend !== 'dockerfile.v0' && frontend !== 'gateway.v0') {
      throw new LongshoreError('not-implemented', `frontend ${JSON.stringify(frontend)} is not supported: only dockerfile.v0 is`);
    }
    const session = await this.sessions.get(build.session, build.controller.signal);
    return await buildDockerfile({
      parts: this.#parts,
      folders: this.#folders,
      session,
      ref: build.ref,
      attrs,
      progress: build.progress,
      signal: build.controller.signal,
      onSource: (source) => (build.source = source),
    });
  }

  async #gatewaySolve(message: Buffer, call: ServerCall): Promise<Uint8Array> {
    const build = await this.#buildOf(call);
    const request = GatewaySolveRequest.decode(message);
    try {
      if (build.refusal) throw build.refusal;
      if (request.frontend === '') throw new LongshoreError('not-implemented', LLB_REFUSED);
      const result = await this.#build(build, request.frontend, request.frontendOpt);
      const id = hexId(this.#parts.random, 16);
      build.results.set(id, result);
      return GatewaySolveResponse.encode({
        result: { refDeprecated: '', ref: { id }, refs: undefined, metadata: { 'containerimage.config': Buffer.from(JSON.stringify(result.document)) } },
      });
    } catch (error) {
      build.failure = toSourceStatus(error, build.source);
      throw build.failure;
    }
  }

  async #return(message: Buffer, call: ServerCall): Promise<Uint8Array> {
    const build = await this.#buildOf(call);
    const { error, result } = ReturnRequest.decode(message);
    // The client may have wrapped it; what we know of it says more.
    if (error && error.code !== GRPC.OK) build.returnError(build.failure ?? new GrpcError(error.code, error.message, RpcStatus.encode(error)));
    else build.returnResult(result);
    return Buffer.alloc(0);
  }

  async #readFile(message: Buffer, call: ServerCall): Promise<Uint8Array> {
    const build = await this.#buildOf(call);
    const { path, ref } = ReadFileRequest.decode(message);
    const result = build.results.get(ref);
    if (!result) throw new LongshoreError('not-found', `there is no result ${ref}`);
    const text = await withChain(this.#parts, result.chainId, (root) => this.#parts.images.trees.read(root, path, 4 << 20));
    if (text === undefined) throw new LongshoreError('not-found', `${path}: no such file or directory`);
    return ReadFileResponse.encode({ data: Buffer.from(text) });
  }

  /** A client begins a build and calls its gateway at the same time: which call comes first is chance. */
  async #buildOf(call: ServerCall): Promise<Build> {
    const id = call.metadata[BUILD_ID];
    if (typeof id !== 'string') throw new LongshoreError('invalid', 'the call does not say to which build it belongs');
    return this.#builds.get(id) ?? (await this.#expect(id, call.signal));
  }

  async #status(call: ServerCall): Promise<void> {
    for await (const message of call.messages) {
      const { ref } = StatusRequest.decode(message);
      const build = this.#builds.get(ref) ?? (await this.#expect(ref, call.signal));
      await build.status.drain((bytes) => call.send(bytes), call.signal);
      return;
    }
  }

  /** The build that the client is about to begin. */
  #expect(ref: string, signal: AbortSignal): Promise<Build> {
    return new Promise((resolve, reject) => {
      const waiting = this.#early.get(ref) ?? new Set();
      this.#early.set(ref, waiting);
      const end = (): void => {
        cancel();
        waiting.delete(tell);
        if (waiting.size === 0) this.#early.delete(ref);
        signal.removeEventListener('abort', onAbort);
      };
      const tell = (build: Build): void => {
        end();
        resolve(build);
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const cancel = this.#parts.clock.after(5000, () => {
        end();
        reject(new LongshoreError('not-found', `no such job ${ref}`));
      });
      waiting.add(tell);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #worker(): WorkerRecord {
    const { architecture, os, variant = '' } = this.#parts.platform;
    return {
      id: this.#workerId,
      labels: {
        'org.mobyproject.buildkit.worker.executor': 'longshore',
        'org.mobyproject.buildkit.worker.snapshotter': 'overlayfs',
        'org.mobyproject.buildkit.worker.hostname': 'longshore',
        'org.mobyproject.buildkit.worker.moby.host-gateway-ip': '',
        'longshore.version': this.#version,
      },
      platforms: [{ architecture, os, variant }],
      version: BUILDKIT,
    };
  }

  #diskUsage(): Uint8Array {
    return DiskUsageResponse.encode({ record: this.#parts.cache.usage().map(recordOf) });
  }

  async #prune(call: ServerCall): Promise<void> {
    for await (const message of call.messages) {
      const { all, filter, keepDuration, maxUsedSpace, reservedSpace } = PruneRequest.decode(message);
      const before = new Map(this.#parts.cache.usage().map((record) => [record.id, record]));
      const keepBytes = maxUsedSpace || reservedSpace;
      const { ids } = await this.#parts.cache.prune({
        all,
        ...(keepBytes > 0 ? { keepBytes } : {}),
        match: recordFilter(filter),
        ...(keepDuration > 0 ? { untilMs: this.#parts.clock.now() - keepDuration / 1e6 } : {}),
      });
      if (all && filter.length === 0) await this.#parts.cacheMounts.clear();
      for (const id of ids) {
        const record = before.get(id);
        if (record) await call.send(UsageRecord.encode(recordOf(record)));
      }
      return;
    }
  }
}

/** What of a build would have to be ignored. */
function refusalOf(request: ReturnType<typeof SolveRequest.decode>, exporters: readonly Exporter[]): LongshoreError | undefined {
  if (request.definition.length > 0) return new LongshoreError('not-implemented', LLB_REFUSED);
  const [cache] = request.cache?.exports ?? [];
  if (cache) {
    return new LongshoreError('not-implemented', `a cache can't be exported (--cache-to type=${cache.type}): this builder keeps its own`, {
      remedy: 'Build without --cache-to; what was built here once is taken from the cache by itself.',
    });
  }
  return exporters.map(refusalOfExporter).find((refusal) => refusal !== undefined);
}

/** Until all have come to an end, or `ms` milliseconds are over. */
export function settledWithin(clock: Clock, all: Iterable<Promise<unknown>>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    void Promise.allSettled(all).then(() => {
      cancel();
      resolve();
    });
  });
}

/** Once the streams of a connection are over. */
function closed(session: ServerHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    session.close(resolve);
  });
}

function recordOf(record: ReturnType<BuildParts['cache']['usage']>[number]): UsageRecord {
  return {
    id: record.id,
    mutable: false,
    inUse: record.inUse,
    size: record.bytes,
    createdAt: timestamp(record.createdMs),
    lastUsedAt: timestamp(record.lastUsedMs),
    usageCount: record.usageCount,
    description: record.description,
    recordType: record.type,
    shared: record.shared,
  };
}
