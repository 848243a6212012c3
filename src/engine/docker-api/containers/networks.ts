import { LongshoreError, isCode } from '../../../lib/errors.ts';
import type { NetworkAttachment, NetworkSpec } from '../../containers/containers.ts';
import type { Networks, PortWish } from '../../network/network.ts';
import { attachmentOf, checkAddresses } from './attachment.ts';
import type { Config, CreateBody, EndpointSettings, HostConfig } from './config.ts';

export interface TranslatedNetwork {
  readonly spec: NetworkSpec;
  /** As `inspect` shows NetworkMode. */
  readonly mode: string;
  /** By network name. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
}

/** What a container can't have of its own that is in the network of another. */
const WITH_ANOTHERS: readonly (readonly [test: (body: CreateBody, host: HostConfig) => boolean, conflict: string])[] = [
  [(body) => !!body.Hostname, 'hostname and the network mode'],
  [(_, host) => (host.Links?.length ?? 0) > 0, "container type network can't be used with links. This would result in undefined behavior"],
  [(_, host) => (host.Dns?.length ?? 0) > 0, 'dns and the network mode'],
  [(_, host) => (host.ExtraHosts?.length ?? 0) > 0, 'custom host-to-IP mapping and the network mode'],
  [(_, host) => Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts === true, 'port publishing and the container type network mode'],
  [(body) => Object.keys(body.ExposedPorts ?? {}).length > 0, 'port exposing and the container type network mode'],
];

/** What NetworkMode, NetworkingConfig and the ports ask for. @throws `invalid` */
export async function translateNetwork(body: CreateBody, host: HostConfig, networks: Networks): Promise<TranslatedNetwork> {
  const mode = host.NetworkMode === undefined || host.NetworkMode === '' || host.NetworkMode === 'default' ? 'bridge' : host.NetworkMode;
  const given = body.NetworkingConfig?.EndpointsConfig ?? {};
  for (const [name, settings] of Object.entries(given)) {
    if (name === 'host' || name === 'none') {
      checkAddresses({ name }, settings ?? {}, `invalid config for network ${name}: `);
    }
  }
  if (body.NetworkDisabled === true || mode === 'none') return { spec: { mode: 'none' }, mode, endpoints: {} };
  if (mode === 'host') {
    return { spec: { mode: 'host' }, mode, endpoints: {} };
  }
  if (mode.startsWith('container:')) {
    const container = mode.slice('container:'.length);
    for (const [test, conflict] of WITH_ANOTHERS) {
      if (test(body, host)) {
        throw new LongshoreError('invalid', `conflicting options: ${conflict}`, { object: `container ${container}` });
      }
    }
    return { spec: { mode: 'namespace', path: '', container }, mode, endpoints: {} };
  }
  // The network of NetworkMode comes first: it has the default route and the ports.
  const wanted = new Map<string, EndpointSettings>();
  const first = Object.keys(given).find((name) => name === mode || (mode === 'bridge' && name === 'default'));
  wanted.set(mode, (first === undefined ? undefined : given[first]) ?? {});
  for (const [name, settings] of Object.entries(given)) if (name !== first) wanted.set(name, settings ?? {});
  // Unless another is to be the gateway: the sort keeps the order of equals.
  const sorted = [...wanted].sort(([, a], [, b]) => (b.GwPriority ?? 0) - (a.GwPriority ?? 0));
  const endpoints: NetworkAttachment[] = [];
  const named: Record<string, EndpointSettings> = {};
  for (const [name, settings] of sorted) {
    // One that is not there, yet: the start will tell.
    const network = await networks.get(name).catch((error: unknown) => {
      if (!isCode(error, 'not-found')) throw error;
      return { id: name, name };
    });
    if (named[network.name] !== undefined) continue; // the same one by name and by id
    named[network.name] = settings;
    endpoints.push(attachmentOf(network, settings, { prefix: `invalid config for network ${name}: `, ...(body.MacAddress ? { mac: body.MacAddress } : {}) }));
  }
  return { spec: { mode: 'networks', endpoints, ports: ports(body, host) }, mode, endpoints: named };
}

/** The ports to publish: those bound, and with PublishAllPorts all that are exposed. @throws `invalid` */
function ports(config: Config, host: HostConfig): PortWish[] {
  const list: PortWish[] = [];
  for (const [port, bindings] of Object.entries(host.PortBindings ?? {})) {
    const { containerPort, protocol } = parsePort(port);
    for (const binding of bindings ?? [{}]) {
      const range = /^(\d*)(?:-(\d+))?$/.exec(binding.HostPort ?? '');
      const hostPort = Number(range?.[1] || 0);
      const last = Number(range?.[2] ?? hostPort);
      if (range === null || last > 65_535 || last < hostPort) {
        throw new LongshoreError('invalid', `invalid port specification: "${binding.HostPort ?? ''}"`, { object: port });
      }
      list.push({
        containerPort,
        protocol,
        ...(binding.HostIp ? { hostIp: binding.HostIp } : {}),
        ...(hostPort === 0 ? {} : { hostPort }),
        ...(last > hostPort ? { lastHostPort: last } : {}),
      });
    }
  }
  if (host.PublishAllPorts === true) {
    for (const port of Object.keys(config.ExposedPorts ?? {})) {
      if (Object.hasOwn(host.PortBindings ?? {}, port)) continue;
      list.push(parsePort(port));
    }
  }
  return list;
}

/** `80/tcp`, or `80`. @throws `invalid` */
export function parsePort(text: string): { containerPort: number; protocol: 'tcp' | 'udp' } {
  const parts = /^(\d+)(?:\/(\w+))?$/.exec(text);
  const containerPort = Number(parts?.[1]);
  const protocol = parts?.[2]?.toLowerCase() ?? 'tcp';
  if (parts === null || containerPort < 1) {
    throw new LongshoreError('invalid', `invalid JSON: invalid port '${text.split('/')[0]}': invalid syntax`);
  }
  if (containerPort > 65_535) throw new LongshoreError('invalid', `invalid JSON: invalid port '${containerPort}': value out of range`);
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw new LongshoreError(protocol === 'sctp' ? 'not-implemented' : 'invalid', `ports of protocol ${protocol} can't be published`, {
      object: text,
    });
  }
  return { containerPort, protocol };
}
