import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiServer } from '../../src/control-plane/api/server.ts';
import { applyPatch, trackUpdate } from '../../src/control-plane/api/apply/apply.ts';
import { openRegistry } from '../../src/control-plane/api/registry/open.ts';
import { kubernetesRules } from '../../src/control-plane/api/rules/rules.ts';
import { openMemoryStore } from '../../src/control-plane/store/memory-store.ts';
import { HttpTransport } from '../../src/client/http-transport.ts';
import { parseKubeconfig } from '../../src/client/kubeconfig.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { RESOURCES } from '../../src/types/kubernetes/generated/resources.ts';
import { transportContract, type TransportUnderTest } from './transport.ts';

async function openServer() {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-transport-'));
  const store = await openMemoryStore();
  const base = { clock: systemClock, random: systemRandom, logger: silentLogger, serviceCidr: '10.96.0.0/16' };
  const api = await openApiServer({
    ...base, openRegistry: ({ admission, ...hooks }) => openRegistry({ ...base, store, rules: kubernetesRules, admission, applyPatch, trackUpdate, ...hooks }),
    resources: RESOURCES, address: '127.0.0.1', port: 0, pkiFolder: folder, advertiseAddress: '10.0.0.1',
  });
  const close = async (): Promise<void> => {
    await api.close();
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { api, close };
}

transportContract('in-process', async (): Promise<TransportUnderTest> => {
  const { api, close } = await openServer();
  return { transport: api.inProcess({ name: 'admin', groups: ['system:masters', 'system:authenticated'] }), [Symbol.asyncDispose]: close };
});

for (const protocol of ['negotiate', 'http/1.1'] as const) {
  transportContract(`HTTPS (${protocol === 'negotiate' ? 'HTTP/2' : 'HTTP/1.1'})`, async (): Promise<TransportUnderTest> => {
    const { api, close } = await openServer();
    const transport = new HttpTransport({ config: await parseKubeconfig(api.adminKubeconfig(), 'admin.kubeconfig'), clock: systemClock, protocol });
    return { transport, async [Symbol.asyncDispose]() {
      transport.close();
      await close();
    } };
  });
}
