import { LongshoreError } from '../../lib/errors.ts';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import { quantityToMilli, quantityToNumber } from '../../types/kubernetes/quantity.ts';

/**
 * A field of a pod as the downward API writes it.
 * @throws LongshoreError `invalid` for a path that is not offered
 */
export function podField(pod: Pod, path: string): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) return pod.metadata?.[subscript[1] as 'labels']?.[subscript[2]!] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return mapLines(pod.metadata?.labels);
    case 'metadata.annotations':
      return mapLines(pod.metadata?.annotations);
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? '';
    case 'status.hostIP':
      return pod.status?.hostIP ?? '';
    case 'status.hostIPs':
      return (pod.status?.hostIPs ?? []).map(({ ip }) => ip).join(',');
    case 'status.podIP':
      return pod.status?.podIP ?? '';
    case 'status.podIPs':
      return (pod.status?.podIPs ?? []).map(({ ip }) => ip).join(',');
    default:
      throw new LongshoreError('invalid', `the downward API has no field ${path}`, {
        object: `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
        remedy: 'See: kubectl explain pod.spec.containers.env.valueFrom.fieldRef',
      });
  }
}

function mapLines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${JSON.stringify(value)}\n`).join('');
}

/**
 * A resource of a container divided by the divisor, rounded up. Without a limit of its own it has the node's.
 * @throws LongshoreError `invalid` for a resource that is not offered
 */
export function resourceField(
  pod: Pod,
  containerName: string,
  ref: { readonly resource: string; readonly divisor?: string | number },
  node: { readonly milliCpu: number; readonly memory: number },
): string {
  const container: Container | undefined = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(
    ({ name }) => name === containerName,
  );
  const [, part, resource] = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(ref.resource) ?? [];
  if (!container || !part || !resource) {
    throw new LongshoreError('invalid', `there is no resource ${ref.resource} of container "${containerName}"`, {
      object: `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
    });
  }
  const value =
    container.resources?.[part as 'limits']?.[resource] ?? (part === 'limits' ? undefined : container.resources?.limits?.[resource]);
  const divisor = ref.divisor === undefined || ref.divisor === '0' || ref.divisor === '' ? '1' : ref.divisor;
  if (resource === 'cpu') {
    return String(
      Math.ceil((value === undefined ? (part === 'limits' ? node.milliCpu : 0) : quantityToMilli(value)) / quantityToMilli(divisor)),
    );
  }
  const amount = value === undefined ? (part === 'limits' && resource === 'memory' ? node.memory : 0) : quantityToNumber(value);
  return String(Math.ceil(amount / quantityToNumber(divisor)));
}
