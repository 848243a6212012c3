import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import type { Status } from '../../types/kubernetes/status.ts';
import { serve, type Served } from './server.test-helper.ts';

let served: Served;
before(async () => {
  served = await serve();
});
after(() => served.close());

type Loose = KubeObject & Record<string, never>;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

describe('the life of an object over HTTPS', () => {
  test('create, get, list, update with conflict, patch in three ways, delete', async () => {
    const call = (...args: Parameters<Served['call']>) => served.call(...args);
    const made = await call('POST', CONFIG_MAPS, { body: { metadata: { name: 'life', labels: { a: 'b' } }, data: { x: '1' } } });
    assert.equal(made.status, 201);
    assert.equal(made.headers['content-type'], 'application/json');
    const object = made.json<KubeObject>();
    assert.equal(object.kind, 'ConfigMap');
    const got = await call('GET', `${CONFIG_MAPS}/life`);
    assert.deepEqual(got.json(), object);
    const list = (await call('GET', `${CONFIG_MAPS}?labelSelector=a%3Db`)).json<{ kind: string; items: Loose[] }>();
    assert.equal(list.kind, 'ConfigMapList');
    assert.deepEqual(
      list.items.map((item) => [item.kind, item.apiVersion, item.metadata?.name]),
      [[undefined, undefined, 'life']],
      'items of a list have no kind of their own',
    );
    const stale = await call('PUT', `${CONFIG_MAPS}/life`, { body: { ...object, metadata: { ...object.metadata, resourceVersion: '1' } } });
    assert.equal(stale.status, 409);
    assert.equal(stale.json<Status>().reason, 'Conflict');
    const merged = await call('PATCH', `${CONFIG_MAPS}/life`, { type: 'application/merge-patch+json', body: { data: { x: null, y: '2' } } });
    assert.deepEqual([merged.status, merged.json<{ data: unknown }>().data], [200, { y: '2' }]);
    const pointed = await call('PATCH', `${CONFIG_MAPS}/life`, { type: 'application/json-patch+json', body: [{ op: 'add', path: '/data/z', value: '3' }] });
    assert.deepEqual(pointed.json<{ data: unknown }>().data, { y: '2', z: '3' });
    const applied = await call('PATCH', `${CONFIG_MAPS}/life?fieldManager=me&force=true`, {
      type: 'application/apply-patch+yaml',
      body: 'apiVersion: v1\nkind: ConfigMap\ndata:\n  w: "4"\n',
    });
    assert.equal(applied.status, 200, applied.text);
    const gone = await call('DELETE', `${CONFIG_MAPS}/life`);
    assert.deepEqual(gone.json(), {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'life', kind: 'configmaps', uid: object.metadata?.uid },
    });
    assert.equal((await call('GET', `${CONFIG_MAPS}/life`)).status, 404);
  });

  test('YAML bodies and answers', async () => {
    const made = await served.call('POST', CONFIG_MAPS, {
      type: 'application/yaml',
      body: 'metadata:\n  name: from-yaml\ndata: {k: v}\n',
      headers: { accept: 'application/yaml' },
    });
    assert.equal(made.status, 201);
    assert.match(made.text, /^apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  creationTimestamp: "/);
    assert.doesNotMatch(made.text, / [&*]a1/);
  });

  test('Tables and bare metadata for those who ask', async () => {
    await served.make(CONFIG_MAPS, { metadata: { name: 'rows' }, data: { a: '', b: '' } });
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const table = (await served.call('GET', `${CONFIG_MAPS}?fieldSelector=metadata.name%3Drows`, { headers: { accept } })).json<{
      kind: string;
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[]; object: KubeObject }[];
    }>();
    assert.equal(table.kind, 'Table');
    assert.deepEqual(table.columnDefinitions.map((column) => column.name), ['Name', 'Data', 'Age']);
    assert.deepEqual(table.rows[0]!.cells.slice(0, 2), ['rows', 2]);
    assert.equal(table.rows[0]!.object.kind, 'PartialObjectMetadata');
    await served.make('/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'scaled' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'scaled' } },
        template: { metadata: { labels: { app: 'scaled' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const scale = (await served.call('GET', '/apis/apps/v1/namespaces/default/deployments/scaled/scale', { headers: { accept } })).json<{
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[] }[];
    }>();
    assert.deepEqual(
      scale.columnDefinitions.map((column) => column.name),
      ['Name', 'Desired', 'Available', 'Age'],
      'those of a Scale, not of the Deployment',
    );
    assert.deepEqual(scale.rows[0]!.cells.slice(0, 3), ['scaled', 3, 0]);
    const partial = (
      await served.call('GET', `${CONFIG_MAPS}/rows`, {
        headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
      })
    ).json<Loose>();
    assert.deepEqual([partial.kind, partial.metadata?.name, 'data' in partial], ['PartialObjectMetadata', 'rows', false]);
  });

  test('dry run leaves nothing behind', async () => {
    assert.equal((await served.call('POST', `${CONFIG_MAPS}?dryRun=All`, { body: { metadata: { name: 'dry' } } })).status, 201);
    assert.equal((await served.call('GET', `${CONFIG_MAPS}/dry`)).status, 404);
  });

  test('unknown and duplicate fields: warnings by default, refusal when strict', async () => {
    const body = '{"metadata":{"name":"odd"},"data":{"a":"1","a":"2"},"nope":1}';
    const warned = await served.call('POST', `${CONFIG_MAPS}?dryRun=All`, { body });
    assert.equal(warned.status, 201);
    assert.deepEqual(String(warned.headers.warning).split(', 299').length, 2);
    assert.match(String(warned.headers.warning), /299 - "duplicate field \\"data\.a\\""/);
    const strict = await served.call('POST', `${CONFIG_MAPS}?fieldValidation=Strict`, { body });
    assert.equal(strict.status, 400);
    assert.match(strict.json<Status>().message ?? '', /strict decoding error: duplicate field "data\.a"/);
  });
});

describe('answers to what is wrong', () => {
  const cases: readonly [string, string, string, object, number, RegExp][] = [
    ['unknown path', 'GET', '/foo', {}, 404, /^404 page not found/],
    ['unknown resource', 'GET', '/api/v1/foos', {}, 404, /the server could not find the requested resource/],
    ['unknown group', 'GET', '/apis/none.example/v1/foos', {}, 404, /^404 page not found/],
    ['method that is not served', 'PUT', '/api/v1/namespaces/default/pods', { body: {} }, 405, /does not allow this method/],
    ['method of a path', 'POST', '/version', { body: {} }, 405, /does not allow this method/],
    [
      'malformed JSON',
      'POST',
      CONFIG_MAPS,
      { body: '{"a":' },
      400,
      /the object provided is unrecognized \(must be of type ConfigMap\): couldn't get version\/kind; json parse error: unexpected end of JSON input \(\{\\"a\\":\)/,
    ],
    ['malformed YAML', 'POST', CONFIG_MAPS, { type: 'application/yaml', body: 'a: [' }, 400, /BadRequest/],
    ['two YAML documents', 'POST', CONFIG_MAPS, { type: 'application/yaml', body: 'a: 1\n---\nb: 2\n' }, 400, /more than one/],
    [
      'CBOR body',
      'POST',
      CONFIG_MAPS,
      { type: 'application/cbor', body: '{}' },
      415,
      /accepted media types include: application\/json, application\/yaml, application\/vnd.kubernetes.protobuf/,
    ],
    ['patch of an unknown type', 'PATCH', `${CONFIG_MAPS}/x`, { type: 'text/plain', body: '{}' }, 415, /415: Unsupported Media Type/],
    ['CBOR answer', 'GET', CONFIG_MAPS, { headers: { accept: 'application/cbor' } }, 406, /406: Not Acceptable[^]*application\/json;stream=watch/],
    ['bad limit', 'GET', `${CONFIG_MAPS}?limit=abc`, {}, 400, /parsing \\"abc\\": invalid syntax/],
    ['bad dryRun', 'POST', `${CONFIG_MAPS}?dryRun=yes`, { body: {} }, 422, /supported values: \\"All\\"/],
    [
      'apply without a manager',
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { type: 'application/apply-patch+yaml', body: '{}' },
      422,
      /fieldManager: Required value/,
    ],
    [
      'force without apply',
      'PATCH',
      `${CONFIG_MAPS}/x?force=1`,
      { type: 'application/merge-patch+json', body: '{}' },
      422,
      /may not be specified for non-apply patch/,
    ],
    ['bad escape', 'GET', '/api/v1/namespaces/%zz/pods', {}, 400, /invalid URL escape in the path/],
    ['body over the limit', 'POST', CONFIG_MAPS, { body: Buffer.alloc(3 * 1024 * 1024 + 1, 0x20) }, 413, /Request entity too large: limit is 3145728/],
  ];
  for (const [name, method, path, call, status, pattern] of cases) {
    test(name, async () => {
      const answer = await served.call(method, path, call);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, pattern);
      if (!answer.text.startsWith('404')) assert.equal(answer.json<Status>().kind, 'Status');
    });
  }

  for (const path of [
    '/api/v1/namespaces/../pods',
    '/api/v1/namespaces/%2e%2e/pods',
    '/api/v1/namespaces/default/configmaps/%2e%2e%2fsecrets',
    '/api/v1/namespaces/default%2fconfigmaps/x',
    '/api/v1//pods',
    '/api/v1/namespaces/default/configmaps/a%00b',
    '/api/v1/namespaces/default/configmaps/x%5c..',
  ]) {
    test(`no way out by ${path}`, async () => {
      assert.equal((await served.call('GET', path)).status, 404);
    });
  }

  test('hostile bodies are refused within 100 ms, and prototypes stay whole', async () => {
    const bodies: readonly [string, string][] = [
      ['application/json', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
      ['application/json', `{"metadata":{"name":"n"},"data":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`],
      [
        'application/yaml',
        `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, n) => `${'bcdefghij'[n]}: &${'bcdefghij'[n]} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[n]}`).join(',')}]`).join('\n')}\n`,
      ],
      ['application/json', '{"metadata":{"name":"n","generation":1e309}}'],
    ];
    for (const [type, body] of bodies) {
      const started = performance.now();
      const answer = await served.call('POST', `${CONFIG_MAPS}?fieldValidation=Strict`, { type, body });
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} for ${body.slice(0, 40)}`);
      assert.ok(performance.now() - started < 1000);
    }
    const polluted = await served.call('POST', CONFIG_MAPS, {
      body: '{"metadata":{"name":"proto","labels":{"__proto__":"x"}},"data":{"__proto__":"y","constructor":"z"}}',
    });
    assert.ok([201, 422].includes(polluted.status), polluted.text);
    for (const type of ['application/merge-patch+json', 'application/strategic-merge-patch+json']) {
      await served.call('PATCH', `${CONFIG_MAPS}/proto`, {
        type,
        body: '{"__proto__":{"polluted":true},"data":{"__proto__":"q"},"constructor":{"prototype":{"polluted":true}}}',
      });
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    assert.equal((await served.call('GET', '/readyz')).status, 200);
  });
});

