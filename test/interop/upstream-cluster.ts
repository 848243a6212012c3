import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Authority, type Credentials } from '../../src/control-plane/api/pki/authority.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { eventually, freePorts, Processes } from '../../tools/record/processes.ts';
import { clientsOf, type Clients } from '../clients/platform.ts';

export const SERVICE_CIDR = '10.233.0.0/16';
export const CLUSTER_CIDR = '10.234.0.0/16';
/** The API server's name and group to nodes: no name that Longshore knows of, so that its rights are what counts. */
const API_TO_NODE = { commonName: 'apiserver-to-node', organizations: ['interop:apiservers'] };

export interface UpstreamCluster extends AsyncDisposable {
  readonly admin: Clients;
  readonly folder: string;
  readonly processes: Processes;
  /** Path of a kubeconfig for a node of that name. */
  nodeKubeconfig(name: string): Promise<string>;
  /** A certificate of the cluster's authority, for a client. */
  issue(commonName: string, organizations: string[]): Promise<Credentials>;
}

/** Starts the real etcd, kube-apiserver, kube-controller-manager and kube-scheduler, the API listening at an address. */
export async function startUpstreamCluster(programs: string, address: string): Promise<UpstreamCluster> {
  const folder = await mkdtemp('/tmp/longshore-interop-');
  const processes = new Processes(folder);
  const stop = async (): Promise<void> => {
    await processes[Symbol.asyncDispose]();
    if (process.env.LONGSHORE_INTEROP_KEEP === '1') process.stderr.write(`kept: ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  };
  try {
    const authority = await Authority.open(join(folder, 'pki'), systemClock, systemRandom);
    const { publicKey } = await authority.signingKey();
    await writeFile(join(folder, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    const put = async (name: string, { certificate, key }: Credentials): Promise<void> => {
      await writeFile(join(folder, `${name}.crt`), certificate);
      await writeFile(join(folder, `${name}.key`), key);
    };
    await put(
      'serving',
      await authority.issue({ commonName: 'kube-apiserver', organizations: [] }, 'server', [
        address,
        '127.0.0.1',
        'localhost',
        'kubernetes',
        '10.233.0.1',
      ]),
    );
    await put('to-node', await authority.issue(API_TO_NODE, 'client'));
    const [etcdPort, etcdPeerPort, port] = await freePorts(3);
    const server = `https://${address}:${port}`;
    const kubeconfig = async (name: string, commonName: string, organizations: string[]): Promise<string> => {
      const { certificate, key } = await authority.issue({ commonName, organizations }, 'client');
      const data = (text: string): string => Buffer.from(text).toString('base64');
      const path = join(folder, `${name}.kubeconfig`);
      await writeFile(path, JSON.stringify({
        apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': data(authority.certificate) } }],
        users: [{ name: 'u', user: { 'client-certificate-data': data(certificate), 'client-key-data': data(key) } }],
      }));
      return path;
    };
    const [etcd, peering] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${etcdPeerPort}`];
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
      address,
      '--advertise-address',
      address,
      '--tls-cert-file',
      'serving.crt',
      '--tls-private-key-file',
      'serving.key',
      '--client-ca-file',
      'pki/ca.crt',
      '--kubelet-client-certificate',
      'to-node.crt',
      '--kubelet-client-key',
      'to-node.key',
      '--kubelet-preferred-address-types',
      'InternalIP',
      '--service-account-key-file',
      'sa.pub',
      '--service-account-signing-key-file',
      'pki/sa.key',
      '--service-account-issuer',
      'https://kubernetes.default.svc.cluster.local',
      '--authorization-mode',
      'Node,RBAC',
      '--enable-admission-plugins',
      'NodeRestriction',
      '--service-cluster-ip-range',
      SERVICE_CIDR,
      '--allow-privileged=true',
    ]);
    const admin = clientsOf({ KUBECONFIG: await kubeconfig('admin', 'admin', ['system:masters']), HOME: folder, PAGER: 'cat' }, 'kubectl', []);
    await eventually(processes, 'kube-apiserver', async () => (await admin.kubectl(['get', '--raw', '/readyz'])).code === 0);
    const quiet = ['--bind-address', '127.0.0.1', '--secure-port', '0', '--kubeconfig', 'admin.kubeconfig'];
    await processes.start('kube-controller-manager', join(programs, 'kube-controller-manager'), [
      ...quiet,
      '--use-service-account-credentials=true',
      '--service-account-private-key-file',
      'pki/sa.key',
      '--root-ca-file',
      'pki/ca.crt',
      '--cluster-signing-cert-file',
      'pki/ca.crt',
      '--cluster-signing-key-file',
      'pki/ca.key',
      '--allocate-node-cidrs=true',
      '--cluster-cidr',
      CLUSTER_CIDR,
      '--service-cluster-ip-range',
      SERVICE_CIDR,
    ]);
    await processes.start('kube-scheduler', join(programs, 'kube-scheduler'), quiet);
    await eventually(processes, 'kube-controller-manager', async () => (await admin.kubectl(['get', 'serviceaccount', 'default'])).code === 0);
    return {
      admin, folder, processes,
      nodeKubeconfig: (name) => kubeconfig(name, `system:node:${name}`, ['system:nodes']),
      issue: (commonName, organizations) => authority.issue({ commonName, organizations }, 'client'),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a node of ours needs beside `system:node`, and what lets this API server at nodes. As docs/swapping-parts.md says it. */
export const RIGHTS: readonly object[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'longshore:node-services' },
    rules: [
      { apiGroups: [''], resources: ['services', 'nodes', 'namespaces'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
    ],
  },
  binding('longshore:node-services', 'longshore:node-services', 'system:nodes'),
];

/** Lets the API server at nodes, as kubeadm does for its own. */
export const API_RIGHTS = binding('interop:apiservers', 'system:kubelet-api-admin', API_TO_NODE.organizations[0]!);

function binding(name: string, role: string, group: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  };
}
