import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isCode } from '../../lib/errors.ts';
import { imageTags } from './deploy.ts';
import { basesOf, readProject } from './project.ts';

async function folderWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

test('the bases of a Dockerfile are what FROM and COPY --from name, but for stages', () => {
  assert.deepEqual(
    basesOf(
      'ARG TAG=24\nFROM --platform=linux/amd64 node:${TAG} AS build\nRUN x\nFROM scratch\nCOPY --from=build /a /a\nCOPY --from=busybox:1 /b /b\nCOPY --from=0 /c /c\n',
    ),
    ['node:24', 'busybox:1'],
  );
  assert.deepEqual(basesOf('FROM a as One\nFROM one\nFROM \\\n  b\n'), ['a', 'b']);
});

test('a project is its Dockerfiles and manifests', async (t) => {
  const folder = await folderWith(t, {
    'web/Dockerfile': 'FROM node:24\n',
    'api/Dockerfile': 'FROM busybox\n',
    'web/notes.yaml': 'a: b\n',
    'settings.yaml': 'just: settings\n',
    'manifests/all.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n',
  });
  const project = await readProject(folder);
  assert.deepEqual(project.builds.map(({ tag, bases }) => [tag, ...bases]), [['api', 'busybox'], ['web', 'node:24']]);
  assert.deepEqual(project.objects.map(({ kind }) => kind), ['ConfigMap', 'Secret']);
});

test('an image gets the name that the manifests use for it', () => {
  const pod = (image: string): { kind: string; spec: unknown } => ({ kind: 'Pod', spec: { containers: [{ image }] } });
  const project = { folder: '/x/shop', name: 'shop', builds: [], objects: [pod('shop-web:v2'), pod('api'), pod('other/db')] };
  assert.deepEqual([...imageTags(project, new Set(['web', 'api', 'db']))], [['web', 'shop-web:v2'], ['api', 'api'], ['db', 'db']]);
});

test('a compose file counts where there are no manifests', async (t) => {
  const compose = await readProject(await folderWith(t, { 'compose.yaml': 'services: {}\n', 'docker-compose.yml': '', Dockerfile: 'FROM busybox\n' }));
  assert.deepEqual([compose.compose, compose.builds], [join(compose.folder, 'compose.yaml'), []]);
  const manifests = await readProject(
    await folderWith(t, { 'compose.yaml': 'services: {}\n', 'k8s/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n' }),
  );
  assert.deepEqual([manifests.compose, manifests.objects.length], [undefined, 1]);
});

test('nothing to do and broken YAML are told apart', async (t) => {
  await assert.rejects(readProject(await folderWith(t, { 'a.txt': '' })), (error) => isCode(error, 'not-found'));
  await assert.rejects(readProject(await folderWith(t, { 'manifests/a.yaml': 'a: [1\n' })), (error) => isCode(error, 'invalid'));
  await assert.rejects(readProject(await folderWith(t, { 'manifests/a.yaml': 'no: kind\n' })), (error) => isCode(error, 'invalid'));
  const bomb = `a: &a [x]\n${Array.from({ length: 9 }, (_, n) => `${'bcdefghij'[n]}: &${'bcdefghij'[n]} [${Array(9).fill(`*${'abcdefghi'[n]}`).join(',')}]`).join('\n')}\n`;
  await assert.rejects(readProject(await folderWith(t, { 'manifests/a.yaml': bomb })));
});
