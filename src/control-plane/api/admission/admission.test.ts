import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import { serve, type Answer, type Served } from '../server.test-helper.ts';
import { formatQuantity, quantity } from './quantity.ts';

let served: Served;
before(async () => {
  served = await serve();
  await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
});
after(() => served.close());

let count = 0;
/** A namespace of its own for a test, with its default account. */
async function namespace(labels: Record<string, string> = {}): Promise<string> {
  const name = `test-${++count}`;
  await served.make('/api/v1/namespaces', { metadata: { name, labels } });
  await served.make(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' }, imagePullSecrets: [{ name: 'pull' }] });
  return name;
}
const create = (ns: string, pod: object, query = ''): Promise<Answer> => served.call('POST', `/api/v1/namespaces/${ns}/pods${query}`, { body: pod });
const plain = (name: string, spec: object = {}): object => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } });
const message = (answer: Answer): string => answer.json<Status>().message ?? '';

describe('service accounts', () => {
  test('a pod gets its account, the pull secrets and a token', async () => {
    const ns = await namespace();
    const { spec } = (await create(ns, plain('p', { initContainers: [{ name: 'i', image: 'i' }] }))).json<Required<Pod>>();
    assert.deepEqual([spec.serviceAccountName, spec.serviceAccount, spec.imagePullSecrets], ['default', 'default', [{ name: 'pull' }]]);
    const volume = spec.volumes![0]!;
    assert.match(volume.name, /^kube-api-access-[a-z0-9]{5}$/);
    assert.deepEqual(volume.projected, {
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
    });
    for (const container of [...spec.containers, ...spec.initContainers!]) {
      assert.deepEqual(container.volumeMounts, [
        { name: volume.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
      ]);
    }
  });

  test('no token where pod or account say so, or the place is taken', async () => {
    const ns = await namespace();
    assert.equal((await create(ns, plain('a', { automountServiceAccountToken: false }))).json<Pod>().spec?.volumes, undefined);
    const own = await create(
      ns,
      plain('b', {
        containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }] }],
        volumes: [{ name: 'v', emptyDir: {} }],
      }),
    );
    assert.deepEqual(
      own.json<Pod>().spec?.volumes?.map((volume) => volume.name),
      ['v'],
    );
  });

  test('a missing account is named', async () => {
    const answer = await create('default', plain('p', { serviceAccountName: 'ghost' }));
    assert.deepEqual(
      [answer.status, message(answer)],
      [403, 'pods "p" is forbidden: error looking up service account default/ghost: serviceaccount "ghost" not found'],
    );
  });

  test('an account that names the secrets of its pods keeps them from others, whatever the way to use one', async () => {
    const ns = await namespace();
    await served.make(`/api/v1/namespaces/${ns}/serviceaccounts`, {
      metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
      secrets: [{ name: 'mine' }],
      imagePullSecrets: [{ name: 'pull' }],
    });
    const key = (name: string): object => ({ env: [{ name: 'E', valueFrom: { secretKeyRef: { name, key: 'k' } } }] });
    const whole = (name: string): object => ({ envFrom: [{ secretRef: { name } }] });
    const uses = (name: string): readonly (readonly [object, RegExp])[] => [
      [
        { volumes: [{ name: 'v', secret: { secretName: name } }] },
        /volume with secret\.secretName="theirs" is not allowed because service account strict does not reference that secret$/,
      ],
      [{ volumes: [{ name: 'v', projected: { sources: [{ secret: { name } }] } }] }, /volume with/],
      [{ containers: [{ name: 'c', image: 'i', ...key(name) }] }, /: container c with envVar E referencing secret\.secretName="theirs"/],
      [{ containers: [{ name: 'c', image: 'i', ...whole(name) }] }, /: container c with envFrom referencing/],
      [{ initContainers: [{ name: 'n', image: 'i', ...whole(name) }] }, /: init container n with envFrom referencing/],
    ];
    for (const [at, [spec, why]] of uses('theirs').entries()) {
      const answer = await create(ns, plain(`bad-${at}`, { serviceAccountName: 'strict', ...spec }));
      assert.equal(answer.status, 403);
      assert.match(message(answer), why);
    }
    assert.match(
      message(await create(ns, plain('bad', { serviceAccountName: 'strict', imagePullSecrets: [{ name: 'theirs' }] }))),
      /imagePullSecrets\[0\]\.name="theirs" is not allowed/,
    );
    for (const [at, [spec]] of uses('mine').entries()) {
      assert.equal((await create(ns, plain(`good-${at}`, { serviceAccountName: 'strict', ...spec }))).status, 201);
    }
    // Nor by containers that come later.
    const debug = (extra: object): Promise<Answer> =>
      served.call('PATCH', `/api/v1/namespaces/${ns}/pods/good-0/ephemeralcontainers`, {
        type: 'application/strategic-merge-patch+json',
        body: { spec: { ephemeralContainers: [{ name: 'e', image: 'i', ...extra }] } },
      });
    for (const extra of [key('theirs'), whole('theirs')]) {
      assert.match(
        message(await debug(extra)),
        /ephemeral container e with env(Var E|From) referencing secret\.secretName="theirs" is not allowed/,
      );
    }
    assert.equal((await debug(whole('mine'))).status, 200);
  });

  test('a pod right after its namespace waits for the account', async () => {
    await served.make('/api/v1/namespaces', { metadata: { name: 'fresh' } });
    const waiting = create('fresh', plain('p'));
    await served.make('/api/v1/namespaces/fresh/serviceaccounts', { metadata: { name: 'default' } });
    assert.equal((await waiting).status, 201);
  });
});

