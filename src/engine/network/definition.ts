import { LongshoreError } from '../../lib/errors.ts';
import type { NetworkOptions } from './network.ts';
import type { NetworkDefinition } from './state.ts';
import { chooseSubnet, contains, formatIPv4, formatSubnet, overlaps, parseIPv4, parseSubnet, sizeOf } from './subnets.ts';
import type { Subnet, SubnetPool } from './subnets.ts';

export const PREDEFINED = ['bridge', 'host', 'none'] as const;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LINK_NAME = /^[^\s/:]{1,15}$/;
const UNBUILT = ['overlay', 'macvlan', 'ipvlan'];

/** @throws `invalid`, `forbidden` (predefined), `not-implemented` (the driver), `not-found` (a plugin) */
export function checkOptions(options: NetworkOptions): void {
  const { name, driver = 'bridge' } = options;
  if (!NAME.test(name) || name.length > 255) {
    throw new LongshoreError('invalid', `invalid network name ${JSON.stringify(name)}: only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed`, {
      object: `network ${name}`,
    });
  }
  if ((PREDEFINED as readonly string[]).includes(name) || name === 'default') {
    throw new LongshoreError('forbidden', `operation is not permitted on predefined ${name} network`, {
      object: `network ${name}`,
      remedy: 'Choose another name.',
    });
  }
  if (driver === 'host' || driver === 'none' || driver === 'null') {
    throw new LongshoreError('forbidden', `only one instance of "${driver}" network is allowed`, { object: `network ${name}` });
  }
  if (UNBUILT.includes(driver)) {
    throw new LongshoreError('not-implemented', `networks of driver ${driver} are not implemented`, {
      object: `network ${name}`,
      remedy: 'Use the driver bridge.',
    });
  }
  if (driver !== 'bridge') {
    throw new LongshoreError('not-found', `could not find plugin ${driver} in v1 plugin registry: plugin not found`, {
      object: `network ${name}`,
      remedy: 'Use the driver bridge.',
    });
  }
  const bridge = options.options?.['com.docker.network.bridge.name'];
  if (bridge !== undefined && !LINK_NAME.test(bridge)) {
    throw new LongshoreError(
      'invalid',
      `${JSON.stringify(bridge)} can't be the name of a bridge: 1 to 15 characters without space, slash or colon`,
      { object: `network ${name}` },
    );
  }
  const mtu = options.options?.['com.docker.network.driver.mtu'];
  if (mtu !== undefined && !(/^\d{1,5}$/.test(mtu) && Number(mtu) >= 68 && Number(mtu) <= 65_535)) {
    throw new LongshoreError('invalid', `invalid MTU ${JSON.stringify(mtu)}: 68 to 65535`, { object: `network ${name}` });
  }
}

export interface AddressPlan {
  readonly subnet: string;
  readonly gateway: string;
  readonly ipRange: string | undefined;
  readonly auto: boolean;
}

/** Subnet, gateway and range of a network. @throws `invalid`, `forbidden` (overlap, as Docker answers), `exhausted` */
export function planAddresses(
  options: Pick<NetworkOptions, 'name' | 'subnet' | 'gateway' | 'ipRange'>,
  pools: readonly SubnetPool[],
  ours: readonly Subnet[],
  others: readonly Subnet[],
): AddressPlan {
  const object = `network ${options.name}`;
  const auto = options.subnet === undefined || options.subnet === '';
  let subnet: Subnet;
  if (auto) {
    if (options.gateway || options.ipRange) {
      throw new LongshoreError('invalid', 'every ip-range or gateway must have a corresponding subnet', { object });
    }
    subnet = chooseSubnet(pools, [...ours, ...others]);
  } else {
    subnet = parseSubnet(options.subnet);
    if (formatSubnet(subnet) !== options.subnet) {
      throw new LongshoreError('invalid', `invalid subnet ${options.subnet}: it should be ${formatSubnet(subnet)}`, { object });
    }
    if (subnet.prefixLength > 30) {
      throw new LongshoreError('invalid', `invalid subnet ${options.subnet}: it has no room for a gateway and a container`, { object });
    }
    if (ours.some((other) => overlaps(subnet, other))) {
      throw new LongshoreError('forbidden', 'invalid pool request: Pool overlaps with other one on this address space', {
        object,
        remedy: 'Choose another subnet; docker network inspect shows those in use.',
      });
    }
    const route = others.find((other) => overlaps(subnet, other));
    if (route) {
      throw new LongshoreError(
        'forbidden',
        `invalid pool request: ${options.subnet} overlaps with ${formatSubnet(route)}, to which this machine has a route`,
        { object, remedy: 'Choose another subnet.' },
      );
    }
  }
  const gateway = options.gateway ? parseIPv4(options.gateway) : subnet.base + 1;
  if (!contains(subnet, gateway)) {
    throw new LongshoreError(
      'invalid',
      `invalid network config:\ninvalid gateway ${formatIPv4(gateway)}: parent subnet ${formatSubnet(subnet)} doesn't contain this address`,
      { object },
    );
  }
  if (gateway === subnet.base || gateway === subnet.base + sizeOf(subnet) - 1) {
    throw new LongshoreError('invalid', `invalid gateway ${formatIPv4(gateway)}: not a host address of ${formatSubnet(subnet)}`, {
      object,
    });
  }
  const range = options.ipRange ? parseSubnet(options.ipRange) : undefined;
  if (range && !(contains(subnet, range.base) && range.prefixLength >= subnet.prefixLength)) {
    throw new LongshoreError('invalid', `invalid ip-range ${options.ipRange}: not within ${formatSubnet(subnet)}`, { object });
  }
  return { subnet: formatSubnet(subnet), gateway: formatIPv4(gateway), ipRange: range && formatSubnet(range), auto };
}

/** The definition of a bridge network. */
export function bridgeDefinition(options: NetworkOptions, plan: AddressPlan, id: string, createdMs: number, bridgeName: string): NetworkDefinition {
  return {
    id,
    name: options.name,
    driver: 'bridge',
    createdMs,
    bridgeName: options.options?.['com.docker.network.bridge.name'] ?? bridgeName,
    subnet: plan.subnet,
    gateway: plan.gateway,
    ...(plan.ipRange === undefined ? {} : { ipRange: plan.ipRange }),
    internal: options.internal ?? false,
    labels: options.labels ?? {},
    options: options.options ?? {},
  };
}
