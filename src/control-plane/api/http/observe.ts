import type { Counter, Histogram, Metrics } from '../../../lib/metrics.ts';
import type { FairGate } from './gate.ts';
import type { Observe } from './handler.ts';

interface Series {
  readonly total: Counter;
  readonly seconds: Histogram;
}

const MAX_SERIES = 5000;

/** Counts requests and their durations under the names that dashboards for Kubernetes know. */
export function observer(metrics: Metrics, gate: FairGate): Observe {
  /** By verb, resource, then the rest: names that come with every request are hashed already. */
  const series = new Map<string, Map<string, Map<string, Series>>>();
  let kept = 0;
  metrics.gauge('apiserver_current_inflight_requests', 'Requests at work now.', {}, () => gate.inFlight);
  metrics.gauge('apiserver_current_inqueue_requests', 'Requests that wait for their turn.', {}, () => gate.waiting);
  return (verb, resource, subresource, code, ms) => {
    const rest = subresource === '' && code === 200 ? '' : `${subresource} ${code}`;
    let found = series.get(verb)?.get(resource)?.get(rest);
    if (found === undefined) {
      // A client may make up names of resources without end; what was not found counts as one.
      const labels = { verb: verb.toUpperCase(), resource: code === 404 ? '' : resource, subresource: code === 404 ? '' : subresource };
      found = {
        total: metrics.counter('apiserver_request_total', 'Requests by verb, resource and HTTP status.', { ...labels, code: String(code) }),
        seconds: metrics.histogram('apiserver_request_duration_seconds', 'Time from the head of a request to its answer.', labels),
      };
      if (kept < MAX_SERIES) {
        kept++;
        child(child(series, verb), resource).set(rest, found);
      }
    }
    found.total.add();
    if (verb !== 'watch') found.seconds.observe(ms / 1000);
  };
}

function child<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = new Map()));
  return found;
}
