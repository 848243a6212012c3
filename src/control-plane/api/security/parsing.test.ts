// Bodies, queries and headers that are made to be slow, huge or misread. Over both versions of HTTP.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { createLogger } from '../../../lib/log.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import { encodeJsonText } from '../codec/json.ts';
import { serve, type Served } from '../server.test-helper.ts';
import { makeSamples } from './samples.test-helper.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const LIMIT = 3 * 1024 * 1024;
const JSON_TYPE = 'application/json';
const YAML = 'application/yaml';
const MERGE = 'application/merge-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const APPLY = 'application/apply-patch+yaml';

let served: Served;
let session: ClientHttp2Session;
/** What the server's log says of requests that met something that nobody foresaw. */
const failures: string[] = [];
before(async () => {
  served = await serve({ logger: createLogger((line) => void (line.includes('a request failed') && failures.push(line)), Date.now, 'debug') });
  session = connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate });
  await served.make(CONFIG_MAPS, { metadata: { name: 'target' }, data: { a: 'b' } });
});
after(async () => {
  session.close();
  await served.close();
});

interface Reply {
  readonly status: number;
  readonly text: string;
}

async function overHttp2(method: string, path: string, type: string, body: Buffer | string): Promise<Reply> {
  const stream = session.request({ ':method': method, ':path': path, authorization: 'Bearer admin-token', 'content-type': type }, { endStream: false });
  stream.on('error', () => {}); // A refused body may be cut off.
  stream.end(body);
  const [head] = await once(stream, 'response') as [Record<string, unknown>];
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return { status: Number(head[':status']), text };
}

/** The full length of a body, made of a piece. */
const fill = (piece: string, length = LIMIT - 200): string => piece.repeat(Math.floor(length / piece.length));
const long = 'k'.repeat(5000);
const numbers = (n: number, of: (n: number) => string): string => Array.from({ length: n }, (_, at) => of(at)).join(',');

interface Case {
  readonly name: string;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly type: string;
  readonly body: string | Buffer;
  readonly status: readonly number[];
}
const post = (name: string, type: string, body: string | Buffer, ...status: number[]): Case => ({ name, method: 'POST', type, body, status: status.length === 0 ? [400] : status });
const patch = (name: string, type: string, body: string | Buffer, ...status: number[]): Case => ({ name, method: 'PATCH', type, body, status: status.length === 0 ? [400] : status });
const operations = (...list: object[]): string => JSON.stringify(list);

