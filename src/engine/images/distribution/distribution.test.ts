// The registry client against servers that behave, that break off, and that are hostile.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LinuxMounts } from '../../../host/mounts.ts';
import { systemClock } from '../../../lib/clock.ts';
import { silentLogger } from '../../../lib/log.ts';
import { systemRandom } from '../../../lib/random.ts';
import { packTar } from '../../../lib/tar.ts';
import { digestOf } from '../digest.ts';
import type { Platform, TransferProgress } from '../images.ts';
import { DOCKER_CONFIG, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from '../media-types.ts';
import { openImages } from '../store.ts';
import type { ImageStore } from '../store.ts';
import { mayTrustRealm, parseChallenges } from './auth.ts';
import { parallelGzip } from './parallel-gzip.ts';

const platform: Platform = { os: 'linux', architecture: 'amd64' };
const clock = { ...systemClock, sleep: () => Promise.resolve() };

async function store(t: TestContext): Promise<ImageStore> {
  const folder = mkdtempSync(join(tmpdir(), 'distribution-'));
  const images = await openImages({ folder, host: { mounts: new LinuxMounts() }, clock, logger: silentLogger, random: systemRandom, platform });
  t.after(async () => {
    await images.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return images;
}

async function layerTar(content: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of packTar([
    { header: { name: 'file', type: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: 0 }, body: Buffer.from(content) },
  ])) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

interface Server {
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { type: string; bytes: Buffer }>;
  readonly seen: { method: string; path: string; authorization: string | undefined; range: string | undefined }[];
}

type Hook = (request: IncomingMessage, response: ServerResponse, server: Server) => boolean;

/** A registry of a few lines; `hook` answers first, and says so. */
async function serve(t: TestContext, hook: Hook = () => false): Promise<Server> {
  const server: Server = { host: '', blobs: new Map(), manifests: new Map(), seen: [] };
  const http = createServer((request, response) => {
    const { method = '', url = '' } = request;
    server.seen.push({ method, path: url, authorization: request.headers.authorization, range: request.headers.range });
    if (hook(request, response, server)) return;
    const manifest = server.manifests.get(/\/manifests\/(.+)$/.exec(url)?.[1] ?? '');
    const blob = server.blobs.get(/\/blobs\/(.+)$/.exec(url)?.[1] ?? '');
    if (manifest) { response.writeHead(200, { 'Content-Type': manifest.type }).end(manifest.bytes); }
    else if (blob) {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200).end(blob.subarray(start));
    } else {
      response
        .writeHead(404, { 'Content-Type': 'application/json' })
        .end(
          JSON.stringify({
            errors: [{ code: url.includes('/manifests/') ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN', message: 'manifest unknown' }],
          }),
        );
    }
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  return Object.assign(server, { host: `127.0.0.1:${(http.address() as AddressInfo).port}` });
}

/** Puts an image of one gzip layer there. @returns its manifest's digest, and its parts */
async function put(
  server: Server,
  tag: string,
  content: string,
  architecture = 'amd64',
): Promise<{ digest: string; layer: Buffer; config: Buffer; manifest: Buffer }> {
  const tar = await layerTar(content);
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Cmd: [content.slice(0, 20)] },
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: DOCKER_MANIFEST,
      config: { mediaType: DOCKER_CONFIG, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: DOCKER_LAYER_GZIP, digest: digestOf(layer), size: layer.length }],
    }),
  );
  server.blobs.set(digestOf(layer), layer).set(digestOf(config), config);
  server.manifests.set(tag, { type: DOCKER_MANIFEST, bytes: manifest }).set(digestOf(manifest), { type: DOCKER_MANIFEST, bytes: manifest });
  return { digest: digestOf(manifest), layer, config, manifest };
}

test('a pull by tag and by digest: names, progress, and nothing fetched twice', async (t) => {
  const server = await serve(t);
  const { digest, config } = await put(server, '1', 'hello');
  const images = await store(t);
  const events: TransferProgress[] = [];
  const image = await images.pull(`${server.host}/demo:1`, { progress: (event) => events.push(event) });
  assert.equal(image.id, digestOf(config));
  assert.deepEqual(
    [image.manifestDigest, image.references, image.repoDigests, image.sizeBytes],
    [digest, [`${server.host}/demo:1`], [`${server.host}/demo@${digest}`], 5],
  );
  const statuses = events.map((event) => event.status);
  for (const status of [
    `Pulling from ${server.host}/demo`,
    'Pulling fs layer',
    'Verifying Checksum',
    'Download complete',
    'Pull complete',
    `Digest: ${digest}`,
    `Status: Downloaded newer image for ${server.host}/demo:1`,
  ]) {
    assert.ok(statuses.includes(status), status);
  }
  const before = server.seen.length;
  await images.pull(`${server.host}/demo@${digest}`);
  assert.deepEqual(
    server.seen.slice(before).map((request) => request.path),
    [`/v2/demo/manifests/${digest}`],
  );
  await assert.rejects(images.pull(`${server.host}/demo:none`), {
    code: 'not-found',
    message: `manifest for ${server.host}/demo:none not found: manifest unknown: manifest unknown`,
  });
});

test('of an index, the platform’s image; none for the platform says which there are', async (t) => {
  const server = await serve(t);
  const arm = await put(server, 'arm', 'arm', 'arm64');
  const amd = await put(server, 'amd', 'amd');
  const entry = (image: { digest: string; manifest: Buffer }, architecture: string): unknown => ({
    mediaType: DOCKER_MANIFEST,
    digest: image.digest,
    size: image.manifest.length,
    platform: { os: 'linux', architecture },
  });
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry(arm, 'arm64'), entry(amd, 'amd64')] }),
  );
  server.manifests.set('multi', { type: OCI_INDEX, bytes: index });
  const images = await store(t);
  assert.equal((await images.pull(`${server.host}/demo:multi`)).id, digestOf(amd.config));
  assert.deepEqual((await images.get(`${server.host}/demo:multi`)).repoDigests, [`${server.host}/demo@${digestOf(index)}`]);
  assert.equal(
    (await images.pull(`${server.host}/demo:multi`, { platform: { os: 'linux', architecture: 'arm64' } })).id,
    digestOf(arm.config),
  );
  await assert.rejects(images.pull(`${server.host}/demo:multi`, { platform: { os: 'linux', architecture: 's390x' } }), {
    code: 'not-found',
    message: `no matching manifest for linux/s390x in the manifest list entries of ${server.host}/demo`,
    remedy: 'It is there for linux/arm64, linux/amd64: choose one with --platform.',
  });
});

