import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from './metrics.ts';

test('counters, gauges and histograms are rendered as Prometheus reads them', () => {
  const metrics = new Metrics();
  metrics.counter('requests_total', 'Requests.', { verb: 'get' }).add();
  metrics.counter('requests_total', 'Requests.', { verb: 'get' }).add(2);
  metrics.counter('requests_total', 'Requests.', { verb: 'a"b\\c\nd' }).add();
  metrics.gauge('in_flight', 'At work.', {}, () => 7);
  const histogram = metrics.histogram('seconds', 'Durations.', { verb: 'get' }, [0.1, 1]);
  for (const value of [0.05, 0.5, 0.5, 5]) histogram.observe(value);
  assert.equal(metrics.render(), `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{verb="get"} 3
requests_total{verb="a\\"b\\\\c\\nd"} 1
# HELP in_flight At work.
# TYPE in_flight gauge
in_flight 7
# HELP seconds Durations.
# TYPE seconds histogram
seconds_bucket{verb="get",le="0.1"} 1
seconds_bucket{verb="get",le="1"} 3
seconds_bucket{verb="get",le="+Inf"} 4
seconds_sum{verb="get"} 6.05
seconds_count{verb="get"} 4
`);
});