const CASES: readonly Case[] = [
  post('JSON: 100,000 lists', JSON_TYPE, `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  post('JSON: 100,000 objects', JSON_TYPE, `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
  post('JSON: lists to the brim', JSON_TYPE, fill('[')),
  post('JSON: nested deep in a field', JSON_TYPE, `{"metadata":{"name":"n"},"data":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`),
  post('JSON: a string without an end', JSON_TYPE, `"${fill('a')}`),
  post('JSON: backslashes without an end', JSON_TYPE, `"${fill('\\')}`),
  post('JSON: wrong at the very end', JSON_TYPE, `[${fill('1,')}x`),
  post('JSON: two hundred thousand keys', JSON_TYPE, `{${numbers(200_000, (n) => `"k${n}":0`)}}`, 422),
  post('JSON: one key, again and again', JSON_TYPE, `{${fill('"a":1,')}"a":1}`, 422),
  post('JSON: keys that come twice, far below long ones', JSON_TYPE, `{"${`${long}":{"`.repeat(99)}${long}":{${numbers(50_000, (n) => `"d${n}":0,"d${n}":0`)}}${'}'.repeat(100)}`, 422),
  post('JSON: a number of three million digits', JSON_TYPE, `{"a":${fill('1')}}`),
  post('JSON: 1e309', JSON_TYPE, '{"metadata":{"name":"n","generation":1e309}}'),
  post('JSON: beyond int64', JSON_TYPE, '{"metadata":{"name":"n","generation":9223372036854775808}}'),
  post('JSON: broken UTF-8 and null bytes', JSON_TYPE, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x00, 0x22, 0x3a, 0x31, 0x7d])),
  post('YAML: aliases of aliases', YAML, `a: &a [${'x,'.repeat(9)}x]\n${Array.from({ length: 9 }, (_, n) => `${'bcdefghij'[n]}: &${'bcdefghij'[n]} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[n]}`).join(',')}]`).join('\n')}\n`),
  post('YAML: ninety-nine aliases of much', YAML, `a: &a [${'x,'.repeat(40_000)}]\nb: [${'*a,'.repeat(99)}]`),
  post('YAML: an alias of itself', YAML, 'a: &a [*a]\n'),
  post('YAML: 100,000 lists', YAML, '['.repeat(100_000)),
  post('YAML: 100,000 maps', YAML, '{a: '.repeat(100_000)),
  post('YAML: 100,000 dashes', YAML, '- '.repeat(100_000)),
  post('YAML: 100,000 question marks', YAML, '? '.repeat(50_000)),
  post('YAML: a step to the right in each line', YAML, Array.from({ length: 2400 }, (_, n) => `${' '.repeat(n)}a:`).join('\n')),
  post('YAML: documents to the brim', YAML, fill('---\n')),
  post('YAML: a quote without an end', YAML, `"${fill('\n')}`),
  post('YAML: tabs', YAML, fill('\t'), 400, 422),
  patch('apply: 100,000 lists', APPLY, '['.repeat(100_000)),
  ...[MERGE, STRATEGIC].map((type) => patch(`${type}: 100,000 objects`, type, '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000))),
  patch('JSON Patch: a value that nests', JSON_PATCH, `[{"op":"add","path":"/data/b","value":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`),
  patch('JSON Patch: copies of copies', JSON_PATCH, operations({ op: 'add', path: '/data/b', value: 'y'.repeat(100_000) }, ...Array.from({ length: 9000 }, (_, n) => ({ op: 'copy', from: '/data', path: `/data/c${n}` }))), 422),
  patch('JSON Patch: ten thousand and one operations', JSON_PATCH, operations(...Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/a', value: 'b' }))), 413),
  patch('JSON Patch: insertions before half a million', JSON_PATCH, operations({ op: 'add', path: '/data/b', value: Array.from({ length: 500_000 }, () => 1) }, ...Array.from({ length: 9000 }, () => ({ op: 'add', path: '/data/b/0', value: 1 }))), 413),
  patch('JSON Patch: removals before half a million', JSON_PATCH, operations({ op: 'add', path: '/data/b', value: Array.from({ length: 500_000 }, () => 1) }, ...Array.from({ length: 9000 }, () => ({ op: 'remove', path: '/data/b/0' }))), 413),
  patch('JSON Patch: a path of a million steps', JSON_PATCH, operations({ op: 'add', path: '/a'.repeat(1_000_000), value: 1 }), 422),
  post('protobuf: 100,000 messages in messages', 'application/vnd.kubernetes.protobuf', Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(100_000, 0x0a)])),
  post('protobuf: a length that is not there', 'application/vnd.kubernetes.protobuf', Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])])),
  post('more than three mebibytes', JSON_TYPE, Buffer.alloc(LIMIT + 1, 0x20), 413),
  post('more than three mebibytes of YAML', YAML, Buffer.alloc(LIMIT + 1, 0x20), 413),
  { name: 'PUT of more than three mebibytes', method: 'PUT', type: JSON_TYPE, body: Buffer.alloc(LIMIT + 1, 0x20), status: [413] },
  { name: 'PATCH of more than three mebibytes', method: 'PATCH', type: MERGE, body: Buffer.alloc(LIMIT + 1, 0x20), status: [413] },
  { name: 'DELETE with options that nest', method: 'DELETE', type: JSON_TYPE, body: '['.repeat(100_000), status: [400] },
];

