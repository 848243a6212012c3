// A control plane in a process of its own, for the test that kills it: `node api-daemon.ts FOLDER PORT`. Writes a line when it serves.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openControlPlane } from '../../src/app/control-plane.ts';
import { createPhaseTimer } from '../../src/app/phases.ts';
import { openLogStore } from '../../src/control-plane/store/log/open-log-store.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';

const [folder = '', port = ''] = process.argv.slice(2);
const logger = createLogger((line) => void process.stderr.write(line), Date.now, 'warn');
const pkiFolder = join(folder, 'pki');
await mkdir(pkiFolder, { recursive: true });
const store = await openLogStore({ path: join(folder, 'state'), clock, logger });
const { api } = await openControlPlane({
  store, pkiFolder, address: '127.0.0.1', clock, random, logger, phases: createPhaseTimer(clock, () => {}),
  config: { apiPort: Number(port), clusterCidr: '10.251.0.0/16', serviceCidr: '10.252.0.0/16', nodeAddress: '10.253.0.1', innerAddress: '10.253.0.1' },
});
await writeFile(join(folder, 'kubeconfig'), api.adminKubeconfig(), { mode: 0o600 });
process.stdout.write('serving\n');
