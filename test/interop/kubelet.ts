/** The real kubelet with the real containerd is a node of our cluster: joins with our token, pulls from our registry. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Processes } from '../../tools/record/processes.ts';
import { deployment, eventually, pod, runClient, startTestDaemon } from '../clients/platform.ts';
import { openLink } from '../clients/second-node.ts';
import { Checks, type Row } from './table.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
/** What the kubelet sets of the machine's kernel: put back afterwards. */
const TUNABLES = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'].map((name) => `/proc/sys/${name}`);

/** A CNI plug-in of the least: a veth pair for each pod, and a route to it. */
const PLUGIN = (range: string, book: string): string => `#!/bin/sh
set -e
config=$(cat)
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}' ;;
ADD)
  n=$(($(cat ${book}) + 1)); echo $n > ${book}
  ip=${range}.$n; host=kl$n
  ip link add $host type veth peer name $CNI_IFNAME netns $CNI_NETNS
  ip addr add 169.254.1.1/32 dev $host; ip link set $host up; ip route add $ip/32 dev $host
  nsenter --net=$CNI_NETNS sh -c "ip link set lo up; ip addr add $ip/32 dev $CNI_IFNAME; ip link set $CNI_IFNAME up; ip route add 169.254.1.1 dev $CNI_IFNAME; ip route add default via 169.254.1.1 dev $CNI_IFNAME"
  echo '{"cniVersion":"1.0.0","interfaces":[{"name":"'$CNI_IFNAME'","sandbox":"'$CNI_NETNS'"}],"ips":[{"address":"'$ip'/32","interface":0}]}' ;;
esac
`;

