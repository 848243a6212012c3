import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExactJson } from './exact-json.ts';
import { DockerNormaliser } from './normalise-docker.ts';
import { KubeNormaliser, type KubeFacts } from './normalise-kube.ts';
import { substitute } from './references.ts';
import { view } from './views.ts';

const now = Date.parse('2030-01-02T03:04:05Z');
const facts: KubeFacts = {
  written: 'generateName: gen- 2030-01-01T00:00:00Z',
  places: new Map(),
  hostname: 'host',
  port: 40123,
  alone: true,
  managedFields: false,
  now: () => now,
};
const uid = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`;

test('an object keeps its marks through a scenario', () => {
  const kube = new KubeNormaliser(facts);
  const object = (n: number, version: string): unknown => ({
    metadata: { name: 'web', uid: uid(n), resourceVersion: version, creationTimestamp: '2030-01-02T03:04:00Z', managedFields: [{}] },
  });
  assert.deepEqual(kube.value(object(1, '7')), {
    metadata: { name: 'web', uid: '<uid web>', resourceVersion: '<rv web 1>', creationTimestamp: '<time>' },
  });
  assert.deepEqual(kube.value(object(1, '9')), {
    metadata: { name: 'web', uid: '<uid web>', resourceVersion: '<rv web 2>', creationTimestamp: '<time>' },
  });
  assert.deepEqual(kube.value(object(1, '7')), {
    metadata: { name: 'web', uid: '<uid web>', resourceVersion: '<rv web 1>', creationTimestamp: '<time>' },
  });
  assert.deepEqual(kube.value(object(2, '11')), {
    metadata: { name: 'web', uid: '<uid web 2>', resourceVersion: '<rv web 1>', creationTimestamp: '<time>' },
  });
  assert.deepEqual(kube.value({ owner: uid(1), other: uid(5) }), { owner: '<uid web>', other: '<uid>' });
});

test('times that the scenario wrote, or of other days, stay', () => {
  const kube = new KubeNormaliser(facts);
  assert.deepEqual(kube.value(['2030-01-02T01:00:00Z', '2030-01-02T01:00:00.123456Z', '2030-01-01T00:00:00Z', '2001-01-01T00:00:00Z']), [
    '<time>',
    '<micro-time>',
    '2030-01-01T00:00:00Z',
    '2001-01-01T00:00:00Z',
  ]);
});

test('generated names and the hashes within them', () => {
  const kube = new KubeNormaliser(facts);
  const pod = {
    metadata: { name: 'web-abc123-x7k2p', generateName: 'web-abc123-', uid: uid(1), labels: { 'pod-template-hash': 'abc123' } },
    note: 'made web-abc123-x7k2p',
  };
  const seen = kube.value(pod) as { metadata: { name: string }; note: string };
  assert.equal(seen.metadata.name, 'web-<hash>-<suffix>');
  assert.equal(seen.note, 'made web-<hash>-<suffix>');
  assert.equal(kube.text('"gen-x7k2p" is invalid'), '"gen-<suffix>" is invalid');
});

test('what a server allocates, and where it listens', () => {
  const kube = new KubeNormaliser(facts);
  assert.deepEqual(
    kube.value({
      metadata: { name: 's', uid: uid(1) },
      spec: { clusterIP: '10.96.3.4', clusterIPs: ['10.96.3.4'], ports: [{ port: 80, nodePort: 31234, targetPort: 40123 }] },
    }),
    {
      metadata: { name: 's', uid: '<uid s>' },
      spec: {
        clusterIP: '<cluster-ip s>',
        clusterIPs: ['<cluster-ip s>'],
        ports: [{ port: 80, nodePort: '<node-port>', targetPort: '<port>' }],
      },
    },
  );
  assert.equal(kube.text('https://192.0.2.1:40123/x'), 'https://<server>/x');
});

test('ids of containers have the names that they were made with', () => {
  const id = 'ab12'.repeat(16);
  const docker = new DockerNormaliser({ written: '', places: new Map([['/state', '<root>']]), now: () => now / 1000 });
  assert.deepEqual(docker.value({ Id: id, Warnings: [] }, '/v1.50/containers/create?name=web'), { Id: '<id web>', Warnings: [] });
  assert.deepEqual(
    docker.value(
      {
        message: `container ${id} and ${id.slice(0, 12)}`,
        Pid: 12,
        At: now / 1000,
        Path: '/state/x',
        IP: '172.17.0.2',
        Gone: '0001-01-01T00:00:00Z',
      },
      '/',
    ),
    {
      message: 'container <id web> and <short web>',
      Pid: '<pid>',
      At: '<time>',
      Path: '<root>/x',
      IP: '<ip>',
      Gone: '0001-01-01T00:00:00Z',
    },
  );
});

test('the short form of an id that begins with digits only is one as well', () => {
  const docker = new DockerNormaliser({ written: '', places: new Map(), now: () => now / 1000 });
  docker.value({ Id: `304995986518${'ab12'.repeat(13)}` }, '/v1.50/containers/create?name=web');
  assert.deepEqual(docker.value({ Hostname: '304995986518', Other: '123456789012' }, '/'), { Hostname: '<short web>', Other: '123456789012' });
});

test('integers beyond what a double holds keep their digits', () => {
  assert.deepEqual(parseExactJson('{"a":9223372036854775807,"b":1.5,"c":12}'), { a: '<integer 9223372036854775807>', b: 1.5, c: 12 });
});

test('references reach into saved answers, and say where they lead nowhere', () => {
  const saved = new Map<string, unknown>([['cm', { metadata: { uid: 'u' }, items: [{ n: 3 }] }]]);
  assert.equal(substitute('${cm.metadata.uid}/${cm.items.0.n}/${x*3}', saved), 'u/3/xxx');
  assert.throws(() => substitute('${none.a}', saved), /no step has saved "none"/);
  assert.throws(() => substitute('${cm.metadata}', saved), /not to a string or number/);
});

test('views reduce what is large', () => {
  assert.deepEqual(view('keys 2', { b: { x: 1 }, a: 2 }), { a: '<number>', b: { x: '<here>' } });
  assert.deepEqual(view('sort l', { l: [3, 1] }), { l: [1, 3] });
  assert.deepEqual(view('pick b', { a: 1, b: 2 }), { b: 2 });
  assert.deepEqual(
    view('schemas X', {
      components: { schemas: { X: { description: 'prose', properties: { description: { type: 'string', default: '' } } } } },
    }),
    { X: { properties: { description: { type: 'string' } } } },
  );
  assert.throws(() => view('fly', {}), /there is no view called "fly"/);
});