test('what is not what it says is refused, and not kept', async (t) => {
  const cases: Record<string, { change: (server: Server, image: Awaited<ReturnType<typeof put>>) => void; message: RegExp }> = {
    'other bytes in a layer': {
      change: (server, { layer }) => server.blobs.set(digestOf(layer), Buffer.alloc(layer.length)),
      message: /content's digest is/,
    },
    'a longer layer': {
      change: (server, { layer }) => server.blobs.set(digestOf(layer), Buffer.concat([layer, layer])),
      message: /sent more for/,
    },
    'another config': {
      change: (server, { config }) => server.blobs.set(digestOf(config), Buffer.from(config.toString().replace('amd64', 'amd65'))),
      message: /content's digest is/,
    },
    'the same bytes as manifest and index': {
      change: (server, { manifest }) =>
        server.manifests.set('1', {
          type: DOCKER_MANIFEST,
          bytes: Buffer.from(JSON.stringify({ ...(JSON.parse(manifest.toString()) as object), manifests: [] })),
        }),
      message: /both an image and an index/,
    },
    'another media type than it came as': {
      change: (server, { manifest }) => server.manifests.set('1', { type: OCI_INDEX, bytes: manifest }),
      message: /but came as/,
    },
    'an old manifest': {
      change: (server) =>
        server.manifests.set('1', {
          type: 'application/vnd.docker.distribution.manifest.v1+json',
          bytes: Buffer.from('{"schemaVersion":1}'),
        }),
      message: /schema version 1/,
    },
    'an endless manifest': {
      change: (server) => server.manifests.set('1', { type: OCI_MANIFEST, bytes: Buffer.alloc(5 << 20, ' ') }),
      message: /sent more than/,
    },
    'an unsupported digest': {
      change: (server, { manifest }) =>
        server.manifests.set('1', { type: DOCKER_MANIFEST, bytes: Buffer.from(manifest.toString().replaceAll('sha256:', 'md5:')) }),
      message: /no sha256 digest/,
    },
  };
  for (const [name, { change, message }] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const server = await serve(t);
      change(server, await put(server, '1', 'hello'));
      const images = await store(t);
      await assert.rejects(images.pull(`${server.host}/demo:1`), message);
      assert.deepEqual(await images.list(), []);
    });
  }
});

