import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, LongshoreError } from '../../lib/errors.ts';
import type { Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { PodSandboxConfig } from '../cri/cri.ts';
import { podFolder } from '../volumes/volumes.ts';
import type { AgentContext } from './context.ts';

/** spec.hostname, else the pod's name, cut to what a host name may be. */
function hostname(pod: Pod): string {
  return (pod.spec?.hostname || pod.metadata?.name || '').slice(0, 63).replace(/[-.]+$/, '');
}

/** The name beneath the pod's headless Service; undefined without a subdomain. */
function fullName(pod: Pod, clusterDomain: string): string | undefined {
  const { subdomain } = pod.spec ?? {};
  return subdomain ? `${hostname(pod)}.${subdomain}.${pod.metadata?.namespace}.svc.${clusterDomain}` : undefined;
}

/** The longest name that the kernel takes, in bytes. */
const KERNEL_NAME_BYTES = 64;

/** The name that programs of the pod are told by the kernel. @throws LongshoreError `invalid` when it is too long for it */
export function kernelHostname(pod: Pod, clusterDomain: string): string {
  const { hostnameOverride, setHostnameAsFQDN } = pod.spec ?? {};
  if (hostnameOverride) return hostnameOverride;
  const full = setHostnameAsFQDN ? fullName(pod, clusterDomain) : undefined;
  if (full !== undefined && full.length > KERNEL_NAME_BYTES) {
    throw new LongshoreError(
      'invalid',
      `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long (${KERNEL_NAME_BYTES} characters is the max, ${full.length} characters requested)`,
      {
        object: `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
        remedy: 'Shorten hostname or subdomain, or leave setHostnameAsFQDN out.',
      },
    );
  }
  return full ?? hostname(pod);
}

const MAX_SEARCHES = 32;

/** What the pod's resolv.conf says, by its `dnsPolicy` and `dnsConfig`. */
export async function dnsConfig(context: AgentContext, pod: Pod): Promise<NonNullable<PodSandboxConfig['dnsConfig']>> {
  const host = await context.hostResolv();
  const own = pod.spec?.dnsConfig;
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  const cluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork);
  const domain = context.clusterDomain;
  const base =
    policy === 'None'
      ? { servers: [], searches: [], options: [] }
      : cluster
        ? {
            servers: context.clusterDns,
            searches: [`${pod.metadata?.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches],
            options: ['ndots:5'],
          }
        : host;
  const ownOptions = (own?.options ?? []).map(({ name, value }) => (value === undefined ? (name ?? '') : `${name}:${value}`));
  const overridden = new Set(ownOptions.map((option) => option.split(':')[0]));
  return {
    servers: [...new Set([...base.servers, ...(own?.nameservers ?? [])])].slice(0, 3),
    searches: [...new Set([...base.searches, ...(own?.searches ?? [])])].slice(0, MAX_SEARCHES),
    options: [...base.options.filter((option) => !overridden.has(option.split(':')[0])), ...ownOptions],
  };
}

/** Writes the pod's /etc/hosts, on the host's network a copy of the host's, and returns its path. */
export async function hostsFile(context: Pick<AgentContext, 'folder' | 'clusterDomain'>, pod: Pod, address: string): Promise<string> {
  const folder = podFolder(context.folder, pod.metadata?.uid ?? '');
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const path = join(folder, 'etc-hosts');
  const names = [fullName(pod, context.clusterDomain), pod.spec?.hostnameOverride ?? hostname(pod)]
    .filter((name) => name !== undefined)
    .join('\t');
  const base = pod.spec?.hostNetwork
    ? `# Kubernetes-managed hosts file (host network).\n${await hostsOfHost()}`
    : `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n${address}\t${names}\n`;
  await writeFile(
    path,
    base + (pod.spec?.hostAliases ?? []).map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`).join(''),
  );
  return path;
}

async function hostsOfHost(): Promise<string> {
  try {
    return `${(await readFile('/etc/hosts', 'utf8')).trimEnd()}\n`;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '127.0.0.1\tlocalhost\n';
    throw error;
  }
}
