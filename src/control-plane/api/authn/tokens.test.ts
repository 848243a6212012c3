import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Clock } from '../../../lib/clock.ts';
import { systemClock } from '../../../lib/clock.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import { newKey } from '../pki/certificate.ts';
import { serve, type Served } from '../server.test-helper.ts';
import { keyIdOf, signJwt } from './jwt.ts';

/** The system's clock, which can be put forward. */
class MovedClock implements Clock {
  offset = 0;
  now = (): number => Date.now() + this.offset;
  monotonic = (): number => performance.now();
  after: Clock['after'] = (ms, fn) => systemClock.after(ms, fn);
  sleep: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms, signal);
}

let served: Served;
const clock = new MovedClock();
let pod: KubeObject;

before(async () => {
  served = await serve({ clock });
  await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  pod = await served.make('/api/v1/namespaces/default/pods', { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
});
after(() => served.close());

const who = async (token: string): Promise<{ status: number; username?: string; groups?: string[]; extra?: Record<string, string[]> }> => {
  const answer = await served.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { token, body: {} });
  return answer.status === 201 ? { status: 201, ...answer.json<{ status: { userInfo: object } }>().status.userInfo } : { status: answer.status };
};
const request = async (spec: object, name = 'default'): Promise<{ status: { token: string; expirationTimestamp: string } } & Status> =>
  (await served.call('POST', `/api/v1/namespaces/default/serviceaccounts/${name}/token`, { body: { spec } })).json();

describe('service-account tokens', () => {
  test('a token bound to a pod speaks for its account, and tells which pod', async () => {
    const { status } = await request({ audiences: [], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: pod.metadata!.uid } });
    const user = await who(status.token);
    assert.equal(user.username, 'system:serviceaccount:default:default');
    assert.deepEqual(user.groups, ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated']);
    assert.deepEqual(user.extra!['authentication.kubernetes.io/pod-name'], ['p']);
    assert.equal(Date.parse(status.expirationTimestamp) - clock.now() > 3_500_000, true);
  });

  test('it ends with its pod, with its account, and with its time', async () => {
    const other = await served.make('/api/v1/namespaces/default/pods', {
      metadata: { name: 'short' },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'i' }] },
    });
    const bound = (
      await request({ audiences: [], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'short', uid: other.metadata!.uid } })
    ).status.token;
    assert.equal((await who(bound)).status, 201);
    await served.call('DELETE', '/api/v1/namespaces/default/pods/short?gracePeriodSeconds=0');
    assert.equal((await who(bound)).status, 401);

    await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'brief' } });
    const brief = (await request({ audiences: [] }, 'brief')).status.token;
    assert.equal((await who(brief)).status, 201);
    await served.call('DELETE', '/api/v1/namespaces/default/serviceaccounts/brief');
    assert.equal((await who(brief)).status, 401);
    await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'brief' } });
    assert.equal((await who(brief)).status, 401, 'an account of the same name is another account');

    const { token } = (await request({ audiences: [], expirationSeconds: 600 })).status;
    assert.equal((await who(token)).status, 201);
    clock.offset = 601_000;
    assert.equal((await who(token)).status, 401);
    clock.offset = -120_000;
    assert.equal((await who(token)).status, 401, 'not before its time either');
    clock.offset = 0;
  });

  test('for another audience, forged, unsigned, or signed with our public key as a secret: no', async () => {
    const { token: elsewhere } = (await request({ audiences: ['vault'] })).status;
    assert.equal((await who(elsewhere)).status, 401);
    const review = (
      await served.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
        body: { spec: { token: elsewhere, audiences: ['vault', 'x'] } },
      })
    ).json<{ status: object }>();
    assert.deepEqual(review.status, { ...review.status, authenticated: true, audiences: ['vault'] }, 'there it holds');

    const good = (await request({ audiences: [] })).status.token;
    const [head, body, signature] = good.split('.') as [string, string, string];
    const key = served.api.tokens.keys[0]!;
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
    const hmacHead = encode({ alg: 'HS256', kid: key.id });
    const stranger = await newKey();
    const forged: Readonly<Record<string, string>> = {
      'alg none': `${encode({ alg: 'none' })}.${body}.`,
      'alg none, signature kept': `${encode({ alg: 'none', kid: key.id })}.${body}.${signature}`,
      'HMAC with the public key': `${hmacHead}.${body}.${createHmac('sha256', pem).update(`${hmacHead}.${body}`).digest('base64url')}`,
      'changed claims': `${head}.${encode({ ...claims, sub: 'system:serviceaccount:kube-system:admin' })}.${signature}`,
      'RS256 by name': `${encode({ alg: 'RS256', kid: key.id })}.${body}.${signature}`,
      'a key of somebody else': signJwt(claims, { id: key.id, ...stranger }),
      'a key of somebody else, under its own name': signJwt(claims, { id: keyIdOf(stranger.publicKey), ...stranger }),
      'no expiry': signJwt({ ...claims, exp: undefined }, key),
      'another issuer': signJwt({ ...claims, iss: 'https://elsewhere' }, key),
      'an account that its subject does not name': signJwt({ ...claims, sub: 'system:serviceaccount:default:other' }, key),
      'an endless token': `a.${'b'.repeat(20_000)}.c`,
      'nonsense': 'nonsense',
    };
    for (const [name, token] of Object.entries(forged)) assert.equal((await who(token)).status, 401, name);
    assert.equal((await who(good)).status, 201);
  });

  test('what may be asked for is bounded', async () => {
    assert.match(
      (await request({ audiences: [], expirationSeconds: 60 })).message ?? '',
      /spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes/,
    );
    assert.match((await request({ audiences: [] }, 'nobody')).message ?? '', /serviceaccounts "nobody" not found/);
    assert.match(
      (await request({ audiences: [], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: 'other' } })).message ?? '',
      /the UID in the bound object reference \(other\) does not match/,
    );
    assert.match(
      (await request({ audiences: [], boundObjectRef: { kind: 'ConfigMap', apiVersion: 'v1', name: 'p' } })).message ?? '',
      /cannot bind token to object of type \/v1, Kind=ConfigMap/,
    );
  });
});

