import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Mounts } from '../../host/host.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import { packTar } from '../../lib/tar.ts';
import { digestOf } from '../images/digest.ts';
import type { TransferProgress } from '../images/images.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../images/media-types.ts';
import { openImages } from '../images/store.ts';
import type { ImageStore } from '../images/store.ts';
import { openRegistry } from './registry.ts';

/** Nothing is mounted here. */
const mounts = {} as Mounts;

async function store(t: TestContext): Promise<ImageStore> {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'));
  const images = await openImages({
    folder,
    host: { mounts },
    clock: systemClock,
    logger: silentLogger,
    random: systemRandom,
    platform: { os: 'linux', architecture: 'amd64' },
  });
  t.after(async () => {
    await images.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return images;
}

async function serve(t: TestContext): Promise<{ images: ImageStore; host: string; url: string }> {
  const images = await store(t);
  const registry = openRegistry({ images, clock: systemClock, random: systemRandom, logger: silentLogger });
  const { port } = await registry.listen();
  t.after(() => registry.close());
  return { images, host: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}/v2` };
}

async function rootfs(content: string): Promise<Readable> {
  const pieces: Buffer[] = [];
  for await (const piece of packTar([
    { header: { name: 'file', type: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: 0 }, body: Buffer.from(content) },
  ])) {
    pieces.push(piece);
  }
  return Readable.from(pieces, { objectMode: false });
}

async function errorOf(response: Response): Promise<[number, string]> {
  return [response.status, ((await response.json()) as { errors: { code: string }[] }).errors[0]!.code];
}

test('what one engine pushes, another pulls; again, nothing is sent', async (t) => {
  const { host, images: kept } = await serve(t);
  const from = await store(t);
  const image = await from.import(await rootfs('hello'.repeat(100_000)), { reference: `${host}/team/app:1` });
  const first: TransferProgress[] = [];
  const pushed = await from.push(`${host}/team/app:1`, { progress: (event) => first.push(event) });
  assert.ok(first.some((event) => event.status === 'Pushed'));
  assert.equal(first.at(-1)!.status, `1: digest: ${pushed.digest} size: ${pushed.size}`);
  const second: TransferProgress[] = [];
  assert.deepEqual(await from.push(`${host}/team/app:1`, { progress: (event) => second.push(event) }), pushed);
  assert.ok(second.some((event) => event.status === 'Layer already exists'));
  await assert.rejects(from.push(`${host}/team/none`), { code: 'not-found', message: `An image does not exist locally with the tag: ${host}/team/none` });
  const to = await store(t);
  const pulled = await to.pull(`${host}/team/app:1`);
  assert.equal(pulled.id, image.id);
  assert.equal(pulled.manifestDigest, pushed.digest);
  assert.equal((await kept.get(`${host}/team/app:1`)).id, image.id, 'it is an image where the registry is');
});

test('what is built or loaded here can be pulled at once, by the short name', async (t) => {
  const { host, images, url } = await serve(t);
  const image = await images.import(await rootfs('x'), { reference: 'app' });
  await images.tag('app', 'ghcr.io/team/app:2');
  const other = await store(t);
  assert.equal((await other.pull(`${host}/app`)).id, image.id);
  assert.equal((await other.pull(`${host}/library/app`)).id, image.id);
  assert.equal((await other.pull(`${host}/ghcr.io/team/app:2`)).id, image.id);
  assert.equal((await other.pull(`${host}/app@${image.manifestDigest}`)).id, image.id);
  assert.deepEqual(await (await fetch(`${url}/_catalog`)).json(), { repositories: ['app', 'ghcr.io/team/app'] });
  assert.deepEqual(await (await fetch(`${url}/app/tags/list`)).json(), { name: 'app', tags: ['latest'] });
  assert.deepEqual(await errorOf(await fetch(`${url}/nobody/tags/list`)), [404, 'NAME_UNKNOWN']);
});

test('uploads: in one request, in pieces, mounted; wrong digests and places are refused', async (t) => {
  const { images, url } = await serve(t);
  const bytes = Buffer.from('some blob');
  const digest = digestOf(bytes);
  const at = (location: string | null): string => new URL(location!, url).href;
  const whole = await fetch(`${url}/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });
  assert.deepEqual([whole.status, whole.headers.get('location'), whole.headers.get('docker-content-digest')], [201, `/v2/a/blobs/${digest}`, digest]);
  assert.equal((await fetch(`${url}/b/blobs/uploads/?mount=${digest}&from=a`, { method: 'POST' })).status, 201);
  const start = await fetch(`${url}/a/blobs/uploads/`, { method: 'POST' });
  assert.equal(start.status, 202);
  const place = at(start.headers.get('location'));
  const part = await fetch(place, { method: 'PATCH', body: 'other ', headers: { 'Content-Range': '0-5' } });
  assert.deepEqual([part.status, part.headers.get('range')], [202, '0-5']);
  assert.deepEqual(await errorOf(await fetch(place, { method: 'PATCH', body: 'x', headers: { 'Content-Range': '3-3' } })), [416, 'RANGE_INVALID']);
  assert.equal((await fetch(place)).status, 204);
  const end = await fetch(`${place}?digest=${digestOf('other blob')}`, { method: 'PUT', body: 'blob' });
  assert.equal(end.status, 201);
  assert.equal(await images.content.has(digestOf('other blob')), true);
  assert.deepEqual(await errorOf(await fetch(place, { method: 'PATCH', body: 'x' })), [404, 'BLOB_UPLOAD_UNKNOWN']);
  assert.deepEqual(await errorOf(await fetch(`${url}/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'forged' })), [400, 'DIGEST_INVALID']);
  const dropped = at((await fetch(`${url}/a/blobs/uploads/`, { method: 'POST' })).headers.get('location'));
  assert.equal((await fetch(dropped.replace('/a/', '/b/'), { method: 'PATCH', body: 'x' })).status, 404);
  assert.equal((await fetch(dropped, { method: 'DELETE' })).status, 204);
  assert.equal((await fetch(dropped)).status, 404);
});

test('blobs with ranges', async (t) => {
  const { images, url } = await serve(t);
  const { digest } = await images.content.write(Buffer.from('0123456789'));
  const get = async (range?: string): Promise<[number, string, string | null]> => {
    const response = await fetch(`${url}/a/blobs/${digest}`, range === undefined ? {} : { headers: { Range: range } });
    return [response.status, response.status === 416 ? '' : await response.text(), response.headers.get('content-range')];
  };
  assert.deepEqual(await get(), [200, '0123456789', null]);
  assert.deepEqual(await get('bytes=2-4'), [206, '234', 'bytes 2-4/10']);
  assert.deepEqual(await get('bytes=8-'), [206, '89', 'bytes 8-9/10']);
  assert.deepEqual(await get('bytes=-3'), [206, '789', 'bytes 7-9/10']);
  assert.deepEqual(await get('bytes=20-'), [416, '', 'bytes */10']);
  assert.deepEqual(await get('bytes=0-1,4-5'), [200, '0123456789', null]);
  const head = await fetch(`${url}/a/blobs/${digest}`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length'), head.headers.get('docker-content-digest')], [200, '10', digest]);
});

test('manifests: verified, listed, referred to, deleted', async (t) => {
  const { images, host, url } = await serve(t);
  const config = await images.content.write(Buffer.from('{}'));
  const descriptor = { mediaType: OCI_CONFIG, ...config };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [] });
  const put = (tag: string, body: string, type = OCI_MANIFEST): Promise<Response> =>
    fetch(`${url}/a/manifests/${tag}`, { method: 'PUT', body, headers: { 'Content-Type': type } });
  const first = await put('v1', manifest);
  assert.deepEqual([first.status, first.headers.get('docker-content-digest')], [201, digestOf(manifest)]);
  assert.equal((await put('v2', manifest)).status, 201);
  assert.deepEqual(await errorOf(await put(digestOf('other'), manifest)), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await errorOf(await put('x', '{"schemaVersion":2}')), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await errorOf(await put('x', manifest, OCI_INDEX)), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await errorOf(await put('x', manifest.replaceAll(config.digest, digestOf('missing')))), [404, 'MANIFEST_BLOB_UNKNOWN']);
  assert.deepEqual(await errorOf(await put('x', ' '.repeat(5 << 20))), [400, 'SIZE_INVALID']);
  assert.deepEqual(await errorOf(await put('-x', manifest)), [400, 'MANIFEST_INVALID']);
  const got = await fetch(`${url}/a/manifests/v1`);
  assert.deepEqual([await got.text(), got.headers.get('content-type')], [manifest, OCI_MANIFEST]);
  assert.equal((await fetch(`${url}/b/manifests/${digestOf(manifest)}`)).status, 404, 'another repository');
  assert.deepEqual(await (await fetch(`${url}/a/tags/list?n=1`)).json(), { name: 'a', tags: ['v1'] });
  assert.equal((await fetch(`${url}/a/tags/list?n=1`)).headers.get('link'), '</v2/a/tags/list?n=1&last=v1>; rel="next"');
  const signature = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/x.signature',
    config: descriptor,
    layers: [],
    subject: { mediaType: OCI_MANIFEST, digest: digestOf(manifest), size: manifest.length },
  });
  assert.equal((await put(digestOf(signature), signature)).headers.get('oci-subject'), digestOf(manifest));
  const referrers = (await (await fetch(`${url}/a/referrers/${digestOf(manifest)}?artifactType=application/x.signature`)).json()) as {
    manifests: { digest: string }[];
  };
  assert.deepEqual(
    referrers.manifests.map((entry) => entry.digest),
    [digestOf(signature)],
  );
  await images.collect();
  assert.equal(await images.content.has(digestOf(signature)), true, 'what the registry holds is kept');
  assert.equal((await fetch(`${url}/a/manifests/v2`, { method: 'DELETE' })).status, 202);
  assert.equal((await fetch(`${url}/a/manifests/${digestOf(manifest)}`, { method: 'DELETE' })).status, 202);
  assert.deepEqual(await errorOf(await fetch(`${url}/a/manifests/v1`)), [404, 'MANIFEST_UNKNOWN']);
  assert.equal(host.startsWith('127.0.0.1:'), true);
});

test('names, methods and web pages that have no business here', async (t) => {
  const { url } = await serve(t);
  assert.equal((await fetch(`${url}/`)).headers.get('docker-distribution-api-version'), 'registry/2.0');
  assert.deepEqual(await errorOf(await fetch(`${url}/UPPER/tags/list`)), [400, 'NAME_INVALID']);
  assert.deepEqual(await errorOf(await fetch(`${url}/a%2f..%2fb/tags/list`)), [400, 'NAME_INVALID']);
  assert.deepEqual(await errorOf(await fetch(`${url}/a/blobs/sha256:zz`)), [400, 'DIGEST_INVALID']);
  assert.deepEqual(await errorOf(await fetch(`${url}/a/manifests/x`, { method: 'POST' })), [405, 'UNSUPPORTED']);
  assert.deepEqual(await errorOf(await fetch(`${url}/nothing`)), [404, 'NAME_UNKNOWN']);
  assert.deepEqual(await errorOf(await fetch(`${url}/a/blobs/uploads/`, { method: 'POST', headers: { Origin: 'https://evil.example' } })), [403, 'DENIED']);
});

test('it answers to its own names alone, and at an address that is to be read, takes nothing', async (t) => {
  const images = await store(t);
  const registry = openRegistry({ images, clock: systemClock, random: systemRandom, logger: silentLogger });
  t.after(() => registry.close());
  const [{ port }, reader] = [await registry.listen(), await registry.listen({ host: '127.0.0.2', readOnly: true })];
  const ask = (host: string, at: number, name: string, method = 'GET'): Promise<number> => new Promise((resolve, reject) => {
    request({ host, port: at, path: method === 'POST' ? '/v2/app/blobs/uploads/' : '/v2/', method, headers: { host: name } }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    }).on('error', reject).end();
  });
  assert.equal(await ask('127.0.0.1', port, `localhost:${port}`), 200);
  assert.equal(await ask('127.0.0.1', port, `127.0.0.1:${port}`), 200);
  assert.equal(await ask('127.0.0.1', port, `evil.example:${port}`), 403);
  assert.equal(await ask('127.0.0.1', port, `localhost:${port}`, 'POST'), 202);
  assert.equal(await ask('127.0.0.2', reader.port, `127.0.0.2:${reader.port}`), 200);
  assert.equal(await ask('127.0.0.2', reader.port, `127.0.0.2:${reader.port}`, 'POST'), 403);
});
