import type { Counter, Histogram, Metrics } from '../../../lib/metrics.ts';
import type { FairGate } from './gate.ts';
import type { Observe } from './handler.ts';

/** Counts requests and their durations under the names that dashboards for Kubernetes know. */
export function observer(metrics: Metrics, gate: FairGate): Observe {
  const series = new Map<string, { readonly total: Counter; readonly seconds: Histogram }>();
  metrics.gauge('apiserver_current_inflight_requests', 'Requests at work now.', {}, () => gate.inFlight);
  metrics.gauge('apiserver_current_inqueue_requests', 'Requests that wait for their turn.', {}, () => gate.waiting);
  return (verb, resource, subresource, code, ms) => {
    const key = `${verb} ${resource} ${subresource} ${code}`;
    let found = series.get(key);
    if (found === undefined) {
      // A client may make up names of resources without end; what was not found counts as one.
      const labels = { verb: verb.toUpperCase(), resource: code === 404 ? '' : resource, subresource: code === 404 ? '' : subresource };
      found = {
        total: metrics.counter('apiserver_request_total', 'Requests by verb, resource and HTTP status.', { ...labels, code: String(code) }),
        seconds: metrics.histogram('apiserver_request_duration_seconds', 'Time from the head of a request to its answer.', labels),
      };
      if (series.size < 5000) series.set(key, found);
    }
    found.total.add();
    if (verb !== 'watch') found.seconds.observe(ms / 1000);
  };
}
