import { LongshoreError } from '../../../lib/errors.ts';
import type { Network, NetworkOptions } from '../../network/network.ts';
import { attachmentOf } from '../containers/attachment.ts';
import type { EndpointSettings } from '../containers/config.ts';
import { timeOf } from '../containers/inspect.ts';
import { untilMs } from '../containers/lifecycle.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { NETWORK_CREATE, NETWORK_JOIN } from '../shapes.ts';

/** Label of a network of ours: what it is for. */
const PURPOSE = 'longshore.io/purpose';
const PREDEFINED = ['bridge', 'host', 'none'];

interface CreateBody {
  Name?: string;
  Driver?: string;
  Internal?: boolean;
  Attachable?: boolean;
  Ingress?: boolean;
  ConfigOnly?: boolean;
  Scope?: string;
  EnableIPv6?: boolean | null;
  EnableIPv4?: boolean | null;
  IPAM?: {
    Driver?: string;
    Options?: Record<string, string> | null;
    Config?: { Subnet?: string; Gateway?: string; IPRange?: string; AuxiliaryAddresses?: Record<string, string> }[] | null;
  } | null;
  Options?: Record<string, string> | null;
  Labels?: Record<string, string> | null;
}

/** `GET /networks`. */
export async function listNetworks(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type']);
  const dangling = filters.boolean('dangling');
  const networks = (await deps.networks.list()).filter((network) =>
    filters.allows('driver', driverOf(network)) &&
    filters.some('id', (wanted) => network.id.startsWith(wanted)) &&
    filters.some('name', (wanted) => network.name.includes(wanted)) &&
    filters.labels(network.labels ?? {}) &&
    filters.allows('scope', 'local') &&
    filters.some('type', (wanted) => (wanted === 'builtin') === PREDEFINED.includes(network.name)) &&
    (dangling === undefined || (network.endpoints.length === 0 && !PREDEFINED.includes(network.name) && !isOurs(network)) === dangling));
  return { body: networks.map((network) => networkJson(deps, network, false)) };
}

/** Made by the engine's own house, as the pods' network: not a user's to remove, nor in the way of a clean-up. */
function isOurs(network: Network): boolean {
  return network.labels?.[PURPOSE] !== undefined;
}

function driverOf(network: Network): string {
  return network.driver === 'none' ? 'null' : network.driver;
}

function networkJson(deps: Deps, network: Network, verbose: boolean): Record<string, unknown> {
  const containers: Record<string, unknown> = {};
  if (verbose) {
    for (const endpoint of network.endpoints) {
      const found = deps.containers.list().find((container) => container.id === endpoint.containerId);
      containers[endpoint.containerId] = {
        Name: found?.name ?? '',
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: `${endpoint.address}/${endpoint.prefixLength}`,
        IPv6Address: '',
      };
    }
  }
  return {
    Name: network.name,
    Id: network.id,
    Created: timeOf(network.createdMs),
    Scope: 'local',
    Driver: driverOf(network),
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config:
        network.subnet === undefined
          ? null
          : [
              {
                Subnet: network.subnet,
                ...(network.ipRange === undefined ? {} : { IPRange: network.ipRange }),
                ...(network.gateway === undefined ? {} : { Gateway: network.gateway }),
              },
            ],
    },
    Internal: network.internal ?? false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    ...(verbose ? { Containers: containers } : {}),
    Options: network.options ?? {},
    Labels: network.labels ?? {},
  };
}

/** `GET /networks/{id}`. */
export async function inspectNetwork(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  let network = await deps.networks.get(request.params['id']!);
  // The endpoints of containers that have just ended may still be on their way out; who sees them leaves the network alone, as compose does.
  const alive = new Set(deps.containers.list().flatMap(({ id, status }) => (status === 'exited' ? [] : [id])));
  if (!isOurs(network) && network.endpoints.some(({ containerId }) => !alive.has(containerId))) {
    await deps.containers.settled();
    network = await deps.networks.get(network.id);
  }
  return { body: networkJson(deps, network, true) };
}

/** `POST /networks/create`. */
export async function createNetwork(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = (await request.json<CreateBody>(NETWORK_CREATE)) ?? {};
  const refuse: readonly (readonly [boolean, string])[] = [
    [body.Ingress === true || body.Scope === 'swarm', 'swarm networks'],
    [body.ConfigOnly === true, 'config-only networks'],
    [body.EnableIPv6 === true, 'IPv6'],
    [!!body.IPAM?.Driver && body.IPAM.Driver !== 'default', `IPAM driver ${body.IPAM?.Driver ?? ''}`],
    [(body.IPAM?.Config?.length ?? 0) > 1, 'more than one subnet'],
  ];
  for (const [asked, what] of refuse) {
    if (asked) {
      throw new LongshoreError('not-implemented', `${what}: not built`, { object: `network ${body.Name ?? ''}` });
    }
  }
  const driver = body.Driver || 'bridge';
  if (driver !== 'bridge') {
    throw PREDEFINED.includes(driver) || driver === 'null'
      ? new LongshoreError('forbidden', `only one instance of "${driver}" network is allowed`)
      : new LongshoreError('not-found', `plugin "${driver}" not found`, {
          object: `network ${body.Name ?? ''}`,
          remedy: 'Use the driver bridge.',
        });
  }
  const name = body.Name ?? '';
  if (name === '') throw new LongshoreError('invalid', 'invalid name: name is empty');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new LongshoreError('invalid', `invalid network name: "${name}"`, { remedy: 'Use letters, digits, and - _ . in between.' });
  }
  if (PREDEFINED.includes(name)) {
    throw new LongshoreError('forbidden', `operation is not permitted on predefined ${name} network `, { object: `network ${name}` });
  }
  const ipam = body.IPAM?.Config?.[0];
  const options: NetworkOptions = {
    name, driver: 'bridge',
    ...(ipam?.Subnet ? { subnet: ipam.Subnet } : {}), ...(ipam?.Gateway ? { gateway: ipam.Gateway } : {}), ...(ipam?.IPRange ? { ipRange: ipam.IPRange } : {}),
    internal: body.Internal ?? false, labels: body.Labels ?? {}, options: body.Options ?? {},
  };
  const network = await deps.networks.create(options);
  deps.events.emit('network', 'create', network.id, { name: network.name, type: driver });
  return { status: 201, body: { Id: network.id, Warning: '' } };
}

