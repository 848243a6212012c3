import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { badRequest, notFound } from '../errors.ts';
import { flag } from '../http/options.ts';
import type { Query } from '../http/target.ts';
import type { Lookup } from '../lookup.ts';

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** Which pod on which node a request is about. */
export interface PodTarget {
  readonly pod: Pod;
  readonly node: string;
}

/** @throws StatusError 404, or 400 while the pod is on no node */
export function podTarget(lookup: Lookup, namespace: string, name: string): PodTarget {
  const pod = lookup.get<Pod>('', 'pods', namespace, name);
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  const node = pod.spec?.nodeName ?? '';
  if (node === '') throw badRequest(`pod ${name} does not have a host assigned`);
  return { pod, node };
}

/** The container that a request names or means. @throws StatusError 400 */
export function containerOf(pod: Pod, query: Query): string {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].map((container) => container.name);
  const name = pod.metadata?.name ?? '';
  const wanted = query.get('container') ?? '';
  if (wanted !== '') {
    if (!all.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${name}`);
    return wanted;
  }
  const ordinary = (pod.spec?.containers ?? []).map((container) => container.name);
  if (ordinary.length === 1) return ordinary[0]!;
  const preferred = pod.metadata?.annotations?.[DEFAULT_CONTAINER];
  if (preferred !== undefined && all.includes(preferred)) return preferred;
  const inits = (pod.spec?.initContainers ?? []).map((container) => container.name);
  const more = inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${ordinary.join(' ')}]${more}`);
}

function parameters(pairs: readonly (readonly [string, string])[]): string {
  return pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}

const segments = (...parts: readonly string[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join('');

/** Where a node serves `exec` and `attach`; the kubelet's names for the streams. */
export function commandPath(verb: 'exec' | 'attach', namespace: string, pod: string, container: string, query: Query): string {
  const pairs: [string, string][] = [];
  for (const [ours, theirs] of [['stdin', 'input'], ['stdout', 'output'], ['stderr', 'error'], ['tty', 'tty']] as const) if (flag(query, ours) === true) pairs.push([theirs, '1']);
  if (verb === 'exec') for (const word of query.all('command')) pairs.push(['command', word]);
  return segments(verb, namespace, pod, container) + parameters(pairs);
}

/** Where a node serves `port-forward`. */
export function portForwardPath(namespace: string, pod: string, query: Query): string {
  const ports = query.all('ports').flatMap((list) => list.split(',')).filter((port) => port !== '');
  for (const port of ports) if (!isPort(port)) throw badRequest(`unable to parse ${JSON.stringify(port)} as a port`);
  return segments('portForward', namespace, pod) + parameters(ports.map((port): [string, string] => ['port', port]));
}

/** Whether text is the number of a port. */
export function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

const LOG_NUMBERS = ['tailLines', 'sinceSeconds', 'limitBytes'] as const;
const LOG_FLAGS = ['follow', 'previous', 'timestamps'] as const;

/** Where a node serves a container's log. @throws StatusError 400 for numbers that are none */
export function logPath(namespace: string, pod: string, container: string, query: Query): string {
  const pairs: [string, string][] = [];
  for (const name of LOG_FLAGS) if (flag(query, name) === true) pairs.push([name, 'true']);
  for (const name of LOG_NUMBERS) {
    const value = query.get(name);
    if (value === undefined || value === '') continue;
    if (!/^\d{1,15}$/.test(value) || (name !== 'tailLines' && Number(value) === 0)) throw badRequest(`${name}: Invalid value: ${JSON.stringify(value)}: must be greater than ${name === 'tailLines' ? 'or equal to ' : ''}0`);
    pairs.push([name, value]);
  }
  const since = query.get('sinceTime');
  if (since !== undefined && since !== '') {
    if (Number.isNaN(Date.parse(since))) throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(since)}: must be a time as in 2006-01-02T15:04:05Z`);
    if (pairs.some(([name]) => name === 'sinceSeconds')) throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
    pairs.push(['sinceTime', since]);
  }
  const stream = query.get('stream');
  if (stream !== undefined && stream !== '' && stream !== 'All') {
    if (stream !== 'Stdout' && stream !== 'Stderr') throw badRequest(`stream: Unsupported value: ${JSON.stringify(stream)}: supported values: "All", "Stderr", "Stdout"`);
    pairs.push(['stream', stream]);
  }
  return segments('containerLogs', namespace, pod, container) + parameters(pairs);
}
