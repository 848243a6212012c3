import { keptOf } from '../containers/inspect.ts';
import { statusText } from '../containers/status.ts';
import type { Deps } from '../deps.ts';
import { familiar } from '../images/names.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { timeOf } from '../containers/inspect.ts';
import { volumeJson } from './volumes.ts';

/** `GET /system/df`; `type=` narrows it. */
export async function diskUsage(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const types = request.query.getAll('type');
  const wants = (type: string): boolean => types.length === 0 || types.includes(type);
  const [images, containers, volumes, cache] = await Promise.all([
    wants('image') ? imageUsage(deps) : undefined,
    wants('container') ? containerUsage(deps) : undefined,
    wants('volume') ? volumeUsage(deps) : undefined,
    wants('build-cache') ? cacheUsage(deps) : undefined,
  ]);
  return {
    body: {
      ...(images === undefined ? {} : images),
      ...(containers === undefined ? {} : { Containers: containers }),
      ...(volumes === undefined ? {} : { Volumes: volumes }),
      ...(cache === undefined ? {} : { BuildCache: cache }),
      BuilderSize: 0,
    },
  };
}

async function imageUsage(deps: Deps): Promise<Record<string, unknown>> {
  const images = await deps.images.list();
  const all = deps.containers.list();
  // A layer is counted once, whatever shares it. Sizes of unpacked layers are not kept one by one: the blobs' stand for their shares.
  const users = new Map<string, number>();
  for (const image of images) for (const layer of image.layers) users.set(layer.digest, (users.get(layer.digest) ?? 0) + 1);
  let total = 0;
  const rows = images.map((image) => {
    const blobs = image.layers.reduce((sum, layer) => sum + layer.size, 0) || 1;
    const shared = image.layers.filter((layer) => users.get(layer.digest)! > 1).reduce((sum, layer) => sum + layer.size, 0);
    const once = image.layers.reduce((sum, layer) => sum + layer.size / users.get(layer.digest)!, 0);
    total += image.sizeBytes * (once / blobs);
    return {
      Id: image.id,
      ParentId: '',
      RepoTags: image.references.map(familiar),
      RepoDigests: image.repoDigests.map(familiar),
      Created: Math.floor(image.createdMs / 1000),
      Size: image.sizeBytes,
      SharedSize: Math.round(image.sizeBytes * (shared / blobs)),
      Labels: image.document.config.Labels ?? null,
      Containers: all.filter((container) => container.spec.image.id === image.id).length,
    };
  });
  return { LayersSize: Math.round(total), Images: rows };
}

async function containerUsage(deps: Deps): Promise<unknown[]> {
  return Promise.all(
    deps.containers
      .list()
      .filter((container) => container.spec.owner !== 'build')
      .map(async (container) => ({
        Id: container.id,
        Names: [`/${container.name}`],
        Image: container.spec.image.name,
        ImageID: container.spec.image.id,
        Command: container.spec.process.args.join(' '),
        Created: Math.floor(container.createdMs / 1000),
        Ports: [],
        SizeRw: await deps.images.snapshots.usage(container.id),
        SizeRootFs: 0,
        Labels: container.spec.labels,
        State: container.status,
        Status: statusText(container, deps.clock.now()),
        HostConfig: { NetworkMode: keptOf(container).HostConfig.NetworkMode ?? '' },
        NetworkSettings: { Networks: {} },
        Mounts: container.spec.mounts
          .filter((mount) => mount.type === 'volume')
          .map((mount) => ({ Type: 'volume', Name: mount.volume, Source: '', Destination: mount.target })),
      })),
  );
}

async function volumeUsage(deps: Deps): Promise<unknown[]> {
  const volumes = await deps.volumes.list();
  return Promise.all(
    volumes.map(async (volume) => ({
      ...volumeJson(volume),
      UsageData: { RefCount: deps.containers.volumeUsers(volume.name).length, Size: await deps.volumes.usage(volume.name) },
    })),
  );
}

async function cacheUsage(deps: Deps): Promise<unknown[]> {
  const records = (await deps.builder?.usage()) ?? [];
  return records.map((record) => ({
    ID: record.id, Parents: record.parents, Type: record.type, Description: record.description, InUse: record.inUse, Shared: record.shared, Size: record.bytes,
    CreatedAt: timeOf(record.createdMs), LastUsedAt: record.lastUsedMs === undefined ? null : timeOf(record.lastUsedMs), UsageCount: record.usageCount,
  }));
}