/** `DELETE /networks/{id}`. */
export async function deleteNetwork(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const network = await deps.networks.get(request.params['id']!);
  if (PREDEFINED.includes(network.name)) {
    throw new LongshoreError('forbidden', `${network.name} is a pre-defined network and cannot be removed`, {
      object: `network ${network.name}`,
    });
  }
  if (isOurs(network)) {
    throw new LongshoreError(
      'forbidden',
      `network ${network.name} is the cluster's (${network.labels?.[PURPOSE] ?? ''}) and cannot be removed`,
      { object: `network ${network.name}`, remedy: 'It goes with its instance: longshore uninstall.' },
    );
  }
  // The endpoints of containers that have just ended may still be on their way out.
  await deps.containers.settled();
  const { endpoints } = await deps.networks.get(network.id);
  if (endpoints.length > 0) {
    const users = endpoints.map(
      (endpoint) =>
        `name:"${deps.containers.list().find((each) => each.id === endpoint.containerId)?.name ?? ''}" id:"${endpoint.id.slice(0, 12)}"`,
    );
    throw new LongshoreError(
      'forbidden',
      `error while removing network: network ${network.name} has active endpoints (${users.join(', ')})`,
      { object: `network ${network.name}`, remedy: 'Disconnect or remove its containers first.' },
    );
  }
  await deps.networks.remove(network.id);
  deps.events.emit('network', 'destroy', network.id, { name: network.name, type: driverOf(network) });
  return { status: 204 };
}

/** `POST /networks/{id}/connect`. */
export async function connectNetwork(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = (await request.json<{ Container?: string; EndpointConfig?: EndpointSettings | null }>(NETWORK_JOIN)) ?? {};
  const network = await deps.networks.get(request.params['id']!);
  if (network.driver === 'host') {
    throw new LongshoreError('forbidden', 'container cannot be disconnected from host network or connected to host network', {
      object: `network ${network.name}`,
    });
  }
  const container = deps.containers.get(body.Container ?? '');
  await deps.containers.connectNetwork(container.id, attachmentOf(network, body.EndpointConfig ?? {}));
  deps.events.emit('network', 'connect', network.id, { container: container.id, name: network.name, type: driverOf(network) });
  return {};
}

/** `POST /networks/{id}/disconnect`. */
export async function disconnectNetwork(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = (await request.json<{ Container?: string; Force?: boolean }>(NETWORK_JOIN)) ?? {};
  const network = await deps.networks.get(request.params['id']!);
  const container = deps.containers.get(body.Container ?? '');
  const { network: joined } = container.spec;
  if (joined.mode === 'networks' && !joined.endpoints.some((endpoint) => endpoint.networkId === network.id)) {
    throw new LongshoreError('internal', `container ${container.id} is not connected to network ${network.name}`, {
      object: `container ${container.name}`,
    });
  }
  await deps.containers.disconnectNetwork(container.id, network.id);
  deps.events.emit('network', 'disconnect', network.id, { container: container.id, name: network.name, type: driverOf(network) });
  return {};
}

/** `POST /networks/prune`: user-defined ones that no container, running or not, uses. */
export async function pruneNetworks(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(['label', 'label!', 'until']);
  const until = filters.has('until') ? untilMs(filters.get('until')[0]!, deps.clock.now()) : undefined;
  await deps.containers.settled();
  const used = new Set(
    deps.containers
      .list()
      .flatMap((container) =>
        container.spec.network.mode === 'networks' ? container.spec.network.endpoints.map((endpoint) => endpoint.networkId) : [],
      ),
  );
  const deleted: string[] = [];
  for (const network of await deps.networks.list()) {
    if (
      PREDEFINED.includes(network.name) ||
      isOurs(network) ||
      used.has(network.id) ||
      network.endpoints.length > 0 ||
      !filters.labels(network.labels ?? {})
    ) {
      continue;
    }
    if (until !== undefined && network.createdMs > until) continue;
    await deps.networks.remove(network.id);
    deps.events.emit('network', 'destroy', network.id, { name: network.name, type: driverOf(network) });
    deleted.push(network.name);
  }
  return { body: { NetworksDeleted: deleted.length === 0 ? null : deleted } };
}
