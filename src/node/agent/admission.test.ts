import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Container, Node, Pod, PodSpec } from '../../types/kubernetes/generated/core-v1.ts';
import { deadlineMs, isTerminal, refusal } from './admission.ts';

const node: Node = { metadata: { name: 'n', labels: { zone: 'a' } }, status: { allocatable: { cpu: '2', memory: '1Gi', pods: '3', 'example.com/gpu': '1' } } };

function pod(container: Partial<Container>, spec: Partial<PodSpec> = {}): Pod {
  return { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', ...container }], ...spec } };
}
const asking = (requests: Record<string, string>): Pod => pod({ resources: { requests } });
const listening = (hostPort: number, hostIP?: string): Pod => pod({ ports: [{ containerPort: 80, hostPort, ...(hostIP !== undefined && { hostIP }) }] });

test('what fits is taken', () => {
  assert.equal(refusal(pod({}), [], node), undefined);
  assert.equal(refusal(asking({ cpu: '1500m', memory: '512Mi', 'example.com/gpu': '1' }), [asking({ cpu: '500m' })], node), undefined);
  assert.equal(refusal(listening(80, '127.0.0.1'), [listening(80, '192.0.2.1'), listening(81)], node), undefined);
});

test('resources that others have are named with their amounts', () => {
  assert.deepEqual(refusal(asking({ cpu: '1600m' }), [asking({ cpu: '500m' })], node), {
    reason: 'OutOfcpu',
    message: "Node didn't have enough resource: cpu, requested: 1600, used: 500, capacity: 2000",
  });
  assert.equal(refusal(asking({ memory: '2Gi' }), [], node)?.reason, 'OutOfmemory');
  assert.equal(refusal(pod({}), [pod({}), pod({}), pod({})], node)?.reason, 'OutOfpods');
  assert.equal(refusal(asking({ 'example.com/gpu': '1' }), [asking({ 'example.com/gpu': '1' })], node)?.reason, 'OutOfexample.com/gpu');
});

test('a port of the host has one owner', () => {
  assert.equal(refusal(listening(80), [listening(80, '127.0.0.1')], node)?.reason, 'NodePorts');
});

test('selectors hold for pods that name their node themselves, too', () => {
  assert.equal(refusal(pod({}, { nodeSelector: { zone: 'a' } }), [], node), undefined);
  assert.equal(refusal(pod({}, { nodeSelector: { zone: 'b' } }), [], node)?.reason, 'NodeAffinity');
  const required = (values: string[]): Partial<PodSpec> => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values }] }],
        },
      },
    },
  });
  assert.equal(refusal(pod({}, required(['a'])), [], node), undefined);
  assert.equal(refusal(pod({}, required(['b'])), [], node)?.reason, 'NodeAffinity');
});

test('kernel parameters that reach beyond the pod are not set', () => {
  const setting = (name: string, spec: Partial<PodSpec> = {}): string | undefined =>
    refusal(pod({}, { securityContext: { sysctls: [{ name, value: '1' }] }, ...spec }), [], node)?.message;
  assert.equal(setting('kernel.shm_rmid_forced'), undefined);
  assert.equal(setting('net/ipv4/tcp_syncookies'), undefined);
  assert.equal(setting('kernel.msgmax'), 'forbidden sysctl: "kernel.msgmax" not allowlisted');
  assert.equal(setting('net.ipv4.tcp_syncookies', { hostNetwork: true }), 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled');
});

test('a deadline counts from when the node began with the pod', () => {
  assert.equal(deadlineMs(pod({}, { activeDeadlineSeconds: 5 }), '2030-01-01T00:00:00Z'), Date.parse('2030-01-01T00:00:05Z'));
  assert.equal(deadlineMs(pod({}, { activeDeadlineSeconds: 5 }), undefined), Infinity);
  assert.equal(deadlineMs(pod({}), '2030-01-01T00:00:00Z'), Infinity);
});

test('an end is for good', () => {
  assert.deepEqual(['Pending', 'Running', 'Succeeded', 'Failed'].map((phase) => isTerminal({ status: { phase } })), [false, false, true, true]);
});
