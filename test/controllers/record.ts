// Writes recorded.json anew, from a real cluster: an empty kube-apiserver with its kube-controller-manager, and no nodes.
// usage: node test/controllers/record.ts KUBECONFIG
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HttpTransport } from '../../src/client/http-transport.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Scenario } from './scenario.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('name the kubeconfig of the cluster to record from');
const transport = new HttpTransport({ config: await loadKubeconfig(path), clock: systemClock });
const findings = await new Scenario(transport).run();
transport.close();
await writeFile(join(import.meta.dirname, 'recorded.json'), JSON.stringify(findings, null, 1) + '\n');