export async function tryKubelet(programs: string, swap: string): Promise<Row[]> {
  const checks = new Checks(swap);
  await using undo = new AsyncDisposableStack();
  const tunables = await Promise.all(TUNABLES.map(async (path) => [path, await readFile(path, 'utf8')] as const));
  undo.defer(async () => {
    for (const [path, text] of tunables) await writeFile(path, text);
  });
  const link = await openLink();
  undo.defer(() => link.close());
  const server = await startTestDaemon({ environment: { LONGSHORE_LISTEN: '0.0.0.0' } });
  undo.defer(() => server.close());
  const folder = await mkdtemp('/tmp/longshore-interop-');
  undo.defer(async () => {
    if (process.env.LONGSHORE_INTEROP_KEEP === '1') process.stderr.write(`kept: ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  });
  const at = (name: string): string => join(folder, name);
  const docker = async (...args: string[]): Promise<void> => {
    const ran = await runClient('docker', args, server.environment);
    if (ran.code !== 0) throw new Error(`docker ${args[0]}: ${ran.stderr}`);
  };
  const registry = `localhost:${server.config.registryPort}`;
  const inner = `${server.config.innerAddress}:${server.config.registryPort}`;
  await docker('create', '--name', 'pause', 'busybox', 'sleep', '1000000');
  await docker('commit', 'pause', `${registry}/pause`);
  await docker('tag', 'busybox', `${registry}/busybox`);
  await docker('push', `${registry}/pause`);
  await docker('push', `${registry}/busybox`);

  for (const name of ['cni', 'bin', `certs.d/${inner}`]) await mkdir(at(name), { recursive: true });
  await writeFile(at(`certs.d/${inner}/hosts.toml`), `server = "http://${inner}"\n[host."http://${inner}"]\n  capabilities = ["pull", "resolve"]\n`);
  await writeFile(at('containerd.toml'), `version = 3
root = "${at('containerd')}"
state = "${at('run')}"
[grpc]
  address = "${at('containerd.sock')}"
[ttrpc]
  address = "${at('containerd.sock.ttrpc')}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${inner}/pause:latest"
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "${at('certs.d')}"
[plugins.'io.containerd.cri.v1.runtime']
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["${at('bin')}"]
  conf_dir = "${at('cni')}"
  use_internal_loopback = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = "${join(programs, 'runc')}"
`);
  const made = await runClient(process.execPath, [MAIN, 'token', '-o', 'json'], server.environment);
  const { token } = JSON.parse(made.stdout) as { token: string };
  await writeFile(at('bootstrap.kubeconfig'), JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: `https://${link.serverAddress}:${server.config.apiPort}`, 'certificate-authority': join(server.home.pki, 'ca.crt') } }],
    users: [{ name: 'u', user: { token } }],
  }));
  await writeFile(at('kubelet.json'), JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', address: link.nodeAddress, containerRuntimeEndpoint: `unix://${at('containerd.sock')}`,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: join(server.home.pki, 'ca.crt') } }, authorization: { mode: 'Webhook' },
    clusterDNS: [server.config.dnsAddress], clusterDomain: 'cluster.local', cgroupDriver: 'cgroupfs', cgroupsPerQOS: false, enforceNodeAllocatable: [], failSwapOn: false, failCgroupV1: false,
    healthzPort: 0, makeIPTablesUtilChains: false, serverTLSBootstrap: true, rotateCertificates: true, podLogsDir: at('logs'), resolvConf: '/etc/resolv.conf',
  }));
  const processes = new Processes(folder);
  undo.defer(() => processes[Symbol.asyncDispose]());
  // Mounts and processes of their own: all of it ends with the kubelet.
  const script = `mount --make-rshared /; sysctl -qw net.ipv4.ip_forward=1; containerd --config ${at('containerd.toml')} > ${at('containerd.log')} 2>&1 & while [ ! -S ${at('containerd.sock')} ]; do sleep 0.1; done; exec kubelet --config ${at('kubelet.json')} --bootstrap-kubeconfig ${at('bootstrap.kubeconfig')} --kubeconfig ${at('kubeconfig')} --cert-dir ${at('pki')} --root-dir ${at('kubelet')} --hostname-override upstream --node-ip ${link.nodeAddress}`;
  const [file, args] = link.inside('unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script);
  await processes.start('kubelet', file, args, { PATH: `${programs}:${process.env.PATH ?? ''}` });

  await checks.check('it gets a certificate with our token, registers, and gets a range of addresses', async () => {
    const cidr = await eventually('it has a range', () => {
      const ended = processes.ended();
      if (ended !== undefined) throw new Error(ended);
      return server.ok('get', 'node', 'upstream', '-o', 'jsonpath={.spec.podCIDR}');
    }, 60_000);
    await writeFile(at('book'), '10');
    await writeFile(at('bin/interop'), PLUGIN(cidr.replace(/\.0\/\d+$/, ''), at('book')));
    await chmod(at('bin/interop'), 0o755);
    await writeFile(at('cni/10-interop.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'interop', plugins: [{ type: 'interop' }] }));
  });
  await checks.check('its serving certificate is signed, once it is approved', async () => {
    const name = await eventually('it asks for one', () => server.ok('get', 'csr', '--field-selector=spec.signerName=kubernetes.io/kubelet-serving', '-o', 'jsonpath={.items[0].metadata.name}'));
    await server.ok('certificate', 'approve', name);
    await eventually('it is signed', () => server.ok('get', 'csr', name, '-o', 'jsonpath={.status.certificate}'));
  });
  await checks.check('it is Ready', () => server.ok('wait', '--for=condition=Ready', 'node/upstream', '--timeout=30s'));
  const SERVE = ['sh', '-c', 'mkdir /www; hostname > /www/name; echo serving; exec httpd -f -p 8080 -h /www'];
  await checks.check('a pod of it runs, its image out of our registry', async () => {
    await server.apply(pod('far', { image: `${inner}/busybox`, command: SERVE }, { nodeName: 'upstream' }, { labels: { app: 'far' } }));
    await server.ok('wait', '--for=condition=Ready', 'pod/far', '--timeout=30s');
  });
  // Nothing of what follows can work without it.
  if (checks.rows.some(({ failure }) => failure !== undefined)) return checks.rows;
  await checks.check('logs', async () => {
    const logs = await server.ok('logs', 'far');
    if (logs !== 'serving') throw new Error(logs);
  });
  await checks.check('exec', async () => {
    const said = await server.ok('exec', 'far', '--', 'hostname');
    if (said !== 'far') throw new Error(said);
  });
  await checks.check('port-forward', async () => {
    const forward = server.start('port-forward', 'far', ':8080');
    try {
      const port = /127\.0\.0\.1:(\d+)/.exec(await forward.until(/127\.0\.0\.1:(\d+) -> /))?.[1];
      const answer = (await (await fetch(`http://127.0.0.1:${port}/name`)).text()).trim();
      if (answer !== 'far') throw new Error(answer);
    } finally {
      await forward.stop();
    }
  });
  await checks.check('our node\'s proxy and routes lead to it', async () => {
    await server.ok('expose', 'pod', 'far', '--port=80', '--target-port=8080');
    const address = await server.ok('get', 'service', 'far', '-o', 'jsonpath={.spec.clusterIP}');
    await eventually('the Service answers', async () => (await (await fetch(`http://${address}/name`, { signal: AbortSignal.timeout(2000) })).text()).trim() === 'far');
  });
  await checks.check('our scheduler and controllers use both nodes', async () => {
    await server.apply(deployment('both', { image: `${inner}/busybox`, command: ['sleep', '1000'] }, { replicas: 4 }));
    await server.ok('rollout', 'status', 'deploy/both', '--timeout=30s');
    const nodes = new Set((await server.ok('get', 'pods', '-l', 'app=both', '-o', 'jsonpath={.items[*].spec.nodeName}')).split(' '));
    if (nodes.size !== 2) throw new Error(`all pods are on ${[...nodes].join()}`);
  });
  await checks.check('its pods end', () => server.ok('delete', 'deploy/both', 'pod/far', 'service/far', '--timeout=30s'));
  await eventually('no pod is left', async () => (await server.ok('get', 'pods', '-o', 'name')) === '').catch(() => undefined); // the server's end tells of what is left
  return checks.rows;
}
