import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Container } from '../../containers/containers.ts';
import type { HistoryEntry, Image } from '../../images/images.ts';
import { parseTagged, repositoryOf } from '../../images/reference.ts';
import { JsonLines } from '../answers.ts';
import { timeOf } from '../containers/inspect.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { credentialsOf } from './credentials.ts';
import { oldestUntil } from './list.ts';
import { familiar, joinReference } from './names.ts';
import { checkPlatforms, descriptorOf, imagePlatform, manifestSummary } from './platforms.ts';
import { platformOf, progressLine, throttled } from './pull.ts';

/** `GET /images/{name}/json`. */
export async function inspectImage(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const name = request.params['name']!;
  const image = await deps.images.get(name);
  const platform = checkPlatforms(request, 'platform', name, image);
  const { document } = image;
  return {
    body: {
      Id: image.id,
      RepoTags: image.references.map(familiar),
      RepoDigests: image.repoDigests.map(familiar),
      Parent: '',
      Comment: document.history?.at(-1)?.comment ?? '',
      Created: document.created ?? timeOf(image.createdMs),
      DockerVersion: '',
      Author: document.author ?? '',
      Config: configOf(image),
      Architecture: document.architecture,
      ...(document.variant === undefined ? {} : { Variant: document.variant }),
      Os: document.os,
      Size: image.sizeBytes,
      GraphDriver: { Data: null, Name: 'overlay2' },
      RootFS: { Type: 'layers', Layers: document.rootfs.diff_ids },
      Metadata: { LastTagTime: timeOf(image.lastTaggedMs) },
      Descriptor: { ...(await descriptorOf(deps, image)), ...(platform === undefined ? {} : { platform: imagePlatform(image) }) },
      ...(request.flag('manifests') ? { Manifests: [await manifestSummary(deps, image)] } : {}),
    },
  };
}

