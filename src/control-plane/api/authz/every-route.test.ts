// Walks every route that is served, as somebody who may nothing, and wants a refusal; a route that this file knows nothing of fails the test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { serve, type Call, type Served } from '../server.test-helper.ts';

let served: Served;
let foreign: string;
before(async () => {
  served = await serve();
  const account = await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  await served.make('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'all-for-default' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
  });
  // The account may do everything; this token is for somebody else's ears.
  foreign = served.api.tokens.issue({
    namespace: 'default',
    name: 'default',
    uid: account.metadata!.uid!,
    audiences: ['vault'],
    expirationSeconds: 3600,
  }).token;
});
after(() => served.close());

interface Route {
  readonly method: string;
  readonly path: string;
}

const METHODS: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};
const COLLECTION = new Set(['list', 'watch', 'create', 'deletecollection']);

/** Every method on every path of a resource and its subresources. */
function routesOf(row: ResourceInfo): Route[] {
  const root = row.group === '' ? `/api/${row.version}` : `/apis/${row.group}/${row.version}`;
  const base = `${root}${row.namespaced ? '/namespaces/default' : ''}/${row.resource}`;
  const of = (path: string, verb: string): Route => {
    const method = METHODS[verb];
    assert.ok(method !== undefined, `the verb ${verb} of ${row.resource} is not known to this test`);
    return { method, path: `${path}${verb === 'watch' ? '?watch=1' : ''}` };
  };
  const own = row.verbs.map((verb) => of(COLLECTION.has(verb) ? base : `${base}/x`, verb));
  const everywhere = row.namespaced && row.verbs.includes('list') ? [of(`${root}/${row.resource}`, 'list'), of(`${root}/${row.resource}`, 'watch')] : [];
  const below = row.subresources.flatMap((sub) => sub.verbs.map((verb) => of(`${base}/x/${sub.name}`, verb)));
  const proxied = row.subresources.some((sub) => sub.name === 'proxy')
    ? ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => ({ method, path: `${base}/x/proxy/deep/path` }))
    : [];
  return [...own, ...everywhere, ...below, ...proxied];
}

function allRoutes(): Route[] {
  return [...served.api.resources.all()].flatMap(routesOf);
}