describe('what is no resource', () => {
  test('version, health, metrics, OpenID', async () => {
    const version = (await served.call('GET', '/version')).json<{ major: string; minor: string; gitVersion: string }>();
    assert.deepEqual([version.major, version.minor, version.gitVersion], ['1', '36', 'v1.36.3']);
    assert.equal((await served.call('GET', '/healthz', { token: '' })).text, 'ok');
    assert.match((await served.call('GET', '/readyz?verbose')).text, /\[\+\]ping ok\n[^]*readyz check passed\n$/);
    assert.match((await served.call('GET', '/metrics')).text, /apiserver_request_total\{[^}]*verb="CREATE"/);
    const jwks = (await served.call('GET', '/openid/v1/jwks')).json<{ keys: { kty: string; alg: string; d?: string }[] }>();
    assert.deepEqual(jwks.keys.map((key) => [key.kty, key.alg, key.d]), [['EC', 'ES256', undefined]]);
    assert.equal((await served.call('GET', '/.well-known/openid-configuration')).json<{ issuer: string }>().issuer, served.api.tokens.issuer);
  });

  test('a failing check makes the server unready and names itself', async () => {
    let reason: string | undefined = 'the disk is full';
    served.api.addHealthCheck({ name: 'disk', readinessOnly: true, check: () => reason });
    const answer = await served.call('GET', '/readyz');
    assert.equal(answer.status, 500);
    assert.match(answer.text, /\[-\]disk failed/);
    assert.doesNotMatch(answer.text, /full/);
    assert.equal((await served.call('GET', '/livez')).status, 200);
    assert.equal((await served.call('GET', '/readyz?exclude=disk')).status, 200);
    reason = undefined;
    assert.equal((await served.call('GET', '/readyz/disk')).status, 200);
  });

  test('discovery in its old and new form', async () => {
    const groups = (await served.call('GET', '/apis')).json<{ groups: { name: string; preferredVersion: { version: string } }[] }>();
    assert.equal(groups.groups.find((group) => group.name === 'autoscaling')?.preferredVersion.version, 'v2');
    const core = (await served.call('GET', '/api/v1')).json<{ resources: { name: string; shortNames?: string[] }[] }>();
    assert.deepEqual(core.resources.find((row) => row.name === 'pods')?.shortNames, ['po']);
    assert.ok(core.resources.some((row) => row.name === 'pods/exec'));
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
    const first = await served.call('GET', '/apis', { headers: { accept } });
    assert.equal(first.headers['content-type'], 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
    assert.equal((await served.call('GET', '/apis', { headers: { accept, 'if-none-match': first.headers.etag! } })).status, 304);
    assert.equal((await served.call('GET', '/apis/none')).status, 404);
  });

  test('OpenAPI, version 3 by hash and version 2 in both encodings', async () => {
    const index = (await served.call('GET', '/openapi/v3')).json<{ paths: Record<string, { serverRelativeURL: string }> }>();
    const address = index.paths['apis/apps/v1']!.serverRelativeURL;
    const document = await served.call('GET', address);
    assert.match(String(document.headers['cache-control']), /immutable/);
    const { paths, components } = document.json<{
      paths: Record<string, { patch: { parameters: { name: string }[] } }>;
      components: { schemas: Record<string, { properties: Record<string, Record<string, unknown>> }> };
    }>();
    assert.ok(
      paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!.patch.parameters.some(
        (parameter) => parameter.name === 'fieldValidation',
      ),
    );
    assert.equal(components.schemas['io.k8s.api.core.v1.PodSpec']!.properties.containers!['x-kubernetes-patch-merge-key'], 'name');
    assert.equal((await served.call('GET', '/openapi/v3/apis/apps/v1?hash=OLD')).status, 301);
    const json = await served.call('GET', '/openapi/v2');
    const proto = await served.call('GET', '/openapi/v2', { headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' } });
    assert.equal(json.json<{ swagger: string }>().swagger, '2.0');
    assert.equal(proto.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    assert.ok(proto.text.startsWith('\n\u00032.0'));
  });
});
