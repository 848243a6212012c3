import { messageOf } from '../../lib/errors.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { hasOwnMounts, releaseOwnMounts } from './mounts.ts';
import { releaseRoot } from './root.ts';

/** Takes down what a run held: the runtime's state and cgroups, endpoints and namespace, the root's mount. Safe to call twice, and after half a start. */
export async function tidy(context: Context, entry: Entry, runtime: RuntimeContainer | undefined): Promise<void> {
  const failed = (what: string) => (error: unknown) =>
    context.logger.warn(`${what} of a container that ended was left behind`, { container: entry.short, error: messageOf(error) });
  await Promise.all([
    runtime?.remove().catch(failed('runtime state')),
    releaseNetwork(context, entry).catch(failed('network')),
    releaseRoot(entry).catch(failed('root mount')),
    hasOwnMounts(entry.spec) ? releaseOwnMounts(context, entry.folder).catch(failed('shared memory or part of a volume')) : undefined,
  ]);
}

async function releaseNetwork(context: Context, entry: Entry): Promise<void> {
  const { network } = entry.spec;
  if (network.mode === 'host' || network.mode === 'namespace') return;
  const networks = new Set([
    ...(network.mode === 'networks' ? network.endpoints.map((endpoint) => endpoint.networkId) : []),
    ...entry.state.endpoints.map((endpoint) => endpoint.networkId),
  ]);
  for (const networkId of networks) await context.networks.disconnect(networkId, entry.id);
  await context.networks.removeNamespace(entry.id);
}