describe('priority', () => {
  test('classes become numbers; a number of one’s own is refused', async () => {
    const ns = await namespace();
    const critical = (await create(ns, plain('a', { priorityClassName: 'system-node-critical' }))).json<Pod>();
    assert.deepEqual([critical.spec?.priority, critical.spec?.preemptionPolicy], [2_000_001_000, 'PreemptLowerPriority']);
    assert.equal((await create(ns, plain('b'))).json<Pod>().spec?.priority, 0);
    assert.match(message(await create(ns, plain('c', { priorityClassName: 'ghost' }))), /no PriorityClass with name ghost was found/);
    assert.match(
      message(await create(ns, plain('d', { priority: 7 }))),
      /the integer value of priority \(7\) must not be provided in pod spec; priority admission controller computed 0/,
    );
  });

  test('one class may be the default', async () => {
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
    await served.make(classes, { metadata: { name: 'usual' }, value: 5, globalDefault: true });
    const second = await served.call('POST', classes, { body: { metadata: { name: 'second' }, value: 6, globalDefault: true } });
    assert.match(message(second), /PriorityClass usual is already marked as default/);
    const pod = (await create(await namespace(), plain('p'))).json<Pod>();
    assert.deepEqual([pod.spec?.priority, pod.spec?.priorityClassName], [5, 'usual']);
    await served.call('DELETE', `${classes}/usual`);
  });
});

