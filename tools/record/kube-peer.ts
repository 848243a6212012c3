import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exchange, tlsEndpoint, type TlsEndpoint } from './exchange.ts';
import { SERVICE_CIDR, USERS } from './kube-player.ts';
import { eventually, freePorts, Processes } from './processes.ts';

const run = promisify(execFile);

/** What works on the API beside the scenario: its setting `with`. */
export type KubeCompany = 'controllers' | 'scheduler';

export interface KubePeer extends AsyncDisposable {
  readonly endpoint: TlsEndpoint;
  /** Makes etcd forget all revisions but the last. */
  compact(): Promise<void>;
  /** As in `kube-apiserver v1.36.3`. */
  readonly version: string;
}

/**
 * Starts the real etcd and kube-apiserver on loopback, with their state in a
 * temporary folder, and USERS as static tokens. Default flags otherwise.
 * @param programs the folder that holds them
 * @param flags more of kube-apiserver's
 * @param company starts the real kube-controller-manager or kube-scheduler as well
 * @throws Error that names the log of the program that did not start
 */
export async function startKubePeer(programs: string, company: KubeCompany | undefined, flags: readonly string[]): Promise<KubePeer> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-record-'));
  const processes = new Processes(folder);
  const stop = async (): Promise<void> => {
    await processes[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [etcdPort, etcdPeerPort, port] = await freePorts(3);
    await run('openssl', ['genrsa', '-out', join(folder, 'sa.key'), '2048']);
    await makeServingCertificate(folder);
    await writeFile(join(folder, 'tokens.csv'), [...USERS].map(([token, { name, uid, groups }]) => `${token},${name},${uid},"${groups.join(',')}"\n`).join(''));
    const etcd = `http://127.0.0.1:${etcdPort}`;
    const peering = `http://127.0.0.1:${etcdPeerPort}`;
    await processes.start('etcd', join(programs, 'etcd'), [
      '--data-dir',
      'etcd',
      '--unsafe-no-fsync',
      '--listen-client-urls',
      etcd,
      '--advertise-client-urls',
      etcd,
      '--listen-peer-urls',
      peering,
      '--initial-advertise-peer-urls',
      peering,
      '--initial-cluster',
      `default=${peering}`,
    ]);
    await processes.start('kube-apiserver', join(programs, 'kube-apiserver'), [
      '--etcd-servers',
      etcd,
      '--secure-port',
      String(port),
      '--bind-address',
      '127.0.0.1',
      '--advertise-address',
      '192.0.2.10',
      '--tls-cert-file',
      'serving.crt',
      '--tls-private-key-file',
      'serving.key',
      '--service-account-key-file',
      'sa.key',
      '--service-account-signing-key-file',
      'sa.key',
      '--service-account-issuer',
      'https://kubernetes.default.svc.cluster.local',
      '--authorization-mode',
      'Node,RBAC',
      '--token-auth-file',
      'tokens.csv',
      '--service-cluster-ip-range',
      SERVICE_CIDR,
      '--enable-bootstrap-token-auth',
      ...flags,
    ]);
    const endpoint = tlsEndpoint('127.0.0.1', port!, await readFile(join(folder, 'serving.crt'), 'utf8'));
    const ask = async (target: string) =>
      await exchange(endpoint, { method: 'GET', target, headers: { Authorization: 'Bearer admin' }, body: undefined, timeoutMs: 5000 });
    await eventually(processes, 'kube-apiserver', async () => (await ask('/readyz')).status === 200);
    await writeFile(join(folder, 'kubeconfig'), kubeconfig(port!));
    if (company === 'scheduler') {
      await processes.start('kube-scheduler', join(programs, 'kube-scheduler'), [
        '--kubeconfig',
        'kubeconfig',
        '--leader-elect=false',
        '--bind-address',
        '127.0.0.1',
        '--secure-port',
        '0',
      ]);
    }
    if (company === 'controllers') {
      await processes.start('kube-controller-manager', join(programs, 'kube-controller-manager'), [
        '--kubeconfig',
        'kubeconfig',
        '--service-account-private-key-file',
        'sa.key',
        '--root-ca-file',
        'serving.crt',
        '--use-service-account-credentials=false',
        '--leader-elect=false',
        '--bind-address',
        '127.0.0.1',
        '--secure-port',
        '0',
      ]);
      await eventually(
        processes,
        'kube-controller-manager',
        async () => (await ask('/api/v1/namespaces/default/serviceaccounts/default')).status === 200,
      );
    }
    const { gitVersion } = JSON.parse((await ask('/version')).body.toString()) as { gitVersion: string };
    return {
      endpoint, compact: async () => await compact(etcd), version: `kube-apiserver ${gitVersion}`,
      async [Symbol.asyncDispose]() {
        endpoint[Symbol.dispose]();
        await stop();
      },
    };
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
}

async function compact(etcd: string): Promise<void> {
  const ask = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await fetch(`${etcd}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd answered ${answer.status} to ${path}: ${await answer.text()}`);
    return await answer.json();
  };
  const { header } = await ask('/v3/kv/range', { key: Buffer.from('x').toString('base64') }) as { header: { revision: string } };
  await ask('/v3/kv/compaction', { revision: header.revision, physical: true });
}

/** A certificate for localhost that signs itself. */
async function makeServingCertificate(folder: string): Promise<void> {
  await run('openssl', [
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
    join(folder, 'serving.key'),
    '-out',
    join(folder, 'serving.crt'),
  ]);
}

function kubeconfig(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'record',
    clusters: [{ name: 'record', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': 'serving.crt' } }],
    users: [{ name: 'admin', user: { token: 'admin' } }],
    contexts: [{ name: 'record', context: { cluster: 'record', user: 'admin' } }],
  });
}
