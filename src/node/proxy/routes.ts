import type { InformerFactory } from '../../client/informer-factory.ts';
import { nodes } from '../../client/resources.ts';
import type { Links, Sysctl } from '../../host/host.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Undo } from '../../lib/undo.ts';
import type { Node } from '../../types/kubernetes/generated/core-v1.ts';

export interface RoutesOptions {
  readonly informers: InformerFactory;
  readonly links: Pick<Links, 'addRoute' | 'routes'>;
  readonly sysctl: Pick<Sysctl, 'set'>;
  readonly logger: Logger;
  readonly nodeName: string;
}

interface Route { readonly via: string; readonly undo: Undo }

/**
 * Keeps a route to every other node's pods by that node's address: for nodes on one link. One change is made after another, in the order in which they came.
 */
export function startRoutes({ informers, links, sysctl, logger, nodeName }: RoutesOptions): { close(options: { readonly remove: boolean }): Promise<void> } {
  const routes = new Map<string, Route>();
  const opened = new Map<string, Undo>();
  let work = Promise.resolve();

  /**
   * A NodePort at 127.0.0.1 may lead to a pod over there, and such a packet gets its route while it still comes from a loopback
   * address. What comes in by the link for a loopback address is dropped by the proxy's table.
   */
  const letLoopbackOut = async (cidr: string): Promise<void> => {
    const link = (await links.routes()).find(({ destination }) => destination === cidr)?.link;
    if (link !== undefined && !opened.has(link)) opened.set(link, await sysctl.set(`net/ipv4/conf/${link}/route_localnet`, '1'));
  };

  const set = (node: Node, present: boolean): void => {
    const cidr = node.spec?.podCIDR;
    const via = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    if (node.metadata?.name === nodeName || !cidr || (present && !via)) return;
    work = work.then(async () => {
      const known = routes.get(cidr);
      if (present && known?.via === via) return;
      try {
        routes.delete(cidr);
        await known?.undo();
        if (!present) return;
        routes.set(cidr, { via: via!, undo: await links.addRoute({ destination: cidr, via: via! }) });
        await letLoopbackOut(cidr);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENETUNREACH') {
          logger.info("a node is on no link of this machine; its pods are reached by the machine's own routes, if these know the way", {
            node: node.metadata?.name ?? '',
            podCidr: cidr,
            via: via ?? '',
          });
          return;
        }
        logger.error("could not set the route to a node's pods", { node: node.metadata?.name ?? '', podCidr: cidr, via: via ?? '', error: messageOf(error) });
      }
    });
  };
  const stop = informers.for<Node>(nodes).on({ add: (node) => set(node, true), update: (_, node) => set(node, true), delete: (node) => set(node, false) });
  return {
    async close({ remove }) {
      stop();
      await work;
      if (!remove) return;
      for (const undo of [...opened.values(), ...[...routes.values()].map((route) => route.undo)]) await undo();
      opened.clear();
      routes.clear();
    },
  };
}
