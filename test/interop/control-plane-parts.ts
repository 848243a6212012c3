/** The real kube-scheduler and kube-controller-manager do the work of ours, on our API server, with our node. */
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { Processes } from '../../tools/record/processes.ts';
import { deployment, eventually, startTestDaemon } from '../clients/platform.ts';
import { Checks, type Row } from './table.ts';
import { checkWorkloads } from './workloads.ts';

/** @param programs folder of kube-scheduler and kube-controller-manager */
export async function tryControlPlaneParts(programs: string, swap: string): Promise<Row[]> {
  const checks = new Checks(swap);
  const server = await startTestDaemon({ environment: { LONGSHORE_WITHOUT: 'scheduler,controllers' } });
  const folder = await mkdtemp('/tmp/longshore-interop-');
  const processes = new Processes(folder);
  try {
    const pki = (name: string): string => join(server.home.pki, name);
    await checks.check('without them, a Deployment is kept and nothing comes of it', async () => {
      await server.apply(deployment('web', { command: ['sleep', '1000'] }));
      await new Promise((resolve) => { setTimeout(resolve, 1500); });
      const sets = await server.ok('get', 'replicasets', '-o', 'name');
      if (sets !== '') throw new Error(`there is ${sets}`);
    });
    const quiet = ['--leader-elect=true', '--bind-address', '127.0.0.1', '--secure-port', '0', '--kubeconfig', server.home.kubeconfig];
    await processes.start('kube-controller-manager', join(programs, 'kube-controller-manager'), [
      ...quiet, '--use-service-account-credentials=true', '--service-account-private-key-file', pki('sa.key'), '--root-ca-file', pki('ca.crt'),
      '--cluster-signing-cert-file', pki('ca.crt'), '--cluster-signing-key-file', pki('ca.key'),
      '--allocate-node-cidrs=true', '--cluster-cidr', server.config.clusterCidr, '--service-cluster-ip-range', server.config.serviceCidr,
    ]);
    await processes.start('kube-scheduler', join(programs, 'kube-scheduler'), quiet);
    await checks.check('both are elected by leases', () =>
      eventually(
        'both hold their leases',
        async () =>
          (await server.ok('get', 'leases', '-n', 'kube-system', '-o', 'name')).match(/kube-(scheduler|controller-manager)/g)?.length === 2,
      ),
    );
    await checks.check('the Deployment that was kept comes up', () => server.ok('rollout', 'status', 'deploy/web', '--timeout=60s'));
    await checkWorkloads(checks, server);
    await checks.check('neither has ended', async () => {
      const ended = processes.ended();
      if (ended !== undefined) throw new Error(ended);
      await Promise.resolve();
    });
  } finally {
    await processes[Symbol.asyncDispose]();
    await server.close();
    if (process.env.LONGSHORE_INTEROP_KEEP !== '1') await rm(folder, { recursive: true, force: true });
    else process.stderr.write(`kept: ${folder}\n`);
  }
  return checks.rows;
}