function configOf(image: Image): Record<string, unknown> {
  const { config } = image.document;
  return {
    Hostname: '', Domainname: '', User: config.User ?? '', AttachStdin: false, AttachStdout: false, AttachStderr: false,
    ...(config.ExposedPorts === undefined ? {} : { ExposedPorts: config.ExposedPorts }),
    Tty: false, OpenStdin: false, StdinOnce: false, Env: config.Env ?? null, Cmd: config.Cmd ?? null,
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    Image: '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ?? null,
    ...(config.StopSignal === undefined ? {} : { StopSignal: config.StopSignal }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
  };
}

/** `GET /images/{name}/history`, newest first. */
export async function imageHistory(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const name = request.params['name']!;
  const image = await deps.images.get(name);
  checkPlatforms(request, 'platform', name, image);
  const history: readonly HistoryEntry[] = image.document.history ?? image.layers.map(() => ({}));
  let layer = image.layers.length;
  const rows = [...history].reverse().map((entry, index) => {
    const descriptor = entry.empty_layer === true ? undefined : image.layers[--layer];
    return {
      Id: index === 0 ? image.id : '<missing>',
      Created: Math.floor(Date.parse(entry.created ?? '') / 1000) || 0,
      CreatedBy: entry.created_by ?? '',
      Tags: index === 0 && image.references.length > 0 ? image.references.map(familiar) : null,
      Size: descriptor?.size ?? 0,
      Comment: entry.comment ?? '',
    };
  });
  return { body: rows };
}

/** `POST /images/{name}/tag`. */
export async function tagImage(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const repository = request.query.get('repo');
  if (!repository) throw new LongshoreError('invalid', 'invalid reference format: repository name is missing');
  await deps.images.tag(request.params['name']!, joinReference(repository, request.query.get('tag')));
  return { status: 201 };
}

/** The containers that hold an image, in the words of the refusal to delete it. */
function holdersOf(deps: Deps): (id: string) => string[] {
  return (id) => deps.containers.list().filter((container) => uses(container, id)).map((container) => container.id);
}

/** As what it was made of, or as a mount. */
function uses({ spec }: Container, id: string): boolean {
  return spec.image.id === id || spec.mounts.some((mount) => mount.type === 'image' && mount.image === id);
}

/** Those of them that run. */
function runningOf(deps: Deps): (id: string) => string[] {
  return (id) => deps.containers.list().filter((container) => uses(container, id) && container.pid !== undefined).map((container) => container.id);
}

/** `DELETE /images/{name}`. */
export async function deleteImage(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  // A container that was just removed may still be on its way out.
  await deps.containers.settled();
  const name = request.params['name']!;
  if (request.query.has('platforms')) checkPlatforms(request, 'platforms', name, await deps.images.get(name));
  const done = await deps.images.remove(name, {
    force: request.flag('force'),
    prune: !request.flag('noprune'),
    inUse: holdersOf(deps),
    running: runningOf(deps),
  });
  return { body: done.map((step) => ('untagged' in step ? { Untagged: familiar(step.untagged) } : { Deleted: step.deleted })) };
}

/** `POST /images/{name}/push`. */
export async function pushImage(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const reference = joinReference(request.params['name']!, request.query.get('tag'));
  const credentials = credentialsOf(request.raw.headers);
  if (request.query.has('platform')) checkPlatforms(request, 'platform', reference, await deps.images.get(reference));
  const lines = new JsonLines(response);
  try {
    await lines.send({ status: `The push refers to repository [${repositoryOf(parseTagged(reference))}]` });
    const { digest, size } = await deps.images.push(reference, {
      ...(credentials === undefined ? {} : { credentials }),
      progress: throttled(deps, (event) => lines.send(progressLine(event))),
      signal: request.signal,
    });
    const tag = /:([^:/]+)$/.exec(reference)?.[1] ?? 'latest';
    await lines.send({ status: `${tag}: digest: ${digest} size: ${size}` });
    await lines.send({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
    lines.end();
  } catch (error) {
    lines.fail(error);
  }
}

/** `POST /images/load`. */
export async function loadImages(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const lines = new JsonLines(response);
  const quiet = request.flag('quiet');
  const platform = platformOf(request.query.get('platform'));
  try {
    const loaded = await deps.images.load(request.raw, {
      ...(platform === undefined ? {} : { platform }),
      ...(quiet ? {} : { progress: throttled(deps, (event) => lines.send(progressLine(event))) }),
      signal: request.signal,
      ownsPieces: true,
    });
    for (const { image, references } of loaded) {
      if (references.length === 0) await lines.send({ stream: `Loaded image ID: ${image.id}\n` });
      for (const reference of references) await lines.send({ stream: `Loaded image: ${familiar(reference)}\n` });
    }
    lines.end();
  } catch (error) {
    lines.fail(error);
  }
}

/** `GET /images/get?names=…`, and `GET /images/{name}/get`. */
export async function saveImages(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const names = request.params['name'] === undefined ? request.query.getAll('names') : [request.params['name']];
  if (request.query.has('platform')) for (const name of names) checkPlatforms(request, 'platform', name, await deps.images.get(name));
  const tar = await deps.images.save(names);
  response.writeHead(200, { 'Content-Type': 'application/x-tar' });
  await pipeline(tar, response);
}

/** `POST /images/prune`. */
export async function pruneImages(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(['dangling', 'label', 'label!', 'until']);
  const until = oldestUntil(filters, deps.clock.now());
  const match = (image: Image): boolean => filters.labels(image.document.config.Labels ?? {}) && (until === undefined || image.createdMs <= until);
  await deps.containers.settled();
  const { bytes, deleted } = await deps.images.prune({ all: filters.boolean('dangling') === false, match, inUse: holdersOf(deps) });
  deps.events.emit('image', 'prune', '', { reclaimed: String(bytes) });
  return {
    body: {
      ImagesDeleted:
        deleted.length === 0
          ? null
          : deleted.map((name) => (name.startsWith('sha256:') ? { Deleted: name } : { Untagged: familiar(name) })),
      SpaceReclaimed: bytes,
    },
  };
}

/** `GET /distribution/{name}/json`: of the registry, without pulling. */
export async function inspectDistribution(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const { descriptor, platforms } = await deps.images.askRegistry(request.params['name']!, credentialsOf(request.raw.headers), request.signal);
  return { body: { Descriptor: descriptor, Platforms: platforms } };
}