/** Processor time of this thread (server and client both) that one refusal may take; what was seen before there were bounds took seconds. */
const MAX_CPU_MS = 600;

async function cpuOf(work: () => Promise<Reply>): Promise<{ readonly reply: Reply; readonly ms: number }> {
  const started = process.threadCpuUsage();
  const reply = await work();
  const { user, system } = process.threadCpuUsage(started);
  return { reply, ms: (user + system) / 1000 };
}

describe('bodies', () => {
  for (const { name, method, type, body, status } of CASES) {
    test(name, async () => {
      const path = `${CONFIG_MAPS}${method === 'POST' ? '' : '/target'}${type === APPLY ? '?fieldManager=m' : ''}`;
      for (const send of [() => served.call(method, path, { type, body }), () => overHttp2(method, path, type, body)]) {
        const { reply, ms } = await cpuOf(send);
        assert.ok(status.includes(reply.status), `${reply.status} ${reply.text.slice(0, 300)}`);
        assert.equal((JSON.parse(reply.text) as Status).kind, 'Status');
        assert.ok(reply.text.length < 64 * 1024, `an answer of ${reply.text.length} bytes`);
        assert.ok(ms < MAX_CPU_MS, `${ms} ms of processor time`);
      }
    });
  }

  test('a YAML text that takes seconds holds up nobody else, and ends', async () => {
    const slow = served.call('POST', CONFIG_MAPS, { type: YAML, body: `[${'1,'.repeat(140_000)}1]` });
    const settled = slow.then(() => 'the slow one');
    for (let n = 0; n < 20; n++) assert.equal(await Promise.race([settled, served.call('GET', `${CONFIG_MAPS}/target`).then((answer) => answer.status)]), 200);
    const small = served.call('POST', `${CONFIG_MAPS}?dryRun=All`, { type: YAML, body: 'metadata: {name: small}\n' });
    assert.equal(await Promise.race([settled, small.then((answer) => answer.status)]), 201);
    const answer = await slow;
    assert.equal(answer.status, 400);
    assert.match((await served.call('POST', CONFIG_MAPS, { type: YAML, body: `[${fill('1,')}1]` })).text, /the text has more than 150000 words: send it as JSON/);
    const fine = `metadata: {name: large}\ndata:\n${Array.from({ length: 2000 }, (_, n) => `  key${n}: "value ${n}"`).join('\n')}\n`;
    const made = await served.call('POST', CONFIG_MAPS, { type: YAML, body: fine });
    assert.equal(made.status, 201, 'and the next large one is read');
    assert.equal(made.json<{ data: Record<string, string> }>().data.key1999, 'value 1999');
  });

  test('one user cannot take every place of those who read YAML', async () => {
    const body = `[${'1,'.repeat(40_000)}1]`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => served.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { token: 'nobody-token', type: YAML, body })));
    assert.equal(answers.filter((answer) => answer.status === 429).length, 2);
    assert.ok(answers.every((answer) => answer.status === 429 || answer.status === 400));
  });
});