test('a manifest asked for by digest is verified', async (t) => {
  const server = await serve(t);
  const { digest } = await put(server, '1', 'hello');
  server.manifests.set(digest, { type: DOCKER_MANIFEST, bytes: Buffer.from('{"schemaVersion":2}') });
  const images = await store(t);
  await assert.rejects(images.pull(`${server.host}/demo@${digest}`), /sent a manifest with the digest/);
});

test('a download that breaks off is taken up where it broke', async (t) => {
  let breaks = 2;
  const server = await serve(t, (request, response, { blobs }) => {
    const blob = blobs.get(/\/blobs\/(.+)$/.exec(request.url ?? '')?.[1] ?? '');
    if (!blob || blob.length < 5000 || breaks-- <= 0) return false;
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { 'Content-Length': blob.length - start });
    response.write(blob.subarray(start, start + 2000), () => response.destroy());
    return true;
  });
  const content = systemRandom.bytes(20_000).toString('base64');
  await put(server, '1', content);
  const images = await store(t);
  await images.pull(`${server.host}/demo:1`);
  const ranges = server.seen.flatMap((request) => (request.range === undefined ? [] : [request.range]));
  assert.deepEqual(ranges, ['bytes=2000-', 'bytes=4000-']);
});

test('a registry that is not there is named, with what to do', async (t) => {
  const images = await store(t);
  await assert.rejects(images.pull('127.0.0.1:1/demo'), {
    code: 'unavailable',
    message: "can't reach the registry 127.0.0.1:1: connection refused",
    remedy: 'Check that the registry runs and listens there.',
  });
});

test('a pull that is cancelled ends, says so, and leaves nothing', async (t) => {
  const server = await serve(t, (request, response, { blobs }) => {
    const blob = blobs.get(/\/blobs\/(.+)$/.exec(request.url ?? '')?.[1] ?? '');
    if (!blob || blob.length < 5000) return false;
    response.writeHead(200, { 'Content-Length': blob.length });
    response.write(blob.subarray(0, 100));
    controller.abort();
    return true;
  });
  const controller = new AbortController();
  await put(server, '1', systemRandom.bytes(20_000).toString('base64'));
  const images = await store(t);
  await assert.rejects(images.pull(`${server.host}/demo:1`, { signal: controller.signal }), { code: 'canceled' });
  assert.deepEqual(await images.list(), []);
});

test('tokens: asked for with the right scope, with credentials only for the registry itself', async (t) => {
  const credentials = { username: 'me', password: 'secret' };
  const stranger = await serve(t, (request, response) => {
    response.writeHead(200).end(JSON.stringify({ token: 'stolen' }));
    return true;
  });
  let realm = '';
  const server = await serve(t, (request, response) => {
    if (request.url?.startsWith('/token')) {
      response.writeHead(200).end(JSON.stringify({ access_token: 'good', expires_in: 300 }));
      return true;
    }
    if (request.headers.authorization === 'Bearer good') return false;
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}",service="reg, \\"x\\"",scope="repository:demo:pull"` }).end();
    return true;
  });
  await put(server, '1', 'hello');
  realm = `http://${server.host}/token`;
  const images = await store(t);
  await images.pull(`${server.host}/demo:1`, { credentials });
  const asked = server.seen.filter((request) => request.path.startsWith('/token'));
  assert.deepEqual(
    asked.map((request) => [request.path, request.authorization]),
    [['/token?service=reg%2C+%22x%22&scope=repository%3Ademo%3Apull&account=me', `Basic ${Buffer.from('me:secret').toString('base64')}`]],
    'once for all requests',
  );
  realm = `http://${stranger.host}/token`;
  await assert.rejects(images.pull(`${server.host}/demo:none`, { credentials }), { code: 'unauthorized' });
  assert.deepEqual(stranger.seen.map((request) => request.authorization), [undefined], 'a stranger gets no password');
  assert.doesNotMatch(stranger.seen[0]!.path, /account/);
});

