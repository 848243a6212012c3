import { LongshoreError } from '../../../lib/errors.ts';
import type { Volume } from '../../volumes/volumes.ts';
import { timeOf } from '../containers/inspect.ts';
import { untilMs } from '../containers/lifecycle.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { VOLUME_CREATE } from '../shapes.ts';

interface CreateBody {
  Name?: string;
  Driver?: string;
  DriverOpts?: Record<string, string> | null;
  Labels?: Record<string, string> | null;
  ClusterVolumeSpec?: unknown;
}

export function volumeJson(volume: Volume): Record<string, unknown> {
  return {
    CreatedAt: timeOf(volume.createdMs).replace(/\.\d+Z$/, 'Z'),
    Driver: volume.driver,
    Labels:
      Object.keys(volume.labels).length === 0 && !volume.anonymous
        ? null
        : { ...volume.labels, ...(volume.anonymous ? { 'com.docker.volume.anonymous': '' } : {}) },
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: Object.keys(volume.options).length === 0 ? null : volume.options,
    Scope: 'local',
  };
}

/** `GET /volumes`. */
export async function listVolumes(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(['dangling', 'driver', 'label', 'label!', 'name']);
  const dangling = filters.boolean('dangling');
  const volumes = (await deps.volumes.list()).filter((volume) =>
    filters.some('name', (wanted) => volume.name.includes(wanted)) &&
    filters.allows('driver', volume.driver) &&
    filters.labels(volume.labels) &&
    (dangling === undefined || (deps.containers.volumeUsers(volume.name).length === 0) === dangling));
  return { body: { Volumes: volumes.map(volumeJson), Warnings: null } };
}

export async function inspectVolume(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  return { body: volumeJson(await deps.volumes.get(request.params['name']!)) };
}

/** `POST /volumes/create`. */
export async function createVolume(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = (await request.json<CreateBody>(VOLUME_CREATE)) ?? {};
  if (body.Driver && body.Driver !== 'local') {
    throw new LongshoreError(
      'not-found',
      `create ${body.Name ?? ''}: error looking up volume plugin ${body.Driver}: plugin "${body.Driver}" not found`,
      { remedy: 'Use the driver local.' },
    );
  }
  if (body.ClusterVolumeSpec) throw new LongshoreError('not-implemented', 'cluster volumes are not built');
  const volume = await deps.volumes.create({
    ...(body.Name ? { name: body.Name } : {}),
    ...(body.DriverOpts ? { driverOpts: body.DriverOpts } : {}),
    ...(body.Labels ? { labels: body.Labels } : {}),
  });
  deps.events.emit('volume', 'create', volume.name, { driver: 'local' });
  return { status: 201, body: volumeJson(volume) };
}

/** `DELETE /volumes/{name}`. */
export async function deleteVolume(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const name = request.params['name']!;
  await deps.volumes.remove(name, { force: request.flag('force'), users: deps.containers.volumeUsers(name) });
  deps.events.emit('volume', 'destroy', name, { driver: 'local' });
  return { status: 204 };
}

/** `POST /volumes/prune`: unnamed ones that nobody uses; with the filter `all`, named ones as well. */
export async function pruneVolumes(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(['all', 'label', 'label!', 'until']);
  const all = filters.boolean('all') === true || request.minor < 42;
  const until = filters.has('until') ? untilMs(filters.get('until')[0]!, deps.clock.now()) : undefined;
  await deps.containers.settled();
  const deleted: string[] = [];
  let bytes = 0;
  for (const volume of await deps.volumes.list()) {
    if ((!all && !volume.anonymous) || deps.containers.volumeUsers(volume.name).length > 0 || !filters.labels(volume.labels)) continue;
    if (until !== undefined && volume.createdMs > until) continue;
    bytes += await deps.volumes.usage(volume.name);
    await deps.volumes.remove(volume.name, { users: [] });
    deps.events.emit('volume', 'destroy', volume.name, { driver: 'local' });
    deleted.push(volume.name);
  }
  return { body: { VolumesDeleted: deleted, SpaceReclaimed: bytes } };
}
