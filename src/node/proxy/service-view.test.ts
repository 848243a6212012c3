import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { EndpointConditions, EndpointSlice } from '../../types/kubernetes/generated/discovery-v1.ts';
import { viewService } from './service-view.ts';

const service: Service = {
  metadata: { namespace: 'default', name: 'web' },
  spec: { type: 'ClusterIP', clusterIP: '10.43.0.20', ports: [{ port: 80, protocol: 'TCP' }] },
};

/** What a Service with endpoints of these conditions leads to. */
function endpoints(...conditions: readonly EndpointConditions[]): readonly object[] {
  const slice: EndpointSlice = {
    addressType: 'IPv4', ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: conditions.map((each, n) => ({ addresses: [`10.42.0.${n + 1}`], conditions: each })),
  };
  return viewService(service, [slice], 'node')[0]!.endpoints.map(({ address, terminating }) => ({ address, ...(terminating && { terminating }) }));
}

test('ready endpoints serve; those that end only where none is ready, and they are marked', () => {
  const ready = { ready: true, serving: true, terminating: false };
  const ends = { ready: false, serving: true, terminating: true };
  assert.deepEqual(endpoints(ready, ends), [{ address: '10.42.0.1' }]);
  assert.deepEqual(endpoints(ends, { ready: false, serving: false, terminating: false }), [{ address: '10.42.0.1', terminating: true }]);
  assert.deepEqual(
    endpoints({ ready: true, serving: true, terminating: true }),
    [{ address: '10.42.0.1', terminating: true }],
    'of a Service that publishes those too that are not ready',
  );
});