test('redirects: followed without credentials, and not to where they could do harm', async (t) => {
  const storage = await serve(t);
  const server = await serve(t, (request, response) => {
    if (request.headers.authorization !== `Basic ${Buffer.from('me:secret').toString('base64')}`) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
      return true;
    }
    if (!request.url?.includes('/blobs/')) return false;
    response.writeHead(307, { Location: `http://${storage.host}${request.url}` }).end();
    return true;
  });
  const { layer, config } = await put(server, '1', 'hello');
  storage.blobs.set(digestOf(layer), layer).set(digestOf(config), config);
  const images = await store(t);
  await images.pull(`${server.host}/demo:1`, { credentials: { username: 'me', password: 'secret' } });
  assert.equal(storage.seen.length, 2);
  assert.ok(storage.seen.every((request) => request.authorization === undefined));
  const loop = await serve(t, (request, response) => {
    response.writeHead(302, { Location: request.url ?? '' }).end();
    return true;
  });
  await assert.rejects(images.pull(`${loop.host}/demo:1`), { code: 'unavailable', message: /redirects in circles/ });
  assert.ok(loop.seen.length < 10);
});

test('challenges as servers write them; realms that may be trusted', () => {
  assert.deepEqual(
    parseChallenges('Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push"').map((c) => ({
      ...c.parameters,
      scheme: c.scheme,
    })),
    [{ scheme: 'bearer', realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a:pull,push' }],
  );
  assert.deepEqual(
    parseChallenges('Negotiate, Basic realm="a \\"b\\"", Bearer realm=x').map((c) => [c.scheme, c.parameters['realm']]),
    [
      ['basic', 'a "b"'],
      ['bearer', 'x'],
    ],
  );
  assert.deepEqual(parseChallenges('Digest x="y"'), []);
  assert.deepEqual(parseChallenges('"'.repeat(10_000)), []);
  const trust = (registry: string, realm: string): boolean => mayTrustRealm(new URL(registry), new URL(realm));
  assert.ok(trust('https://registry-1.docker.io', 'https://auth.docker.io/token'));
  assert.ok(trust('https://registry.gitlab.com', 'https://gitlab.com/jwt/auth'));
  assert.ok(trust('https://ghcr.io', 'https://ghcr.io/token'));
  assert.ok(!trust('https://registry-1.docker.io', 'http://auth.docker.io/token'));
  assert.ok(!trust('https://registry-1.docker.io', 'https://auth.docker.io.evil.com/token'));
  assert.ok(!trust('https://a.co.uk', 'https://b.co.uk/token'));
  assert.ok(!trust('http://127.0.0.1:5000', 'http://127.0.0.1:5001/token'));
  assert.ok(!trust('http://localhost:5000', 'http://localhost:5001/token'));
});

test('gzip on several threads is one gzip member, the same each time', async () => {
  const plain = Buffer.concat([Buffer.alloc(1_500_000, 'abc'), systemRandom.bytes(1_000_000), Buffer.alloc(3)]);
  const pack = async (piece: number): Promise<Buffer> => {
    const result = { digest: '', size: 0, plainBytes: 0 };
    const out: Buffer[] = [];
    const source = (async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < plain.length; at += piece) yield plain.subarray(at, at + piece);
    })();
    for await (const bytes of parallelGzip(source, result)) out.push(bytes);
    const whole = Buffer.concat(out);
    assert.deepEqual(result, { digest: digestOf(whole), size: whole.length, plainBytes: plain.length });
    return whole;
  };
  const packed = await pack(65_536);
  assert.ok(gunzipSync(packed).equals(plain));
  assert.ok(packed.equals(await pack(999)));
  assert.equal(OCI_LAYER_GZIP.endsWith('+gzip'), true);
});
