import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InformerFactory } from '../../client/informer-factory.ts';
import type { Route } from '../../host/host.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Node } from '../../types/kubernetes/generated/core-v1.ts';
import { startRoutes } from './routes.ts';

interface Handlers {
  add(node: Node): void;
  delete(node: Node): void;
}

/** A machine with one link, eth0, on which all other nodes are. */
function machine(): {
  readonly options: Parameters<typeof startRoutes>[0];
  readonly nodes: () => Handlers;
  readonly routes: Route[];
  readonly parameters: Map<string, string>;
} {
  const routes: Route[] = [];
  const parameters = new Map([['net/ipv4/conf/eth0/route_localnet', '0']]);
  let handlers: Handlers | undefined;
  const informers = {
    for: () => ({
      on(given: Handlers) {
        handlers = given;
        return () => {};
      },
    }),
  };
  return {
    options: {
      informers: informers as unknown as InformerFactory,
      links: {
        addRoute: (route) => {
          const made = { ...route, link: 'eth0' };
          routes.push(made);
          return Promise.resolve(() => {
            routes.splice(routes.indexOf(made), 1);
            return Promise.resolve();
          });
        },
        routes: () => Promise.resolve(routes),
      },
      sysctl: {
        set: (name, value) => {
          const old = parameters.get(name)!;
          parameters.set(name, value);
          return Promise.resolve(() => Promise.resolve(void parameters.set(name, old)));
        },
      },
      logger: silentLogger,
      nodeName: 'here',
    },
    nodes: () => handlers!,
    routes,
    parameters,
  };
}

const node = (name: string, podCIDR: string, address: string): Node => ({
  metadata: { name },
  spec: { podCIDR },
  status: { addresses: [{ type: 'InternalIP', address }] },
});

test('each other node has a route, and its link lets loopback addresses out until all is taken away', async () => {
  const { options, nodes, routes, parameters } = machine();
  const running = startRoutes(options);
  nodes().add(node('here', '10.42.0.0/24', '192.0.2.1'));
  nodes().add(node('b', '10.42.1.0/24', '192.0.2.2'));
  nodes().add(node('c', '10.42.2.0/24', '192.0.2.3'));
  nodes().delete(node('b', '10.42.1.0/24', '192.0.2.2'));
  await running.close({ remove: false });
  assert.deepEqual(
    routes.map(({ destination, via }) => [destination, via]),
    [['10.42.2.0/24', '192.0.2.3']],
  );
  assert.equal(parameters.get('net/ipv4/conf/eth0/route_localnet'), '1', 'the other node on the link still needs it');
  await running.close({ remove: true });
  assert.deepEqual(routes, []);
  assert.equal(parameters.get('net/ipv4/conf/eth0/route_localnet'), '0');
});