describe('what pods and nodes get by themselves', () => {
  test('tolerations for five minutes, unless they have their own', async () => {
    const ns = await namespace();
    const both = (await create(ns, plain('a'))).json<Pod>().spec?.tolerations;
    assert.deepEqual(
      both,
      ['not-ready', 'unreachable'].map((key) => ({
        key: `node.kubernetes.io/${key}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
    );
    const own = (await create(ns, plain('b', { tolerations: [{ operator: 'Exists' }] }))).json<Pod>().spec?.tolerations;
    assert.deepEqual(own, [{ operator: 'Exists' }]);
  });

  test('a new node is not ready', async () => {
    const node = await served.make('/api/v1/nodes', { metadata: { name: 'n1' } }) as { spec?: { taints?: unknown } };
    assert.deepEqual(node.spec?.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
  });

  test('claims and ingresses get the newest default class', async () => {
    await served.make('/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'p',
    });
    await served.make('/apis/storage.k8s.io/v1/storageclasses', { metadata: { name: 'other' }, provisioner: 'p' });
    const claim = (await served.make(`/api/v1/namespaces/default/persistentvolumeclaims`, {
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })) as { spec?: { storageClassName?: string } };
    assert.equal(claim.spec?.storageClassName, 'standard');
  });

  test('the namespaces that a cluster needs stay', async () => {
    for (const name of ['default', 'kube-system', 'kube-public']) {
      const answer = await served.call('DELETE', `/api/v1/namespaces/${name}`);
      assert.deepEqual([answer.status, message(answer)], [403, `namespaces "${name}" is forbidden: this namespace may not be deleted`]);
    }
  });
});

describe('limit ranges', () => {
  test('defaults and bounds', async () => {
    const ns = await namespace();
    await served.make(`/api/v1/namespaces/${ns}/limitranges`, {
      metadata: { name: 'l' },
      spec: {
        limits: [
          {
            type: 'Container',
            default: { cpu: '500m', memory: '256Mi' },
            defaultRequest: { cpu: '100m' },
            min: { cpu: '50m' },
            max: { cpu: '1', memory: '1Gi' },
            maxLimitRequestRatio: { cpu: '10' },
          },
          { type: 'Pod', max: { cpu: '2' } },
        ],
      },
    });
    const pod = (await create(ns, plain('p'))).json<Pod>();
    assert.deepEqual(pod.spec?.containers[0]?.resources, {
      limits: { cpu: '500m', memory: '256Mi' },
      requests: { cpu: '100m', memory: '256Mi' },
    });
    assert.match(
      pod.metadata?.annotations?.['kubernetes.io/limit-ranger'] ?? '',
      /^LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c$/,
    );
    const resources = (value: object): object => plain('q', { containers: [{ name: 'c', image: 'i', resources: value }] });
    assert.match(message(await create(ns, resources({ limits: { cpu: '2' } }))), /maximum cpu usage per Container is 1, but limit is 2/);
    assert.match(
      message(await create(ns, resources({ requests: { cpu: '10m' } }))),
      /minimum cpu usage per Container is 50m, but request is 10m/,
    );
    assert.match(
      message(await create(ns, resources({ requests: { cpu: '50m' }, limits: { cpu: '900m' } }))),
      /cpu max limit to request ratio per Container is 10, but provided ratio is 18\.000000/,
    );
    const three = plain('r', {
      containers: ['a', 'b', 'c'].map((name) => ({ name, image: 'i', resources: { limits: { cpu: '900m' }, requests: { cpu: '900m' } } })),
    });
    assert.match(message(await create(ns, three)), /maximum cpu usage per Pod is 2, but limit is 2700m/);
  });
});

describe('quotas', () => {
  test('counts and sums, and a crowd that comes at once', async () => {
    const ns = await namespace();
    await served.make(`/api/v1/namespaces/${ns}/resourcequotas`, {
      metadata: { name: 'q' },
      spec: { hard: { pods: '3', 'requests.cpu': '1', 'count/configmaps': '1' } },
    });
    assert.match(message(await create(ns, plain('none'))), /failed quota: q: must specify requests\.cpu for: c/);
    const pod = (name: string, cpu: string): object => plain(name, { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] });
    assert.match(message(await create(ns, pod('big', '2'))), /exceeded quota: q, requested: requests\.cpu=2, used: requests\.cpu=0, limited: requests\.cpu=1/);
    const crowd = await Promise.all(Array.from({ length: 12 }, (_, n) => create(ns, pod(`p${n}`, '100m'))));
    assert.equal(crowd.filter((answer) => answer.status === 201).length, 3);
    assert.match(message(crowd.find((answer) => answer.status === 403)!), /exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3/);
    await served.make(`/api/v1/namespaces/${ns}/configmaps`, { metadata: { name: 'one' } });
    assert.equal((await served.call('POST', `/api/v1/namespaces/${ns}/configmaps`, { body: { metadata: { name: 'two' } } })).status, 403);
    assert.equal((await served.call('DELETE', `/api/v1/namespaces/${ns}/configmaps/one`)).status, 200);
    await served.make(`/api/v1/namespaces/${ns}/configmaps`, { metadata: { name: 'two' } });
  });
});

describe('pod security', () => {
  test('baseline and restricted, in upstream’s words', async () => {
    const baseline = await namespace({ 'pod-security.kubernetes.io/enforce': 'baseline' });
    const restricted = await namespace({
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/enforce-version': 'v1.36',
    });
    const bad = plain('bad', {
      hostNetwork: true,
      containers: [{ name: 'c', image: 'i', securityContext: { privileged: true }, ports: [{ containerPort: 80, hostPort: 80 }] }],
      volumes: [{ name: 'v', hostPath: { path: '/' } }],
    });
    assert.equal(
      message(await create(baseline, bad)),
      'pods "bad" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "v"), hostPort (container "c" uses hostPort 80), privileged (container "c" must not set securityContext.privileged=true)',
    );
    assert.equal((await create(baseline, plain('good'))).status, 201);
    assert.equal(
      message(await create(restricted, plain('p'))),
      'pods "p" is forbidden: violates PodSecurity "restricted:v1.36": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    const good = plain('good', {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ name: 'c', image: 'i', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
    });
    assert.equal((await create(restricted, good)).status, 201);
    const debug = await served.call('PATCH', `/api/v1/namespaces/${restricted}/pods/good/ephemeralcontainers`, {
      type: 'application/strategic-merge-patch+json',
      body: { spec: { ephemeralContainers: [{ name: 'e', image: 'i', securityContext: { privileged: true } }] } },
    });
    assert.equal(debug.status, 403, 'an ephemeral container is a container');
  });

  test('warnings for pods and for what makes pods', async () => {
    const ns = await namespace({ 'pod-security.kubernetes.io/warn': 'restricted' });
    assert.match(
      String((await create(ns, plain('p'))).headers.warning),
      /would violate PodSecurity \\"restricted:latest\\": allowPrivilegeEscalation != false/,
    );
    const deployment = {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    };
    const made = await served.call('POST', `/apis/apps/v1/namespaces/${ns}/deployments`, { body: deployment });
    assert.equal(made.status, 201, made.text);
    assert.match(String(made.headers.warning), /would violate/);
    const odd = await served.call('POST', '/api/v1/namespaces', {
      body: { metadata: { name: 'odd', labels: { 'pod-security.kubernetes.io/enforce': 'none' } } },
    });
    assert.equal(odd.status, 422);
  });
});

describe('rights given away', () => {
  const RBAC = '/apis/rbac.authorization.k8s.io/v1';
  test('nobody gives what they do not have, unless they may escalate or bind', async () => {
    const ns = await namespace();
    const grant = (name: string, rules: object[]): Promise<Answer> =>
      served.call('POST', `${RBAC}/namespaces/${ns}/roles`, { token: 'nobody-token', body: { metadata: { name }, rules } });
    const bind = (name: string, role: string): Promise<Answer> =>
      served.call('POST', `${RBAC}/namespaces/${ns}/rolebindings`, {
        token: 'nobody-token',
        body: {
          metadata: { name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
          subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'nobody' }],
        },
      });
    await served.make(`${RBAC}/namespaces/${ns}/rolebindings`, {
      metadata: { name: 'admin' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'nobody' }],
    });
    assert.equal((await grant('reader', [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }])).status, 201);
    const more = await grant('more', [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]);
    assert.equal(more.status, 403);
    assert.match(
      message(more),
      /user "nobody" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}/,
    );
    assert.equal((await bind('view', 'view')).status, 201);
    assert.equal((await bind('all', 'cluster-admin')).status, 403);
    const widened = await served.call('PATCH', `${RBAC}/namespaces/${ns}/roles/reader`, {
      token: 'nobody-token',
      type: 'application/merge-patch+json',
      body: { rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] },
    });
    assert.equal(widened.status, 403);
    const labelled = await served.call('PATCH', `${RBAC}/namespaces/${ns}/roles/reader`, {
      token: 'nobody-token',
      type: 'application/merge-patch+json',
      body: { metadata: { labels: { a: 'b' } } },
    });
    assert.equal(labelled.status, 200, 'an update that gives nothing is no matter');
  });

  test('a patch that would make an object needs the right to create it', async () => {
    const ns = await namespace();
    await served.make(`${RBAC}/namespaces/${ns}/roles`, {
      metadata: { name: 'patcher' },
      rules: [{ verbs: ['patch', 'get'], apiGroups: [''], resources: ['configmaps'] }],
    });
    await served.make(`${RBAC}/namespaces/${ns}/rolebindings`, {
      metadata: { name: 'patcher' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'patcher' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'nobody' }],
    });
    const apply = (name: string): Promise<Answer> =>
      served.call('PATCH', `/api/v1/namespaces/${ns}/configmaps/${name}?fieldManager=me`, {
        token: 'nobody-token',
        type: 'application/apply-patch+yaml',
        body: 'apiVersion: v1\nkind: ConfigMap\n',
      });
    const refused = await apply('new');
    assert.deepEqual([refused.status, /cannot create resource "configmaps"/.test(message(refused))], [403, true]);
    await served.make(`/api/v1/namespaces/${ns}/configmaps`, { metadata: { name: 'old' } });
    assert.equal((await apply('old')).status, 200);
  });
});

test('quantities as numbers and back', () => {
  const cases: readonly [string, number][] = [
    ['100m', 0.1],
    ['1', 1],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2e3', 2000],
    ['1E', 1e18],
    ['500Ki', 512_000],
    ['-1', -1],
    ['.5', 0.5],
  ];
  for (const [text, value] of cases) assert.equal(quantity(text), value, text);
  assert.ok(Number.isNaN(quantity('1x')));
  assert.deepEqual(
    [formatQuantity(2.7, 'cpu'), formatQuantity(2, 'cpu'), formatQuantity(3 * 2 ** 30, 'bytes'), formatQuantity(1500, 'bytes')],
    ['2700m', '2', '3Gi', '1500'],
  );
});