/** Every one of them must be refused with `status`, but for those that `except` names. */
async function walk(call: Call, status: number, except: ReadonlySet<string> = new Set()): Promise<number> {
  const bad: string[] = [];
  let walked = 0;
  for (const { method, path } of allRoutes()) {
    const key = `${method} ${path}`;
    const answer = await served.call(method, path, {
      ...call,
      headOnly: true,
      ...(method !== 'GET' &&
        method !== 'DELETE' && { body: {}, type: method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
    });
    walked++;
    if (except.has(key) ? answer.status === 401 || answer.status === 403 : answer.status !== status) bad.push(`${key}: ${answer.status}`);
  }
  assert.deepEqual(bad, []);
  return walked;
}

test('nobody in particular is refused on every route of every resource', async () => {
  assert.ok(await walk({ token: '' }, 403) > 400, 'fewer routes than there are kinds: the walk has a hole');
});

/** What every user may: ask about themselves. */
const FOR_ALL = new Set([
  'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
  'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
  'POST /apis/authentication.k8s.io/v1/selfsubjectreviews',
]);

test('a user without rights is refused on every route but the questions about themselves', async () => {
  await walk({ token: 'nobody-token' }, 403, FOR_ALL);
});

/**
 * What a node may beyond the questions about itself. Routes that end at admission are here as well, since authorisation lets them by; node.test.ts
 * shows that NodeRestriction then refuses what is another node's.
 */
const FOR_NODES = new Set([
  // What there is one of for all nodes: Services and what routes to them, classes, drivers.
  'GET /api/v1/namespaces/default/endpoints/x',
  'GET /api/v1/namespaces/default/services/x',
  'GET /api/v1/namespaces/default/services',
  'GET /api/v1/namespaces/default/services?watch=1',
  'GET /api/v1/services',
  'GET /api/v1/services?watch=1',
  'GET /apis/storage.k8s.io/v1/csidrivers/x',
  'GET /apis/storage.k8s.io/v1/csidrivers',
  'GET /apis/storage.k8s.io/v1/csidrivers?watch=1',
  'GET /apis/node.k8s.io/v1/runtimeclasses/x',
  'GET /apis/node.k8s.io/v1/runtimeclasses',
  'GET /apis/node.k8s.io/v1/runtimeclasses?watch=1',
  // Telling what happens.
  'POST /api/v1/namespaces/default/events',
  'PATCH /api/v1/namespaces/default/events/x',
  'PUT /api/v1/namespaces/default/events/x',
  'POST /apis/events.k8s.io/v1/namespaces/default/events',
  'PATCH /apis/events.k8s.io/v1/namespaces/default/events/x',
  'PUT /apis/events.k8s.io/v1/namespaces/default/events/x',
  // Asking who somebody is and what they may, for the node's own doors; and for a new certificate.
  'POST /apis/authentication.k8s.io/v1/tokenreviews',
  'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
  'POST /apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews',
  'POST /apis/certificates.k8s.io/v1/certificatesigningrequests',
  'GET /apis/certificates.k8s.io/v1/certificatesigningrequests/x',
  'GET /apis/certificates.k8s.io/v1/certificatesigningrequests',
  'GET /apis/certificates.k8s.io/v1/certificatesigningrequests?watch=1',
  // Its own Node, pods and drivers, which admission tells from those of others.
  'POST /api/v1/nodes',
  'PUT /api/v1/nodes/x',
  'PUT /api/v1/nodes/x/status',
  'POST /api/v1/namespaces/default/pods',
  'DELETE /api/v1/namespaces/default/pods/x',
  'POST /api/v1/namespaces/default/pods/x/eviction',
  'PATCH /api/v1/namespaces/default/pods/x/status',
  'PUT /api/v1/namespaces/default/pods/x/status',
  'POST /apis/storage.k8s.io/v1/csinodes',
]);

test('another node is refused on every route but those that are every node’s', async () => {
  await served.make('/api/v1/nodes', { metadata: { name: 'x' } });
  await walk({ token: 'node-b-token' }, 403, new Set([...FOR_ALL, ...FOR_NODES]));
});

test("an almighty account's token for another audience is no token here", async () => {
  await walk({ token: foreign }, 401);
});

test('forged headers of an authenticating proxy make nobody anybody', async () => {
  await walk({ token: '', headers: { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters', 'x-remote-extra-scopes': 'all' } }, 403);
});

test('a second namespace is as closed as the first: an edit in one gives nothing in another', async () => {
  await served.make('/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/rolebindings', {
    metadata: { name: 'edit' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }],
  });
  await walk({ token: 'nobody-token' }, 403, FOR_ALL);
  assert.equal((await served.call('GET', '/api/v1/namespaces/kube-public/pods', { token: 'nobody-token' })).status, 200);
  assert.equal((await served.call('DELETE', '/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/rolebindings/edit')).status, 200);
});

/** Who may read the paths that are no resource: everyone, all who are authenticated, or service accounts' verifiers and admins. */
const PATHS: Readonly<Record<string, 'anyone' | 'authenticated' | 'privileged'>> = {
  '/healthz': 'anyone',
  '/livez': 'anyone',
  '/readyz': 'anyone',
  '/version': 'anyone',
  '/version/': 'anyone',
  '/': 'privileged',
  '/metrics': 'privileged',
  '/healthz/': 'privileged',
  '/livez/': 'privileged',
  '/readyz/': 'privileged',
  '/.well-known/openid-configuration': 'privileged',
  '/openid/v1/jwks': 'privileged',
  '/api': 'authenticated',
  '/api/': 'authenticated',
  '/apis': 'authenticated',
  '/apis/': 'authenticated',
  '/openapi/v2': 'authenticated',
  '/openapi/v3': 'authenticated',
  '/openapi/v3/': 'authenticated',
};

test('every path beside the resources lets in whom it should, and the list of paths is complete', async () => {
  const listed = (await served.call('GET', '/')).json<{ paths: string[] }>().paths;
  assert.deepEqual(listed.toSorted(), Object.keys(PATHS).toSorted(), 'a path that this test does not know is served');
  const open = async (path: string, call: Call): Promise<boolean> => {
    const { status } = await served.call('GET', path, call);
    return status !== 401 && status !== 403;
  };
  for (const [path, who] of Object.entries(PATHS)) {
    assert.equal(await open(path, { token: '' }), who === 'anyone', `${path} for nobody in particular`);
    assert.equal(await open(path, { token: 'nobody-token' }), who !== 'privileged', `${path} for an authenticated user`);
    assert.equal(await open(path, { token: foreign }), false, `${path} for a foreign token`);
    assert.equal(await open(path, {}), true, `${path} for an admin`);
  }
});

test('the walk would notice an open door', async () => {
  await served.make('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'open-door' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:unauthenticated' }],
  });
  await assert.rejects(walk({ token: '' }, 403), /GET \/api\/v1\/namespaces\/default\/configmaps: 200/);
});
