import type { InformerFactory } from '../../client/informer-factory.ts';
import { nodes } from '../../client/resources.ts';
import type { Links } from '../../host/host.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Undo } from '../../lib/undo.ts';
import type { Node } from '../../types/kubernetes/generated/core-v1.ts';

export interface RoutesOptions {
  readonly informers: InformerFactory;
  readonly links: Pick<Links, 'addRoute'>;
  readonly logger: Logger;
  readonly nodeName: string;
}

interface Route { readonly via: string; readonly undo: Undo }

/**
 * Keeps a route to every other node's pods by that node's address: for nodes on one link. One change is made after another, in the order in which they came.
 */
export function startRoutes({ informers, links, logger, nodeName }: RoutesOptions): { close(options: { readonly remove: boolean }): Promise<void> } {
  const routes = new Map<string, Route>();
  let work = Promise.resolve();

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
        if (present) routes.set(cidr, { via: via!, undo: await links.addRoute({ destination: cidr, via: via! }) });
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENETUNREACH') {
          logger.info("a node is on no link of this machine; its pods are reached by the machine's own routes, if these know the way", { node: node.metadata?.name ?? '', podCidr: cidr, via: via ?? '' });
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
      for (const { undo } of routes.values()) await undo();
      routes.clear();
    },
  };
}