describe('values', () => {
  test('int64 is exact through every way in', async () => {
    const events = '/api/v1/namespaces/default/events';
    await served.make(events, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', namespace: 'default', name: 'x' }, reason: 'r', message: 'm', type: 'Normal', count: 2147483647 });
    assert.equal((await served.call('PATCH', `${events}/e`, { type: MERGE, body: '{"count":2147483648}' })).status, 422, 'no int32');
    const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
    assert.equal((await served.call('POST', path, { body: '{"metadata":{"name":"p"},"value":9007199254740993}' })).status, 400, 'no int32 either');
    const pods = '/api/v1/namespaces/default/pods';
    await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    for (const type of [JSON_TYPE, YAML]) {
      const refused = await served.call('POST', `${pods}?dryRun=All`, { type, body: '{"metadata":{"name":"j"},"spec":{"containers":[{"name":"c","image":"i"}],"securityContext":{"fsGroup":9007199254740993}}}' });
      assert.equal(refused.status, 422, 'out of range');
      assert.match(refused.text, /9007199254740993/, 'by its true value');
    }
    const made = await served.call('POST', pods, { body: '{"metadata":{"name":"k"},"spec":{"containers":[{"name":"c","image":"i"}],"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9223372036854775807}]}}' });
    assert.match(made.text, /"tolerationSeconds":9223372036854775807\b/);
    for (const [type, body] of [[MERGE, '{"metadata":{"labels":{"a":"b"}}}'], [STRATEGIC, '{"metadata":{"labels":{"a":"c"}}}'], [JSON_PATCH, '[{"op":"replace","path":"/metadata/labels/a","value":"d"}]']] as const) {
      assert.match((await served.call('PATCH', `${pods}/k`, { type, body })).text, /"tolerationSeconds":9223372036854775807\b/, type);
    }
    assert.match((await served.call('GET', `${pods}/k`, { headers: { accept: YAML } })).text, /tolerationSeconds: 9223372036854775807\b/);
  });

  test('names of a prototype are data, in every way to write', async () => {
    const evil = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"metadata":{"labels":{"__proto__":"a","constructor":"b","toString":"c"},"annotations":{"__proto__":"a","hasOwnProperty":"b"}},"data":{"__proto__":"a","constructor":"b"}}';
    for (const [method, type, body] of [
      ['POST', JSON_TYPE, evil.replace('"metadata":{', '"metadata":{"name":"evil",')], ['POST', YAML, evil.replace('"metadata":{', '"metadata":{"name":"evil",')], ['PUT', JSON_TYPE, evil], ['PATCH', MERGE, evil], ['PATCH', STRATEGIC, evil],
      ['PATCH', APPLY, evil.replace('{', '{"apiVersion":"v1","kind":"ConfigMap",')],
      ['PATCH', JSON_PATCH, operations({ op: 'add', path: '/__proto__/polluted', value: true })], ['PATCH', JSON_PATCH, operations({ op: 'add', path: '/constructor/prototype/polluted', value: true })],
      ['PATCH', JSON_PATCH, operations({ op: 'copy', from: '/metadata', path: '/__proto__' })], ['PATCH', JSON_PATCH, operations({ op: 'add', path: '/data/__proto__', value: 'x' })],
    ] as const) {
      const answer = await served.call(method, `${CONFIG_MAPS}${method === 'POST' ? '' : '/target'}${type === APPLY ? '?fieldManager=m&force=1' : ''}`, { type, body });
      assert.ok(answer.status < 500 || answer.text.includes('__proto__: field not declared in schema'), `${method} ${type}: ${answer.status} ${answer.text}`);
      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
      assert.equal(typeof {}.constructor, 'function');
    }
    for (const place of ['?labelSelector=__proto__%3Da', '?labelSelector=constructor', '?fieldSelector=__proto__%3Dx', '?fieldSelector=constructor%3Dx', '?includeObject=constructor', '?resourceVersionMatch=__proto__', '?dryRun=constructor']) {
      assert.ok((await served.call('GET', CONFIG_MAPS + place)).status < 500, place);
    }
    for (const accept of ['constructor', '__proto__', 'application/json;as=constructor;g=meta.k8s.io;v=v1', 'toString;q=1']) assert.ok([200, 406].includes((await served.call('GET', CONFIG_MAPS, { headers: { accept } })).status), accept);
    for (const type of ['constructor', '__proto__']) assert.equal((await served.call('PATCH', `${CONFIG_MAPS}/target`, { type, body: '{}' })).status, 415);
    for (const path of ['/apis/constructor/v1/pods', '/api/v1/constructor', '/api/v1/namespaces/__proto__/pods', '/apis/__proto__', '/api/v1/namespaces/default/pods/__proto__', '/openapi/v3/__proto__', '/api/v1/namespaces/default/pods/k/constructor']) assert.ok((await served.call('GET', path)).status < 500, path);
  });

  test('every field of every kind takes any value, or refuses it: none is unforeseen', async () => {
    const VALUES: readonly unknown[] = [null, [], {}, 1, 'x', '', -1, 1e300, 0.5, true, [null], [{}], { a: null }, { constructor: 'x', toString: 'y' }, 9223372036854775807n];
    const already = failures.length;
    const paths = (await makeSamples(await sampled())).slice();
    for (const path of paths) {
      const object = (await other!.call('GET', path)).json<Record<string, unknown>>();
      for (const at of places(object)) {
        const pointer = at.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
        // A few values for each place, not the same for its neighbours: together they cover each kind of field with each value.
        for (let n = 0; n < 2; n++) {
          const value = VALUES[(pointer.length * 7 + n * 5 + path.length) % VALUES.length];
          const answer = await other!.call('PATCH', `${path}?dryRun=All`, { type: JSON_PATCH, body: encodeJsonText([{ op: 'add', path: pointer, value }]) });
          assert.ok(answer.status < 500 || pointer === '/metadata/resourceVersion', `${path} ${pointer} = ${encodeJsonText(value)}: ${answer.status} ${answer.text}`);
        }
      }
    }
    assert.deepEqual(failures.slice(already), []);
  });
  let other: Served | undefined;
  async function sampled(): Promise<Served> {
    return (other = await serve({ logger: createLogger((line) => void (line.includes('a request failed') && failures.push(line)), Date.now, 'debug') }));
  }
  after(() => other?.close());

  test('bodies that are no objects, and objects of the wrong shape, are refused by every route that takes one', async () => {
    const BODIES = [null, [], 1, 'x', true, { metadata: null }, { metadata: [] }, { metadata: { name: 5 } }, { kind: 5 }, { kind: [], apiVersion: {} }, { metadata: { name: 'x', ownerReferences: [null], managedFields: [null] } }, { spec: [] }, { rules: [null], subjects: [null], subsets: [null], ports: [null] }];
    const METHODS: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT', patch: 'PATCH' };
    const already = failures.length;
    for (const row of served.api.resources.all()) {
      const base = `${row.group === '' ? `/api/${row.version}` : `/apis/${row.group}/${row.version}`}${row.namespaced ? '/namespaces/default' : ''}/${row.resource}`;
      const streams = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
      const routes = [...row.verbs.map((verb) => [verb, verb === 'create' ? base : `${base}/x`] as const), ...row.subresources.filter((sub) => !streams.has(sub.name)).flatMap((sub) => sub.verbs.map((verb) => [verb, `${base}/x/${sub.name}`] as const))];
      for (const [verb, path] of routes) {
        const method = METHODS[verb];
        if (method === undefined) continue;
        for (const [at, body] of BODIES.entries()) {
          const type = method === 'PATCH' ? [MERGE, STRATEGIC, JSON_PATCH, APPLY][at % 4]! : JSON_TYPE;
          await served.call(method, `${path}?dryRun=All${type === APPLY ? '&fieldManager=m' : ''}`, { type, body: JSON.stringify(body) });
        }
      }
    }
    assert.deepEqual(failures.slice(already), []);
  });

  function places(value: unknown, at: readonly string[] = []): (readonly string[])[] {
    const below = value !== null && typeof value === 'object' ? Object.entries(value).flatMap(([key, item]) => places(item, [...at, key])) : [];
    return at.length === 0 ? below : [at, ...below];
  }
});

