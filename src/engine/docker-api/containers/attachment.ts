import { BlockList, isIP } from 'node:net';
import { LongshoreError } from '../../../lib/errors.ts';
import type { NetworkAttachment } from '../../containers/containers.ts';
import type { EndpointSettings } from './config.ts';

/** What of a network the settings are held against; without a subnet nothing is known of it yet. */
export interface AttachedNetwork {
  readonly id: string;
  readonly name: string;
  readonly subnet?: string;
}

/** What an endpoint's settings ask of a network. `prefix`: of what is said of wrong ones. @throws `invalid`, `not-implemented` */
export function attachmentOf(
  network: AttachedNetwork,
  settings: EndpointSettings,
  options: { readonly mac?: string; readonly prefix?: string } = {},
): NetworkAttachment {
  const object = `network ${network.name}`;
  checkAddresses(network, settings, options.prefix ?? '');
  const { IPv4Address: address, LinkLocalIPs: linkLocal } = settings.IPAMConfig ?? {};
  const isDefault = network.name === 'bridge';
  if (isDefault && (settings.Aliases?.length ?? 0) > 0 && settings.NetworkID === undefined) {
    throw new LongshoreError(
      'invalid',
      'invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks',
      { object },
    );
  }
  const linkName = settings.DriverOpts?.['com.docker.network.endpoint.ifname'];
  if (linkName !== undefined && !/^[A-Za-z0-9_][\w.-]{0,14}$/.test(linkName)) {
    throw new LongshoreError('invalid', `invalid interface name: ${linkName}`, { object, remedy: 'Use up to 15 letters and digits.' });
  }
  if (settings.DriverOpts?.['com.docker.network.endpoint.sysctls']) {
    throw new LongshoreError('not-implemented', 'sysctls of an endpoint (com.docker.network.endpoint.sysctls) are not built', {
      object,
      remedy: 'Use --sysctl.',
    });
  }
  const mac = settings.MacAddress || options.mac;
  return {
    networkId: network.id,
    aliases: settings.Aliases ?? [],
    embeddedDns: !isDefault,
    ...(address ? { address } : {}),
    ...(mac ? { mac } : {}),
    ...(linkName === undefined ? {} : { linkName }),
    ...(linkLocal?.length ? { linkLocal } : {}),
  };
}

/** The addresses that an endpoint is to have: all that is wrong with them, as Docker lists it. @throws `invalid`, `not-implemented` */
export function checkAddresses(network: Omit<AttachedNetwork, 'id'>, { IPAMConfig: wanted }: EndpointSettings, prefix: string): void {
  const { IPv4Address: address, IPv6Address: sixth, LinkLocalIPs: linkLocal } = wanted ?? {};
  const object = `network ${network.name}`;
  if (sixth) {
    throw new LongshoreError('not-implemented', `IPv6 addresses of containers (--ip6 ${sixth}) are not built`, {
      object,
      remedy: 'Leave it out.',
    });
  }
  for (const each of linkLocal ?? []) {
    if (isIP(each) !== 4 || !each.startsWith('169.254.')) {
      throw new LongshoreError(
        isIP(each) === 6 ? 'not-implemented' : 'invalid',
        `invalid link-local address ${each}: it has to be of 169.254.0.0/16`,
        { object },
      );
    }
  }
  if (!address) return;
  if (isIP(address) === 0) {
    throw new LongshoreError('invalid', `invalid JSON: ParseAddr(${JSON.stringify(address)}): unable to parse IP`, { object });
  }
  const wrong: string[] = [];
  if (['bridge', 'host', 'none'].includes(network.name)) wrong.push('user-specified IP address is supported on user-defined networks only');
  if ((network.subnet !== undefined || network.name === 'host' || network.name === 'none') && !isWithin(network.subnet, address)) {
    wrong.push(`no configured subnet contains IP address ${address}`);
  }
  if (wrong.length > 0) {
    throw new LongshoreError(
      'invalid',
      `${prefix}invalid endpoint settings:\n${wrong.length === 1 ? wrong[0]! : wrong.map((each) => `* ${each}`).join('\n')}`,
      { object, ...(network.subnet === undefined ? {} : { remedy: `Choose an address in ${network.subnet}.` }) },
    );
  }
}

function isWithin(subnet: string | undefined, address: string): boolean {
  if (subnet === undefined || isIP(address) !== 4) return false;
  const [base = '', length] = subnet.split('/');
  const list = new BlockList();
  list.addSubnet(base, Number(length));
  return list.check(address);
}
