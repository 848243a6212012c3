import { LongshoreError } from '../../../lib/errors.ts';
import type { Container } from '../../containers/containers.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, Filters, JsonAnswer } from '../request.ts';
import { endpointMap, keptOf, mountNames, mountPoints, sizeOfImage } from './inspect.ts';
import { statusText } from './status.ts';

const FILTERS = [
  'ancestor',
  'annotation',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'label!',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const STATUSES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

/** `GET /containers/json`: what runs, or (`all`, `limit`, or a filter that says so) everything, newest first. */
export async function listContainers(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(FILTERS);
  for (const status of filters.get('status')) {
    if (!STATUSES.includes(status)) {
      throw new LongshoreError(
        'invalid',
        `invalid filter 'status=${status}': invalid value for state (${status}): must be one of ${STATUSES.join(', ')}`,
      );
    }
  }
  const limit = request.integer('limit') ?? 0;
  const everything = request.flag('all') || limit > 0 || filters.has('status') || filters.has('exited') || filters.has('before') || filters.has('since');
  const all = deps.containers.list().filter((container) => container.spec.owner !== 'build').sort((a, b) => b.createdMs - a.createdMs);
  const images = await imagesWanted(deps, filters);
  const test = matcher(deps, filters, images);
  let found = all.filter((container) => (everything || isUp(container)) && test(container));
  if (limit > 0) found = found.slice(0, limit);
  const size = request.flag('size');
  const links = linksTo(all);
  return { body: await Promise.all(found.map((container) => summary(deps, container, { size, links: links.get(container.id) ?? [], minor: request.minor }))) };
}

function isUp(container: Container): boolean {
  return container.status === 'running' || container.status === 'paused' || container.status === 'restarting';
}

async function imagesWanted(deps: Deps, filters: Filters): Promise<ReadonlySet<string>> {
  const ids = await Promise.all(filters.get('ancestor').map(async (name) => {
    const image = await deps.images.get(name).catch(() => undefined); // an image that is not there is nobody's ancestor
    return image?.id ?? name;
  }));
  return new Set([...ids, ...filters.get('ancestor')]);
}

function matcher(deps: Deps, filters: Filters, images: ReadonlySet<string>): (container: Container) => boolean {
  const before = filters.has('before') ? deps.containers.get(filters.get('before')[0]!).createdMs : undefined;
  const since = filters.has('since') ? deps.containers.get(filters.get('since')[0]!).createdMs : undefined;
  const names = filters.get('name').map((pattern) => safePattern(pattern));
  const isTask = filters.boolean('is-task');
  return (container) => {
    const { spec } = container;
    return (
      filters.some('id', (wanted) => container.id.startsWith(wanted)) &&
      (names.length === 0 || names.some((pattern) => pattern(`/${container.name}`) || pattern(container.name))) &&
      filters.labels(spec.labels) &&
      filters.pairs('annotation', keptOf(container).HostConfig.Annotations ?? {}) &&
      filters.allows('status', container.status) &&
      filters.some('exited', (code) => container.exit?.code === Number(code) && !isUp(container)) &&
      filters.some('health', (wanted) => (container.health?.status ?? 'none') === wanted) &&
      (!filters.has('ancestor') || images.has(spec.image.id) || images.has(spec.image.name)) &&
      (before === undefined || container.createdMs < before) &&
      (since === undefined || container.createdMs > since) &&
      filters.some('volume', (wanted) => spec.mounts.some((mount) => mountNames(mount).includes(wanted))) &&
      filters.some('network', (wanted) => onNetwork(container, wanted)) &&
      filters.some('publish', (wanted) => hasPort(container, wanted, true)) &&
      filters.some('expose', (wanted) => hasPort(container, wanted, false)) &&
      (isTask !== true)
    );
  };
}

/** A name's pattern: a regular expression to clients; matched as text where it is none, and never one that can run wild. */
function safePattern(pattern: string): (name: string) => boolean {
  const literal = /^(\^?)(\/?[\w.-]*)(\$?)$/.exec(pattern);
  if (literal !== null) {
    const [, start, text = '', end] = literal;
    return (name) => (start ? (end ? name === text : name.startsWith(text)) : end ? name.endsWith(text) : name.includes(text));
  }
  if (pattern.length > 200 || /[+*}][^)]*\)[+*{]/.test(pattern)) {
    throw new LongshoreError('invalid', `invalid filter 'name=${pattern}': too complex a pattern`);
  }
  let expression: RegExp;
  try {
    expression = new RegExp(pattern);
  } catch (error) {
    throw new LongshoreError('invalid', `invalid filter 'name=${pattern}'`, { cause: error });
  }
  return (name) => expression.test(name);
}

