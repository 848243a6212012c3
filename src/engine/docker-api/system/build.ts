import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';
import { JsonLines } from '../answers.ts';
import type { Builder, ClassicBuildOptions } from '../../build/builder.ts';
import { uncompressed } from '../containers/archive.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, Hijacked, JsonAnswer } from '../request.ts';

function builderOf(deps: Deps): Builder {
  if (deps.builder === undefined) throw new LongshoreError('not-implemented', 'this engine has no builder');
  return deps.builder;
}

/** `POST /build`: the classic builder. */
export async function build(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const builder = builderOf(deps);
  if (request.query.get('version') === '2') {
    throw new LongshoreError('invalid', 'builds of version 2 go through /grpc', { remedy: 'Use buildx.' });
  }
  const options = optionsOf(request);
  const lines = new JsonLines(response);
  try {
    const context = options.remote === '' || options.remote === 'client-session' ? await uncompressed(request.raw) : Readable.from([]);
    await builder.build(context, options, (line) => lines.send(line), request.signal);
    lines.end();
  } catch (error) {
    lines.fail(error);
  }
}

/** What the builder would have to ignore. */
const NOT_BUILT = [
  ['squash', '--squash'],
  ['ulimits', '--ulimit'],
  ['cgroupparent', '--cgroup-parent'],
  ['cpusetcpus', '--cpuset-cpus'],
  ['cpusetmems', '--cpuset-mems'],
  ['outputs', '--output'],
] as const;

function optionsOf(request: ApiRequest): ClassicBuildOptions {
  const { query } = request;
  for (const [name, flag] of NOT_BUILT) {
    if (!['', '0', 'false', 'null', '[]', '{}'].includes(query.get(name) ?? '')) {
      throw new LongshoreError('not-implemented', `${flag} of builds is not supported`, { remedy: `Build without ${flag}.` });
    }
  }
  return {
    dockerfile: query.get('dockerfile') || 'Dockerfile',
    tags: query.getAll('t').filter((tag) => tag !== ''),
    buildArgs: jsonParameter(query.get('buildargs'), 'buildargs') as Record<string, string | null>,
    labels: jsonParameter(query.get('labels'), 'labels') as Record<string, string>,
    target: query.get('target') ?? '',
    noCache: request.flag('nocache'),
    pull: request.flag('pull'),
    quiet: request.flag('q'),
    platform: query.get('platform') ?? '',
    networkMode: query.get('networkmode') ?? 'default',
    remote: query.get('remote') ?? '',
    extraHosts: query.getAll('extrahosts'),
    buildId: query.get('buildid') ?? '',
    sessionId: query.get('session') ?? '',
    memoryBytes: request.integer('memory') ?? 0,
    shmBytes: request.integer('shmsize') ?? 0,
    registries: registries(request),
  };
}

function registries(request: ApiRequest): ClassicBuildOptions['registries'] {
  const header = request.raw.headers['x-registry-config'];
  if (typeof header !== 'string' || header === '') return {};
  return jsonParameter(Buffer.from(header, 'base64').toString('utf8'), 'X-Registry-Config') as ClassicBuildOptions['registries'];
}

function jsonParameter(text: string | null, name: string): object {
  if (text === null || text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LongshoreError('invalid', `invalid ${name}: not JSON`, { cause: error });
  }
  if (value === null) return {};
  if (typeof value !== 'object') throw new LongshoreError('invalid', `invalid ${name}: an object is wanted`);
  return value;
}

/** `POST /grpc`: hands the connection to BuildKit's API. */
export async function grpc(deps: Deps, request: ApiRequest, connection: Hijacked): Promise<void> {
  const builder = builderOf(deps);
  connection.accept('application/grpc');
  builder.grpc(connection.socket, Buffer.alloc(0));
  await ended(connection);
}

/** `POST /session`: hands the connection, on which the client serves, to the builder. */
export async function session(deps: Deps, request: ApiRequest, connection: Hijacked): Promise<void> {
  const builder = builderOf(deps);
  connection.accept('application/grpc');
  builder.session(connection.socket, Buffer.alloc(0), request.raw.headers);
  await ended(connection);
}

function ended(connection: Hijacked): Promise<void> {
  return new Promise((resolve) => connection.socket.once('close', () => resolve()));
}

const CACHE_FILTERS = ['until', 'unused-for', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private'];

/** `POST /build/prune`. */
export async function pruneBuilds(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const keep = request.integer('keep-storage') ?? request.integer('reserved-space');
  const filters = request.filters([...CACHE_FILTERS, 'label', 'label!']);
  // Of a clean-up of everything by label: what is cached has none.
  if (filters.has('label')) return { body: { CachesDeleted: [], SpaceReclaimed: 0 } };
  const { ids, bytes } = await builderOf(deps).prune({
    all: request.flag('all'),
    ...(keep === undefined ? {} : { keepBytes: keep }),
    filters: Object.fromEntries(CACHE_FILTERS.filter((key) => filters.has(key)).map((key) => [key, filters.get(key)])),
  });
  return { body: { CachesDeleted: ids, SpaceReclaimed: bytes } };
}

/** `POST /build/cancel?id=`. */
export function cancelBuild(deps: Deps, request: ApiRequest): JsonAnswer {
  const id = request.query.get('id');
  if (!id) throw new LongshoreError('invalid', 'build ID not provided');
  builderOf(deps).cancel(id);
  return { status: 204 };
}
