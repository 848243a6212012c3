import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { StatusCause } from '../../../types/kubernetes/status.ts';
import { badRequest, invalid, notFound } from '../errors.ts';
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
  const pod = podOf(lookup, namespace, name);
  const node = pod.spec?.nodeName ?? '';
  if (node === '') throw badRequest(`pod ${name} does not have a host assigned`);
  return { pod, node };
}

/** @throws StatusError 404 */
export function podOf(lookup: Lookup, namespace: string, name: string): Pod {
  const pod = lookup.get<Pod>('', 'pods', namespace, name);
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  return pod;
}

/** The container that a request names or means. @throws StatusError 400 */
export function containerOf(pod: Pod, query: Query): string {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].map(
    (container) => container.name,
  );
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
  for (const [ours, theirs] of [
    ['stdin', 'input'],
    ['stdout', 'output'],
    ['stderr', 'error'],
    ['tty', 'tty'],
  ] as const) {
    if (flag(query, ours) === true) {
      pairs.push([theirs, '1']);
    }
  }
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

/** The number of a query; undefined when it is not there. @throws StatusError 400 for what is none */
function number(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text.slice(0, 64))}: invalid syntax`);
  return Number(text);
}

const LOG_NUMBERS = ['tailLines', 'sinceSeconds', 'limitBytes'] as const;
const LOG_FLAGS = ['follow', 'previous', 'timestamps'] as const;
const STREAMS = ['All', 'Stderr', 'Stdout'];

/** What a request wants of a log, as a node's parameters. @throws StatusError 400 for what cannot be read, 422 for what makes no sense */
export function logOptions(pod: string, query: Query): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  const causes: StatusCause[] = [];
  const wrong = (field: string, message: string, reason = 'FieldValueInvalid'): void => void causes.push({ reason, message, field });
  for (const name of LOG_FLAGS) if (flag(query, name) === true) pairs.push([name, 'true']);
  for (const name of LOG_NUMBERS) {
    const value = number(query, name);
    if (value === undefined) continue;
    if (value < (name === 'tailLines' ? 0 : 1)) {
      wrong(name, `Invalid value: ${value}: must be greater than ${name === 'tailLines' ? 'or equal to ' : ''}0`);
    }
    pairs.push([name, String(value)]);
  }
  const since = query.get('sinceTime') ?? '';
  if (since !== '') {
    if (Number.isNaN(Date.parse(since))) {
      throw badRequest(`parsing time ${JSON.stringify(since.slice(0, 64))} as "2006-01-02T15:04:05Z07:00": cannot parse it`);
    }
    if (pairs.some(([name]) => name === 'sinceSeconds')) {
      wrong('[]', 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified', 'FieldValueForbidden');
    }
    pairs.push(['sinceTime', since]);
  }
  const stream = query.get('stream') ?? '';
  if (stream !== '' && stream !== 'All') {
    if (!STREAMS.includes(stream)) {
      wrong(
        'stream',
        `Unsupported value: ${JSON.stringify(stream.slice(0, 64))}: supported values: ${STREAMS.map((one) => JSON.stringify(one)).join(', ')}`,
        'FieldValueNotSupported',
      );
    }
    if (pairs.some(([name]) => name === 'tailLines')) {
      wrong('[]', 'Forbidden: `tailLines` and specific `stream` are mutually exclusive for now', 'FieldValueForbidden');
    }
    pairs.push(['stream', stream]);
  }
  if (causes.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, pod, causes);
  return pairs;
}

/** Where a node serves a container's log. */
export function logPath(namespace: string, pod: string, container: string, options: readonly (readonly [string, string])[]): string {
  return segments('containerLogs', namespace, pod, container) + parameters(options);
}