function onNetwork(container: Container, wanted: string): boolean {
  const { network } = container.spec;
  if (network.mode !== 'networks') return network.mode === wanted;
  return (
    network.endpoints.some((endpoint) => endpoint.networkId === wanted || endpoint.networkId.startsWith(wanted)) ||
    Object.keys(keptOf(container).Endpoints).includes(wanted)
  );
}

function hasPort(container: Container, wanted: string, published: boolean): boolean {
  const parts = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(wanted);
  if (parts === null) throw new LongshoreError('invalid', `invalid port specification: "${wanted}"`);
  const [from, to, protocol] = [Number(parts[1]), Number(parts[2] ?? parts[1]), parts[3] ?? 'tcp'];
  if (published) {
    return container.endpoints.some((endpoint) =>
      endpoint.ports.some((port) => port.protocol === protocol && port.hostPort >= from && port.hostPort <= to),
    );
  }
  return Object.keys(keptOf(container).Config.ExposedPorts ?? {}).some((port) => {
    const [number, name = 'tcp'] = port.split('/');
    return name === protocol && Number(number) >= from && Number(number) <= to;
  });
}

/** Names that containers have by links of others to them: `/other/alias`. */
function linksTo(all: readonly Container[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { name, spec } of all) {
    for (const { container, alias } of spec.links ?? []) {
      names.set(container, [...(names.get(container) ?? []), `/${name}/${alias}`].sort());
    }
  }
  return names;
}

interface Shown {
  readonly size: boolean;
  readonly links: readonly string[];
  readonly minor: number;
}

async function summary(deps: Deps, container: Container, { size, links, minor }: Shown): Promise<Record<string, unknown>> {
  const kept = keptOf(container);
  const [networks, mounts] = await Promise.all([endpointMap(deps, container, kept), mountPoints(deps, container)]);
  const annotations = kept.HostConfig.Annotations ?? {};
  const sizeRw = size ? await deps.images.snapshots.usage(container.id) : undefined;
  return {
    Id: container.id,
    Names: [`/${container.name}`, ...links],
    Image: container.spec.image.name,
    ImageID: container.spec.image.id,
    Command: commandText(container.spec.process.args),
    Created: Math.floor(container.createdMs / 1000),
    Ports: portList(container, Object.keys(kept.Config.ExposedPorts ?? {})),
    ...(sizeRw === undefined ? {} : { SizeRw: sizeRw, SizeRootFs: sizeRw + (await sizeOfImage(deps, container.spec.image.id)) }),
    Labels: container.spec.labels,
    State: container.status,
    Status: statusText(container, deps.clock.now()),
    HostConfig: {
      NetworkMode: kept.HostConfig.NetworkMode ?? 'bridge',
      ...(minor >= 46 && Object.keys(annotations).length > 0 ? { Annotations: annotations } : {}),
    },
    NetworkSettings: { Networks: networks },
    Mounts: mounts,
  };
}

function commandText(args: readonly string[]): string {
  return args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg)).join(' ');
}

function portList(container: Container, exposed: readonly string[]): unknown[] {
  const list: unknown[] = [];
  const published = new Set<string>();
  for (const endpoint of container.endpoints) {
    for (const port of endpoint.ports) {
      published.add(`${port.containerPort}/${port.protocol}`);
      list.push({ IP: port.hostIp || '0.0.0.0', PrivatePort: port.containerPort, PublicPort: port.hostPort, Type: port.protocol });
      if (!port.hostIp) list.push({ IP: '::', PrivatePort: port.containerPort, PublicPort: port.hostPort, Type: port.protocol });
    }
  }
  if (isUp(container)) {
    for (const port of exposed) {
      const [number, protocol = 'tcp'] = port.split('/');
      if (!published.has(`${number}/${protocol}`)) list.push({ PrivatePort: Number(number), Type: protocol });
    }
  }
  return list;
}
