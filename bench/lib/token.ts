import { kubectl } from './command.ts';

/** A service account that may do all, on either side, and a token of it: what the load is sent with. */
export async function grantToken(kubeconfig: string): Promise<string> {
  const side = { kubeconfig };
  await kubectl(side, ['-n', 'kube-system', 'create', 'serviceaccount', 'bench']);
  await kubectl(side, ['create', 'clusterrolebinding', 'bench', '--clusterrole=cluster-admin', '--serviceaccount=kube-system:bench']);
  return (await kubectl(side, ['-n', 'kube-system', 'create', 'token', 'bench'])).stdout.trim();
}