describe('queries and headers', () => {
  const huge = (piece: string): string => encodeURIComponent(fill(piece, 20_000));
  const QUERIES: readonly (readonly [string, string, number])[] = [
    ['a label selector of many requirements', `labelSelector=${huge('a,')}a`, 400],
    ['a label selector of a set without an end', `labelSelector=a+in+(${huge('b,')}`, 400],
    ['a label selector of brackets', `labelSelector=${huge('(')}`, 400],
    ['a label with a prefix that backtracks', `labelSelector=${huge('a.')}/b`, 400],
    ['a label that almost fits', `labelSelector=${huge('a-')}`, 400],
    ['a field selector of many terms', `fieldSelector=${huge('metadata.name!=a,')}metadata.name!=b`, 400],
    ['a field selector of backslashes', `fieldSelector=metadata.name%3D${huge('\\')}x%5Cx`, 400],
    ['a continue token of nothing', `limit=1&continue=${huge('A')}`, 400],
    ['a continue token that climbs', `limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"../../secrets/x"}').toString('base64url')}`, 400],
    ['a continue token from the future', `limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":9007199254740991,"start":"default/x"}').toString('base64url')}`, 410],
    ['a continue token of another kind', `limit=1&continue=${Buffer.from('[]').toString('base64url')}`, 400],
    ['a limit beyond all', 'limit=99999999999999999999', 400],
    ['a version beyond all', 'resourceVersion=99999999999999999999', 400],
    ['ten thousand parameters', `${'a=b&'.repeat(10_000)}limit=x`, 400],
  ];
  for (const [name, query, status] of QUERIES) {
    test(name, async () => {
      const { reply, ms } = await cpuOf(() => served.call('GET', `${CONFIG_MAPS}?${query}`));
      assert.equal(reply.status, status, reply.text.slice(0, 300));
      assert.ok(ms < MAX_CPU_MS, `${ms} ms of processor time`);
    });
  }

  test('an Accept header to the brim is read once and not kept', async () => {
    for (const accept of [fill('a/b,', 30_000), fill('application/json;as=Table;', 30_000), fill(';', 30_000), fill('application/json;q=0.1,', 30_000), `${fill('x/y;q=0.9,', 30_000)}application/json`]) {
      const { reply, ms } = await cpuOf(() => served.call('GET', CONFIG_MAPS, { headers: { accept } }));
      assert.ok([200, 406].includes(reply.status), String(reply.status));
      assert.ok(ms < MAX_CPU_MS, `${ms} ms of processor time`);
    }
  });

  test('headers beyond 64 KiB are refused, and the server goes on', async () => {
    const answer = await served.call('GET', CONFIG_MAPS, { headers: { 'x-long': 'a'.repeat(70_000) } }).catch((error: unknown) => ({ status: 431, text: String(error) }));
    assert.ok([400, 431].includes(answer.status), String(answer.status));
    assert.equal((await served.call('GET', '/readyz')).status, 200);
  });

  for (const path of [
    '/api/v1/namespaces/default/configmaps/%2e%2e/%2e%2e/kube-system/secrets', '/api/v1/namespaces/default/configmaps/..%2f..%2fsecrets', '/api/v1/namespaces/%2e/pods', '/api/v1/namespaces/default/pods/%252e%252e', '/api/v1/namespaces/default%00/pods',
    '/api/v1/namespaces/default/configmaps/a%0d%0ab', '/api/v1/namespaces/default/configmaps/..', '/api/v1/namespaces/default/..', '/apis/../api/v1/secrets', '/apis/%2e%2e/v1/secrets', '//api/v1/secrets', '/api/v1/;/secrets',
  ]) {
    test(`no way out by ${path}, for nobody`, async () => {
      for (const token of ['nobody-token', 'admin-token']) {
        const answer = await served.call('GET', path, { token });
        assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`);
      }
    });
  }
});

test('after all of that: nothing unforeseen was logged, the server is ready, prototypes are whole', async () => {
  assert.deepEqual(failures, []);
  assert.equal((await served.call('GET', '/readyz')).status, 200);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});
