import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchange, tlsEndpoint } from '../../tools/record/exchange.ts';
import { eventually, freePorts, Processes } from '../../tools/record/processes.ts';
import { command } from './command.ts';
import { processesNaming } from './memory.ts';

export interface KubePeer extends AsyncDisposable {
  readonly url: string;
  readonly kubeconfig: string;
  /** From the start of etcd until the API server is ready and its controllers have made the first service account, in seconds. */
  readonly startSeconds: number;
  pids(): Promise<number[]>;
}

// Its clients' own limits on requests are lifted: with the default ones it binds 20 pods/s, and waits.
const quiet = [
  '--kube-api-qps',
  '5000',
  '--kube-api-burst',
  '5000',
  '--leader-elect=false',
  '--bind-address',
  '127.0.0.1',
  '--secure-port',
  '0',
  '--kubeconfig',
];

/**
 * The real etcd (with its syncs), kube-apiserver, controller manager and scheduler on loopback, without limits on the
 * requests of the latter two, default flags otherwise.
 */
export async function startKubePeer(programs: string): Promise<KubePeer> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-bench-kube-'));
  const processes = new Processes(folder);
  const path = (name: string): string => join(folder, name);
  try {
    const [clientPort, peerPort, port] = await freePorts(3);
    await command('openssl', ['genrsa', '-out', path('sa.key'), '2048']);
    await command('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      '-keyout',
      path('serving.key'),
      '-out',
      path('serving.crt'),
    ]);
    await writeFile(path('tokens.csv'), 'admin,admin,admin-uid,system:masters\n');
    const url = `https://127.0.0.1:${port}`;
    await writeFile(
      path('kubeconfig'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'bench',
        contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'admin' } }],
        clusters: [{ name: 'bench', cluster: { server: url, 'certificate-authority': path('serving.crt') } }],
        users: [{ name: 'admin', user: { token: 'admin' } }],
      }),
    );
    const client = `http://127.0.0.1:${clientPort}`;
    const peering = `http://127.0.0.1:${peerPort}`;
    const began = performance.now();
    await processes.start('etcd', join(programs, 'etcd'), [
      '--data-dir',
      path('etcd'),
      '--listen-client-urls',
      client,
      '--advertise-client-urls',
      client,
      '--listen-peer-urls',
      peering,
      '--initial-advertise-peer-urls',
      peering,
      '--initial-cluster',
      `default=${peering}`,
    ]);
    await processes.start('kube-apiserver', join(programs, 'kube-apiserver'), [
      '--etcd-servers',
      client,
      '--secure-port',
      String(port),
      '--bind-address',
      '127.0.0.1',
      '--tls-cert-file',
      path('serving.crt'),
      '--tls-private-key-file',
      path('serving.key'),
      '--service-account-key-file',
      path('sa.key'),
      '--service-account-signing-key-file',
      path('sa.key'),
      '--service-account-issuer',
      'https://kubernetes.default.svc',
      '--authorization-mode',
      'Node,RBAC',
      '--token-auth-file',
      path('tokens.csv'),
      '--service-cluster-ip-range',
      '10.96.0.0/16',
    ]);
    using endpoint = tlsEndpoint('127.0.0.1', port!, await readFile(path('serving.crt'), 'utf8'));
    const ask = async (target: string) =>
      await exchange(endpoint, { method: 'GET', target, headers: { Authorization: 'Bearer admin' }, body: undefined, timeoutMs: 5000 });
    await eventually(processes, 'kube-apiserver', async () => (await ask('/readyz')).status === 200);
    await processes.start('kube-controller-manager', join(programs, 'kube-controller-manager'), [
      '--service-account-private-key-file',
      path('sa.key'),
      '--root-ca-file',
      path('serving.crt'),
      ...quiet,
      path('kubeconfig'),
    ]);
    await processes.start('kube-scheduler', join(programs, 'kube-scheduler'), [...quiet, path('kubeconfig')]);
    await eventually(processes, 'kube-controller-manager', async () => (await ask('/api/v1/namespaces/default/serviceaccounts/default')).status === 200);
    return {
      url, kubeconfig: path('kubeconfig'), startSeconds: (performance.now() - began) / 1000,
      pids: () => processesNaming(folder),
      async [Symbol.asyncDispose]() {
        await processes[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
}
