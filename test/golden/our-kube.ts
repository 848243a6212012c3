import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InformerFactory } from '../../src/client/informer-factory.ts';
import { applyPatch, trackUpdate } from '../../src/control-plane/api/apply/apply.ts';
import { openRegistry } from '../../src/control-plane/api/registry/open.ts';
import { kubernetesRules } from '../../src/control-plane/api/rules/rules.ts';
import { openApiServer, type ApiServer } from '../../src/control-plane/api/server.ts';
import { startControllers } from '../../src/control-plane/controllers/index.ts';
import { startScheduler } from '../../src/control-plane/scheduler/start.ts';
import { openMemoryStore } from '../../src/control-plane/store/memory-store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { RESOURCES } from '../../src/types/kubernetes/generated/resources.ts';
import { exchange, tlsEndpoint } from '../../tools/record/exchange.ts';
import type { KubeCompany } from '../../tools/record/kube-peer.ts';
import { kubePlayer, preparations, SERVICE_CIDR, USERS } from '../../tools/record/kube-player.ts';
import type { Player } from '../../tools/record/play.ts';
import type { Scenario } from '../../tools/record/scenario.ts';

export interface OurKube extends AsyncDisposable {
  readonly player: Player;
  /** Makes what a scenario finds there when it begins. */
  prepare(scenario: Scenario): Promise<void>;
}

const AUTHENTICATED = 'system:authenticated';
const SERVICE_ACCOUNTS = ['system:serviceaccounts', 'system:serviceaccounts:kube-system', AUTHENTICATED];

/** Our API server in this process, over the store in memory, on loopback, with our controllers, our scheduler or neither. */
export async function openOurKube(company: KubeCompany | undefined): Promise<OurKube> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-golden-'));
  const store = await openMemoryStore();
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const server = await openApiServer({
    openRegistry: ({ admission, ...hooks }) =>
      openRegistry({ store, rules: kubernetesRules, admission, applyPatch, trackUpdate, serviceCidr: SERVICE_CIDR, ...parts, ...hooks }),
    resources: RESOURCES,
    address: '127.0.0.1',
    port: 0,
    pkiFolder: join(folder, 'pki'),
    serviceCidr: SERVICE_CIDR,
    advertiseAddress: '192.0.2.10',
    staticTokens: USERS,
    ...parts,
  });
  const controllers =
    company !== 'controllers'
      ? undefined
      : startControllers({
          transportFor: (name) =>
            server.inProcess(
              name === 'kube-controller-manager'
                ? { name: `system:${name}`, groups: [AUTHENTICATED] }
                : { name: `system:serviceaccount:kube-system:${name}`, groups: SERVICE_ACCOUNTS },
            ),
          ...parts,
          options: { rootCa: server.authority.certificate, clusterCidr: '10.244.0.0/16' },
        });
  await controllers?.ready;
  const scheduler = company === 'scheduler' ? schedule(server) : undefined;
  const endpoint = tlsEndpoint('127.0.0.1', server.port, server.authority.certificate);
  return {
    player: kubePlayer(endpoint, async () => await store.compact(store.revision)),
    async prepare(scenario) {
      const namespaces = (scenario.settings.get('namespace') ?? '').split(' ').filter((name) => name !== '');
      for (const { target, body } of preparations(namespaces, company === 'controllers')) {
        const answer = await exchange(endpoint, {
          method: 'POST',
          target,
          headers: { Authorization: 'Bearer admin', 'Content-Type': 'application/json' },
          body: Buffer.from(JSON.stringify(body)),
          timeoutMs: 5000,
        });
        if (answer.status !== 201) throw new Error(`${scenario.name}: POST ${target} answered ${answer.status}: ${answer.body.toString()}`);
      }
    },
    async [Symbol.asyncDispose]() {
      endpoint[Symbol.dispose]();
      scheduler?.close();
      await controllers?.stop();
      await server.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function schedule(server: ApiServer): { close(): void } {
  const transport = server.inProcess({ name: 'system:kube-scheduler', groups: [AUTHENTICATED] });
  const informers = new InformerFactory({ transport, clock: systemClock, random: systemRandom, logger: silentLogger });
  const scheduler = startScheduler({ transport, informers, clock: systemClock, logger: silentLogger });
  informers.start();
  return {
    close() {
      scheduler.close();
      informers.stop();
    },
  };
}
