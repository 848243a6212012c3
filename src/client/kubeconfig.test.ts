import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadKubeconfig, parseKubeconfig } from './kubeconfig.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const config = (user: string, extra = ''): string => `
apiVersion: v1
kind: Config
current-context: here
contexts:
- name: here
  context: { cluster: c, user: u, namespace: team }
- name: there
  context: { cluster: d, user: none }
clusters:
- name: c
  cluster: { server: "https://10.0.0.1:6443/", certificate-authority-data: ${base64('CA')} }
- name: d
  cluster: { server: "https://other:6443", insecure-skip-tls-verify: true }
users:
- name: u
  user: ${user}
- name: none
  user: {}
${extra}`;

test('the current context, or a named one, with inline data', async () => {
  const here = await parseKubeconfig(config(`{ client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')} }`), 'k');
  assert.deepEqual(here, {
    server: 'https://10.0.0.1:6443',
    ca: Buffer.from('CA'),
    certificate: Buffer.from('CERT'),
    key: Buffer.from('KEY'),
    namespace: 'team',
  });
  assert.deepEqual(await parseKubeconfig(config('{}'), 'k', 'there'), { server: 'https://other:6443', insecureSkipTlsVerify: true });
  assert.equal((await parseKubeconfig(config('{ token: t, tokenFile: f }'), 'k')).token, 't');
  assert.deepEqual((await parseKubeconfig(config('{ username: me, password: p }'), 'k')).basic, { username: 'me', password: 'p' });
});

test('files are relative to the kubeconfig', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'longshore-kubeconfig-'));
  try {
    await writeFile(join(dir, 'cert.pem'), 'CERT');
    await writeFile(join(dir, 'config'), config('{ client-certificate: cert.pem, tokenFile: token }'));
    const read = await loadKubeconfig(join(dir, 'config'));
    assert.equal(read.certificate?.toString(), 'CERT');
    assert.equal(read.tokenFile, join(dir, 'token'));
    await writeFile(join(dir, 'config'), config('{ client-key: missing.pem }'));
    await assert.rejects(loadKubeconfig(join(dir, 'config')), /missing\.pem, which cannot be read/);
    await assert.rejects(loadKubeconfig(join(dir, 'nowhere')), { code: 'not-found' });
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('what is wrong with it is said', async () => {
  const fails = (text: string, message: RegExp, context?: string) => assert.rejects(parseKubeconfig(text, 'k', context), message);
  await fails('', /names no current-context/);
  await fails('a: [', /not valid YAML/);
  await fails('- 1', /names no current-context/);
  await fails(config('{}'), /has no context "nope"/, 'nope');
  await fails(config('{ exec: { command: x } }'), /logs in through exec/);
  await fails(config('{}').replace('https://10.0.0.1', 'ftp://10.0.0.1'), /has no server address/);
});
