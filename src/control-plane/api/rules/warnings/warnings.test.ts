import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '../../../../types/kubernetes/generated/resources.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import { kubernetesRules } from '../rules.ts';

function advised(resource: string, body: object, old?: object): readonly string[] {
  const info = RESOURCES.find((row) => row.resource === resource)!;
  const whole = (object: object): KubeObject => {
    const decoded = kubernetesRules.decode(info, object, []);
    kubernetesRules.applyDefaults(info, decoded);
    return decoded;
  };
  return kubernetesRules.warnings!(info, whole(body), old && whole(old));
}

const pod = (spec: object, metadata: object = {}): object => ({
  metadata: { name: 'p', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

test('nothing is said of what is as it should be', () => {
  assert.deepEqual(
    advised(
      'pods',
      pod({
        containers: [
          {
            name: 'c',
            image: 'i',
            env: [
              { name: 'A', value: '1' },
              { name: 'A', value: '$(A)2' },
            ],
            ports: [{ containerPort: 1 }, { containerPort: 2 }],
            resources: { limits: { memory: '1.5Gi', cpu: '100m' } },
          },
        ],
      }),
    ),
    [],
  );
  assert.deepEqual(advised('configmaps', { metadata: { name: 'a.b' } }), []);
});

test('pods: what is deprecated, ignored or shadowed', () => {
  const container = {
    name: 'c', image: 'i', env: [{ name: 'A', value: '1' }, { name: 'A', value: '2' }], resources: { requests: { memory: '100m' } },
    ports: [{ name: 'w', containerPort: 1 }, { name: 'w', containerPort: 1, hostPort: 5 }],
  };
  assert.deepEqual(
    advised(
      'pods',
      pod(
        {
          containers: [container],
          nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
          volumes: [{ name: 'v', gitRepo: { repository: 'r' } }],
          imagePullSecrets: [{ name: 's' }, { name: 's' }, {}],
          topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule' }],
          affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z' }] } },
        },
        { name: 'a.b', annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'x' } },
      ),
    ),
    [
      "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
      'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
      'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod',
      'metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead',
      'spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+',
      'spec.imagePullSecrets[1].name: duplicate name "s"',
      'spec.imagePullSecrets[2].name: invalid empty name ""',
      'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
      'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
      'spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[1]: duplicate port name "w" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]',
    ],
  );
  assert.deepEqual(
    advised('pods', pod({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' } }), pod({})),
    [],
    'whoever updates a pod is no person',
  );
});

test('templates: when what is wanted changes, and no more', () => {
  const deployment = (generation: number): object => ({
    metadata: { name: 'd', generation },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { nodeSelector: { 'beta.kubernetes.io/arch': 'amd64' }, containers: [{ name: 'c', image: 'i' }] },
      },
    },
  });
  const told = ['spec.template.spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead'];
  assert.deepEqual(advised('deployments', deployment(1)), told);
  assert.deepEqual(advised('deployments', deployment(2), deployment(1)), told);
  assert.deepEqual(advised('deployments', deployment(1), deployment(1)), []);
});

test('services, secrets and volumes', () => {
  assert.deepEqual(
    advised('services', {
      metadata: { name: 's' },
      spec: { externalIPs: ['1.2.3.4'], ports: [{ port: 1 }], trafficDistribution: 'PreferClose' },
    }),
    [
      'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
  );
  const secret = (crt: string, key: string): object => ({
    metadata: { name: 't' },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': crt, 'tls.key': key },
  });
  assert.deepEqual(advised('secrets', secret('x', 'y')), ['tls: failed to find any PEM data in certificate input']);
  const pem = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n';
  assert.deepEqual(advised('secrets', secret(pem, 'y')), ['tls: failed to find any PEM data in key input']);
  assert.match(advised('secrets', secret(pem, pem))[0]!, /^tls: failed to parse certificate and key: /);
  assert.deepEqual(
    advised('persistentvolumeclaims', {
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '100m' } } },
    }),
    ['spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer'],
  );
});