describe('other credentials', () => {
  const bootstrap = (extra: Record<string, string>): Record<string, unknown> => ({
    metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
      ...extra,
    },
  });

  test('a bootstrap token is a user of its own until it expires', async () => {
    await served.make('/api/v1/namespaces/kube-system/secrets', bootstrap({ expiration: new Date(Date.now() + 60_000).toISOString() }));
    const user = await who('abcdef.0123456789abcdef');
    assert.deepEqual(
      [user.username, user.groups],
      ['system:bootstrap:abcdef', ['system:bootstrappers', 'system:bootstrappers:workers', 'system:authenticated']],
    );
    assert.equal((await who('abcdef.0123456789abcdee')).status, 401);
    clock.offset = 61_000;
    assert.equal((await who('abcdef.0123456789abcdef')).status, 401);
    clock.offset = 0;
    assert.equal(
      (
        await served.call('POST', '/apis/certificates.k8s.io/v1/certificatesigningrequests?dryRun=All', {
          token: 'abcdef.0123456789abcdef',
          body: {},
        })
      ).status,
      422,
      'it may ask for a certificate (and this request is empty)',
    );
    assert.equal((await served.call('GET', '/api/v1/nodes', { token: 'abcdef.0123456789abcdef' })).status, 403);
  });

  test('client certificates: common name and organizations; a stranger’s certificate is refused', async () => {
    const mine = await served.api.authority.issue({ commonName: 'carol', organizations: ['dev', 'ops'] }, 'client');
    const shown = await served.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      token: '',
      body: {},
      cert: mine.certificate,
      key: mine.key,
    });
    assert.deepEqual(shown.json<{ status: { userInfo: object } }>().status.userInfo, {
      username: 'carol',
      groups: ['dev', 'ops', 'system:authenticated'],
    });
    const { serve: other } = await import('../server.test-helper.ts');
    const stranger = await other();
    try {
      const theirs = await stranger.api.authority.issue({ commonName: 'kubernetes-admin', organizations: ['system:masters'] }, 'client');
      assert.equal((await served.call('GET', '/version', { token: '', cert: theirs.certificate, key: theirs.key })).status, 401);
      const server = await served.api.authority.issue({ commonName: 'kubernetes-admin', organizations: ['system:masters'] }, 'server');
      assert.equal(
        (await served.call('GET', '/version', { token: '', cert: server.certificate, key: server.key })).status,
        401,
        'a server’s certificate is no client’s',
      );
    } finally {
      await stranger.close();
    }
  });

  test('impersonation is authorised, part by part', async () => {
    const as = (token: string, headers: Record<string, string | string[]>): ReturnType<Served['call']> =>
      served.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { token, body: {}, headers });
    const dave = await as('admin-token', { 'impersonate-user': 'dave', 'impersonate-group': ['a', 'b'], 'impersonate-extra-scope': 'x' });
    assert.deepEqual(dave.json<{ status: { userInfo: object } }>().status.userInfo, {
      username: 'dave',
      groups: ['a', 'b', 'system:authenticated'],
      extra: { scope: ['x'] },
    });
    const refused = await as('nobody-token', { 'impersonate-user': 'dave' });
    assert.deepEqual(
      [refused.status, refused.json<Status>().message],
      [403, 'users "dave" is forbidden: User "nobody" cannot impersonate resource "users" in API group "" at the cluster scope'],
    );
    assert.equal((await as('admin-token', { 'impersonate-group': 'system:masters' })).status, 400);
    const account = await as('admin-token', { 'impersonate-user': 'system:serviceaccount:ns:sa' });
    assert.deepEqual(account.json<{ status: { userInfo: { groups: string[] } } }>().status.userInfo.groups, [
      'system:serviceaccounts',
      'system:serviceaccounts:ns',
      'system:authenticated',
    ]);
    await served.make('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
      metadata: { name: 'impersonate-dave' },
      rules: [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['dave'] }],
    });
    await served.make('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'impersonate-dave' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'impersonate-dave' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'nobody' }],
    });
    assert.equal((await as('nobody-token', { 'impersonate-user': 'dave' })).status, 201);
    assert.equal((await as('nobody-token', { 'impersonate-user': 'dave', 'impersonate-group': 'system:masters' })).status, 403);
  });

  test('broken credentials are refused even where nobody in particular may go', async () => {
    assert.equal((await served.call('GET', '/healthz', { token: '', headers: { authorization: 'Bearer nope' } })).status, 401);
    for (const authorization of ['Basic YTpi', 'nope', 'Bearer']) {
      assert.equal(
        (await served.call('GET', '/api', { token: '', headers: { authorization } })).status,
        403,
        `${authorization} is no credential that anybody knows here`,
      );
    }
  });
});
