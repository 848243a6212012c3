import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '../../../../types/kubernetes/generated/resources.ts';
import { isReason } from '../../../../types/kubernetes/status.ts';
import { decodeKind } from './decode.ts';

const kindOf = (kind: string, version = 'v1') => RESOURCES.find((row) => row.kind === kind && row.version === version)!;
const decode = (kind: string, body: unknown): Record<string, unknown> => decodeKind(kindOf(kind), body, []) as Record<string, unknown>;
const whole = (kind: string, body: unknown): string => {
  try {
    decodeKind(kindOf(kind), body, []);
  } catch (error) {
    assert.ok(isReason(error, 'BadRequest'));
    return (error as Error).message;
  }
  return 'accepted';
};
const refusal = (kind: string, body: unknown): string => whole(kind, body).replace(/^.* cannot be handled as a \w+: /, '');
const pod = (spec: unknown): unknown => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec });
const container = (more: unknown): unknown => pod({ containers: [{ name: 'a', image: 'b', ...more as object }] });

// What kube-apiserver 1.36 answered to each of these bodies.
const REFUSED: readonly (readonly [unknown, string])[] = [
  [
    pod({ terminationGracePeriodSeconds: 'x' }),
    'json: cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
  ],
  [
    pod({ terminationGracePeriodSeconds: 1.5 }),
    'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
  ],
  [
    pod({ terminationGracePeriodSeconds: 2 ** 63 }),
    'json: cannot unmarshal number 9223372036854775808 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
  ],
  [pod({ priority: 2 ** 31 }), 'json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32'],
  [pod({ restartPolicy: 3 }), 'json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy'],
  [pod({ containers: {} }), 'json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container'],
  [pod({ containers: 'a' }), 'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container'],
  [pod({ containers: ['a'] }), 'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container'],
  [pod({ containers: [{ name: 5 }] }), 'json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string'],
  [
    container({ env: [{ name: 'x', value: 5 }] }),
    'json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string',
  ],
  [
    pod({ volumes: [{ name: 'a', secret: 'x' }] }),
    'json: cannot unmarshal string into Go struct field Volume.spec.volumes.VolumeSource.secret of type v1.SecretVolumeSource',
  ],
  [
    pod({ ephemeralContainers: [{ image: 5 }] }),
    'json: cannot unmarshal number into Go struct field EphemeralContainer.spec.ephemeralContainers.EphemeralContainerCommon.image of type string',
  ],
  [
    container({ envFrom: [{ secretRef: { name: 5 } }] }),
    'json: cannot unmarshal number into Go struct field SecretEnvSource.spec.containers.envFrom.secretRef.LocalObjectReference.name of type string',
  ],
  [{ metadata: { labels: { a: 5 } } }, 'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string'],
  [{ metadata: 'x' }, 'json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta'],
  [pod({ hostNetwork: 'yes' }), 'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool'],
  [
    container({ resources: { limits: { cpu: 'x' } } }),
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  [
    container({ resources: { limits: { cpu: {} } } }),
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  [
    { metadata: { creationTimestamp: 'yesterday' } },
    'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
  ],
  [
    { metadata: { creationTimestamp: 5 } },
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string',
  ],
  [
    container({ livenessProbe: { tcpSocket: { port: true } } }),
    'json: cannot unmarshal bool into Go struct field TCPSocketAction.spec.containers.livenessProbe.ProbeHandler.tcpSocket.port of type int32',
  ],
  [
    container({ livenessProbe: { tcpSocket: { port: 1.5 } } }),
    'json: cannot unmarshal number 1.5 into Go struct field TCPSocketAction.spec.containers.livenessProbe.ProbeHandler.tcpSocket.port of type int32',
  ],
  [
    container({ livenessProbe: { tcpSocket: { port: 2 ** 40 } } }),
    'json: cannot unmarshal number 1099511627776 into Go struct field TCPSocketAction.spec.containers.livenessProbe.ProbeHandler.tcpSocket.port of type int32',
  ],
];

test('values of a wrong type are refused in the API server\'s words', () => {
  for (const [body, message] of REFUSED) assert.equal(refusal('Pod', body), message);
  assert.equal(refusal('Secret', { data: { a: '%%%' } }), 'illegal base64 data at input byte 0');
  assert.equal(refusal('Secret', { data: { a: 5 } }), 'json: cannot unmarshal number into Go struct field Secret.data of type []uint8');
  assert.equal(
    refusal('Deployment', { spec: { replicas: '3' } }),
    'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
});

test('a body of another kind or none is refused', () => {
  for (const body of [[], 'a', 5, true]) assert.match(refusal('Pod', body), /the object provided is unrecognized \(must be of type Pod\)/);
  assert.match(refusal('Pod', []), /cannot unmarshal array into Go value of type struct \{ APIVersion string "json:\\"apiVersion,omitempty\\""; .* \(5b5d\)$/);
  assert.match(refusal('Pod', { apiVersion: 'v1', kind: 5 }), /Go struct field \.kind of type string/);
  assert.equal(
    whole('Pod', { apiVersion: 'apps/v1', kind: 'Deployment' }),
    'Deployment in version "v1" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion',
  );
  assert.equal(
    whole('ClusterRole', { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' }),
    'Role in version "v1" cannot be handled as a ClusterRole: converting (v1.Role) to (rbac.ClusterRole): unknown conversion',
  );
  assert.equal(
    whole('Pod', { kind: 'Podd' }),
    'Podd in version "v1" cannot be handled as a Pod: no kind "Podd" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
  );
  assert.equal(
    whole('Deployment', { apiVersion: 'apps/v1beta1', kind: 'Deployment' }),
    'the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)',
  );
  assert.match(
    whole('Pod', { apiVersion: 'a/b/c', kind: 'Pod' }),
    /^the object provided is unrecognized \(must be of type Pod\): unexpected GroupVersion string: a\/b\/c \(\{"apiVersion":"a\/b\/c","kind":" \.\.\.\)$/,
  );
});

test('unknown fields are told by path', () => {
  const unknown: string[] = [];
  decodeKind(kindOf('Pod'), pod({ foo: 1, containers: [{ name: 'a', Image: 'c', x: 1 }], nodeSelector: { any: 'thing' } }), unknown);
  assert.deepEqual(unknown, ['spec.foo', 'spec.containers[0].Image', 'spec.containers[0].x']);
});

test('nulls are left out, zero values as Go does', () => {
  assert.deepEqual(
    decode('ConfigMap', { metadata: { name: 'x', annotations: null, labels: {}, finalizers: [] }, data: { a: null, b: '' } }),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x' },
      data: { a: '', b: '' },
    },
  );
  assert.deepEqual(
    decode(
      'Pod',
      pod({
        hostNetwork: false,
        restartPolicy: '',
        terminationGracePeriodSeconds: 0,
        containers: [null, { name: 'a', args: [], command: null }],
      }),
    ),
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'x' },
      status: {},
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: '', resources: {} },
          { name: 'a', resources: {} },
        ],
      },
    },
  );
  assert.deepEqual(decode('Deployment', null), {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: {}, status: {}, spec: { template: { metadata: {}, spec: {} }, strategy: {} },
  });
});

test('quantities, times and big numbers take their canonical form', () => {
  const decoded = decode('Pod', {
    metadata: { creationTimestamp: '2024-01-02T03:04:05.678+01:00' },
    spec: { terminationGracePeriodSeconds: 9_007_199_254_740_993n, containers: [{ name: 'a', resources: { limits: { cpu: 0.5, memory: '1024Ki' } } }] },
  }) as unknown as { metadata: { creationTimestamp: string }; spec: { terminationGracePeriodSeconds: bigint; containers: { resources: unknown }[] } };
  assert.equal(decoded.metadata.creationTimestamp, '2024-01-02T02:04:05Z');
  assert.equal(decoded.spec.terminationGracePeriodSeconds, 9_007_199_254_740_993n);
  assert.deepEqual(decoded.spec.containers[0]!.resources, { limits: { cpu: '500m', memory: '1Mi' } });
  const lease = decode('Lease', { spec: { renewTime: '2024-01-02T03:04:05.678901Z' } }) as { spec: unknown };
  assert.deepEqual(lease.spec, { renewTime: '2024-01-02T03:04:05.678901Z' });
  assert.match(refusal('Lease', { spec: { renewTime: '2024-01-02T03:04:05Z' } }), /cannot parse "Z" as "\.000000"/);
  for (const bad of ['2024-13-01T00:00:00Z', '2024-02-30T00:00:00Z', '2024-01-01T24:00:00Z', '2024-01-01T00:00:00', '2024-01-01 00:00:00Z']) {
    assert.notEqual(refusal('Pod', { metadata: { creationTimestamp: bad } }), 'accepted', bad);
  }
});

test('__proto__ and constructor are data', () => {
  const data = JSON.parse('{"__proto__":"x","constructor":"y"}') as unknown;
  const decoded = decode('ConfigMap', { metadata: { name: 'x', labels: data }, data });
  assert.deepEqual(Object.entries(decoded.data as object), [['__proto__', 'x'], ['constructor', 'y']]);
  assert.equal(Object.getPrototypeOf(decoded.data), Object.prototype);
  const unknown: string[] = [];
  decodeKind(kindOf('Pod'), JSON.parse('{"spec":{"__proto__":{"polluted":1},"constructor":1}}'), unknown);
  assert.deepEqual(unknown, ['spec.__proto__', 'spec.constructor']);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test('every kind takes an empty body and refuses every field of a wrong type', () => {
  for (const row of RESOURCES) {
    const empty = decodeKind(row, {}, []) as Record<string, unknown>;
    assert.equal(empty.kind, row.kind);
    for (const field of ['metadata', 'spec', 'status', 'data']) {
      const unknown: string[] = [];
      let outcome: unknown;
      try {
        decodeKind(row, { [field]: 5 }, unknown);
      } catch (error) {
        outcome = error;
      }
      assert.ok(isReason(outcome, 'BadRequest') || unknown[0] === field || row.kind === 'ControllerRevision', `${row.kind} ${field}`);
    }
  }
});
