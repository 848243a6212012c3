import { LongshoreError } from '../../lib/errors.ts';
import type { Context } from './context.ts';
import type { NetworkAttachment, NetworkSpec } from './containers.ts';
import type { Entry } from './entry.ts';
import { aliasesOf } from './start.ts';

/** Connects a container to one more network: at once when it runs, and at each start from now on. @throws `forbidden` (it is there already), `invalid` */
export async function joinNetwork(context: Context, entry: Entry, attachment: NetworkAttachment): Promise<void> {
  const network = ownNetwork(entry);
  if (network.endpoints.some((endpoint) => endpoint.networkId === attachment.networkId)) {
    const { name } = await context.networks.get(attachment.networkId);
    throw new LongshoreError('forbidden', `endpoint with name ${entry.name} already exists in network ${name}`, { object: `container ${entry.name}` });
  }
  const { run } = entry;
  if (run?.netns !== undefined) {
    const used = new Set(entry.state.endpoints.map((endpoint) => endpoint.linkName));
    let index = 0;
    while (used.has(`eth${index}`)) index++;
    const endpoint = await context.networks.connect(attachment.networkId, {
      containerId: entry.id,
      netns: run.netns,
      linkName: `eth${index}`,
      aliases: aliasesOf(entry, attachment.aliases),
      ...(attachment.address === undefined ? {} : { address: attachment.address }),
      ...(attachment.mac === undefined ? {} : { mac: attachment.mac }),
    });
    entry.change({ endpoints: [...entry.state.endpoints, endpoint] });
    await entry.save();
  }
  entry.setDescription({ spec: { ...entry.spec, network: { ...network, endpoints: [...network.endpoints, attachment] } } });
  await entry.saveDescription();
}

/** Takes a container out of a network. @throws `not-found` when it isn't in it */
export async function leaveNetwork(context: Context, entry: Entry, networkId: string): Promise<void> {
  const network = ownNetwork(entry);
  if (!network.endpoints.some((endpoint) => endpoint.networkId === networkId)) {
    const { name } = await context.networks.get(networkId);
    throw new LongshoreError('not-found', `container ${entry.id} is not connected to network ${name}`, { object: `container ${entry.name}` });
  }
  await context.networks.disconnect(networkId, entry.id);
  entry.change({ endpoints: entry.state.endpoints.filter((endpoint) => endpoint.networkId !== networkId) });
  await entry.save();
  entry.setDescription({
    spec: { ...entry.spec, network: { ...network, endpoints: network.endpoints.filter((endpoint) => endpoint.networkId !== networkId) } },
  });
  await entry.saveDescription();
}

/** Has a running container found by the names that it has now. */
export async function renameInNetworks(context: Context, entry: Entry): Promise<void> {
  const { network } = entry.spec;
  const wanted = network.mode === 'networks' ? network.endpoints : [];
  const endpoints = await Promise.all(entry.state.endpoints.map(async (endpoint) => {
    const aliases = aliasesOf(entry, wanted.find((each) => each.networkId === endpoint.networkId)?.aliases);
    await context.networks.rename(endpoint.networkId, entry.id, aliases);
    return { ...endpoint, aliases };
  }));
  if (endpoints.length === 0) return;
  entry.change({ endpoints });
  await entry.save();
}

function ownNetwork(entry: Entry): Extract<NetworkSpec, { mode: 'networks' }> {
  const { network } = entry.spec;
  if (network.mode === 'networks') return network;
  // `none` has a namespace of its own, and can be given networks later.
  if (network.mode === 'none') return { mode: 'networks', endpoints: [], ports: [] };
  const what = network.mode === 'host' ? 'the host network' : 'the network of somebody else';
  throw new LongshoreError('invalid', `container ${entry.name} uses ${what} and can't be connected to or disconnected from networks`, {
    object: `container ${entry.name}`,
  });
}
