import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { parse } from 'yaml';
import { systemClock, type Clock } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import { systemRandom } from '../../../lib/random.ts';
import { Authority } from './authority.ts';
import { certificateSubject } from './certificate.ts';
import { bitString, element, explicit, fromPem, integer, octetString, oid, readAll, readOid, readOne, sequence, TAG, time, toPem } from './der.ts';
import { mergeKubeconfig, newKubeconfig, removeFromKubeconfig } from './kubeconfig.ts';
import { decodeAlternativeNames, decodeName, encodeAlternativeNames, encodeName } from './names.ts';
import { readSigningRequest } from './signing-request.ts';

describe('DER', () => {
  test('object identifiers, integers and times', () => {
    for (const text of ['1.2.840.10045.4.3.2', '2.5.29.17', '1.3.6.1.5.5.7.3.2', '1.2.840.113549.1.9.14']) {
      assert.equal(readOid(readAll(oid(text))[0]), text);
    }
    assert.deepEqual([...integer(Buffer.from([0, 0, 0x7f]))], [2, 1, 0x7f]);
    assert.deepEqual([...integer(Buffer.from([0x80]))], [2, 2, 0, 0x80]);
    assert.deepEqual([...integer(Buffer.from([0]))], [2, 1, 0]);
    assert.equal(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1', 2), '491231235959Z');
    assert.equal(time(Date.UTC(2050, 0, 1)).toString('latin1', 2), '20500101000000Z');
    assert.equal(octetString(Buffer.alloc(200)).subarray(0, 3).toString('hex'), '0481c8');
    assert.equal(octetString(Buffer.alloc(300)).subarray(0, 4).toString('hex'), '0482012c');
  });

  test('what is no DER is refused, whatever it is cut to', () => {
    const good = sequence(oid('1.2.3'), sequence(octetString(Buffer.from('abc'))));
    for (let length = 1; length < good.length; length++) {
      assert.throws(
        () => readAll(good.subarray(0, length)),
        (error) => isCode(error, 'invalid'),
        `cut at ${length}`,
      );
    }
    for (const bad of ['30ff', '3080', '3084ffffffff', '1f01', '308300']) {
      assert.throws(
        () => readAll(Buffer.from(bad, 'hex')),
        (error) => isCode(error, 'invalid'),
        bad,
      );
    }
    assert.throws(
      () => readOne(Buffer.concat([good, good]), TAG.sequence),
      (error) => isCode(error, 'invalid'),
    );
    assert.throws(
      () => fromPem('CERTIFICATE', 'nothing'),
      (error) => isCode(error, 'invalid'),
    );
  });

  test('names survive line breaks and what looks like other names', () => {
    for (const subject of [{ commonName: 'a\nO=system:masters', organizations: ['x, CN=y', 'ü'] }, { commonName: '', organizations: [] }]) {
      assert.deepEqual(decodeName(readAll(encodeName(subject))[0]!), subject);
    }
    const names = ['localhost', '10.96.0.1', '*.example.com', '2001:db8:0:0:0:0:0:1'];
    assert.deepEqual(decodeAlternativeNames(encodeAlternativeNames(names)), names);
    assert.deepEqual(decodeAlternativeNames(encodeAlternativeNames(['::1', '::ffff:1.2.3.4'])), ['0:0:0:0:0:0:0:1', '0:0:0:0:0:ffff:102:304']);
  });
});

describe('the authority', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-pki-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const open = (clock: Clock = systemClock): Promise<Authority> => Authority.open(join(folder, 'pki'), clock, systemRandom);
  const NAMES = ['localhost', 'kubernetes.default.svc', '127.0.0.1', '10.96.0.1'];

  test('signs certificates that others can verify, with what they are for', async () => {
    const authority = await open();
    const root = new X509Certificate(authority.certificate);
    assert.ok(root.ca && root.verify(root.publicKey));
    const server = new X509Certificate((await authority.server(NAMES)).certificate);
    assert.ok(server.verify(root.publicKey) && server.checkIssued(root) && !server.ca);
    for (const name of ['localhost', 'kubernetes.default.svc']) assert.equal(server.checkHost(name), name);
    assert.equal(server.checkIP('10.96.0.1'), '10.96.0.1');
    assert.equal(server.checkHost('example.com'), undefined);
    assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    const client = new X509Certificate((await authority.client('c', { commonName: 'bob', organizations: ['dev'] })).certificate);
    assert.deepEqual(client.keyUsage, ['1.3.6.1.5.5.7.3.2']);
    assert.deepEqual(certificateSubject(client.raw), { commonName: 'bob', organizations: ['dev'] });
  });

  test('keeps its files over restarts, keys for their owner alone, and renews what ends soon or lacks a name', async () => {
    const first = await open();
    const [server, client, key] = [await first.server(NAMES), await first.client('admin', { commonName: 'a', organizations: [] }), await first.signingKey()];
    const again = await open();
    assert.equal(again.certificate, first.certificate);
    assert.deepEqual([await again.server(NAMES), await again.client('admin', { commonName: 'a', organizations: [] })], [server, client]);
    assert.ok((await again.signingKey()).privateKey.equals(key.privateKey));
    for (const name of await readdir(join(folder, 'pki'))) {
      const { mode } = await stat(join(folder, 'pki', name));
      assert.equal(mode & 0o777, name.endsWith('.crt') ? 0o644 : 0o600, name);
    }
    assert.equal((await stat(join(folder, 'pki'))).mode & 0o777, 0o700);
    assert.notEqual((await again.server([...NAMES, 'more.example.com'])).certificate, server.certificate);
    const later = await open({ ...systemClock, now: () => Date.now() + 320 * 86_400_000 });
    assert.notEqual((await later.client('admin', { commonName: 'a', organizations: [] })).certificate, client.certificate);
  });

  test('a certificate that is damaged, or whose key a crash has replaced, is made anew', async () => {
    const first = await open();
    const server = await first.server(NAMES);
    const place = join(folder, 'pki');
    await writeFile(join(place, 'server.crt'), 'torn');
    const second = await first.server(NAMES);
    assert.ok(new X509Certificate(second.certificate).checkPrivateKey(createPrivateKey(second.key)));
    await writeFile(join(place, 'server.key'), server.key);
    const third = await first.server(NAMES);
    assert.ok(new X509Certificate(third.certificate).checkPrivateKey(createPrivateKey(third.key)));
    assert.notEqual(third.certificate, second.certificate);
    await first.signingKey();
    await writeFile(join(place, 'sa.key'), 'torn');
    await assert.rejects(first.signingKey(), (error: Error) => isCode(error, 'invalid') && error.message.includes(join(place, 'sa.key')));
  });

  test('a broken or mixed-up folder is told, with what to do', async () => {
    await open();
    await writeFile(join(folder, 'pki', 'ca.key'), 'not a key');
    await assert.rejects(open(), (error: Error) => isCode(error, 'invalid') && /cannot read the certificate authority/.test(error.message));
  });

  test('signs the requests of others, after checking that they hold the key', async () => {
    const authority = await open();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = signingRequest(privateKey, publicKey, 'system:node:n', ['system:nodes'], ['node.example.com', '192.0.2.7']);
    const request = authority.readRequest(pem);
    assert.deepEqual(
      [request.subject, request.alternativeNames],
      [{ commonName: 'system:node:n', organizations: ['system:nodes'] }, ['node.example.com', '192.0.2.7']],
    );
    const certificate = new X509Certificate(authority.sign(request, 'client', 3_600_000));
    assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey));
    assert.ok(certificate.checkPrivateKey(privateKey));
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    assert.throws(() => readSigningRequest(signingRequest(stranger.privateKey, publicKey, 'x', [], [])), /does not match its key/);
    assert.throws(
      () => readSigningRequest(toPem('CERTIFICATE REQUEST', fromPem('CERTIFICATE REQUEST', pem).subarray(0, 60))),
      (error) => isCode(error, 'invalid'),
    );
  });
});

/** A PKCS #10 request, as a node makes one. */
function signingRequest(key: KeyObject, publicKey: KeyObject, commonName: string, organizations: string[], names: string[]): string {
  const attributes =
    names.length === 0
      ? []
      : [
          sequence(
            oid('1.2.840.113549.1.9.14'),
            element(TAG.set, sequence(sequence(oid('2.5.29.17'), octetString(encodeAlternativeNames(names))))),
          ),
        ];
  const info = sequence(
    integer(Buffer.from([0])),
    encodeName({ commonName, organizations }),
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(0, ...attributes),
  );
  return toPem('CERTIFICATE REQUEST', sequence(info, sequence(oid('1.2.840.10045.4.3.2')), bitString(sign('sha256', info, key))));
}

describe('kubeconfig', () => {
  const entry = { name: 'longshore', server: 'https://127.0.0.1:6443', authority: 'CA', certificate: 'CERT', key: 'KEY' };

  test('a new one works by itself', () => {
    const config = parse(newKubeconfig(entry)) as Record<string, unknown>;
    assert.deepEqual(config, {
      apiVersion: 'v1', kind: 'Config', 'current-context': 'longshore',
      clusters: [{ name: 'longshore', cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority-data': 'Q0E=' } }],
      users: [{ name: 'longshore', user: { 'client-certificate-data': 'Q0VSVA==', 'client-key-data': 'S0VZ' } }],
      contexts: [{ name: 'longshore', context: { cluster: 'longshore', user: 'longshore' } }],
    });
  });

  const EXISTING = `# mine, do not touch
apiVersion: v1
kind: Config
current-context: work # the important one
preferences: {colors: true}
clusters:
  - name: work
    cluster: {server: https://work.example.com, insecure-skip-tls-verify: true}
contexts: [{name: work, context: {cluster: work, user: me, namespace: team}}]
users:
  - name: me
    user:
      exec: {apiVersion: client.authentication.k8s.io/v1, command: login}
`;

  test('merging loses nothing, and replaces its own entry alone', () => {
    const merged = mergeKubeconfig(EXISTING, entry, false);
    assert.match(merged, /^# mine, do not touch\n/);
    assert.match(merged, /# the important one/);
    const twice = mergeKubeconfig(merged, { ...entry, server: 'https://127.0.0.1:7777' }, true);
    const config = parse(twice) as {
      clusters: { name: string; cluster: { server: string } }[];
      contexts: unknown[];
      users: { name: string }[];
      'current-context': string;
      preferences: unknown;
    };
    assert.deepEqual(
      config.clusters.map(({ name, cluster }) => [name, cluster.server]),
      [
        ['work', 'https://work.example.com'],
        ['longshore', 'https://127.0.0.1:7777'],
      ],
    );
    assert.deepEqual(
      [config.contexts.length, config.users.length, config['current-context'], config.preferences],
      [2, 2, 'longshore', { colors: true }],
    );
    assert.equal((parse(merged) as typeof config)['current-context'], 'work');
  });

  test('removing takes the entry out and leaves the rest', () => {
    const removed = parse(removeFromKubeconfig(mergeKubeconfig(EXISTING, entry, true), 'longshore')) as {
      clusters: { name: string }[];
      'current-context': string;
    };
    assert.deepEqual([removed.clusters.map((cluster) => cluster.name), removed['current-context']], [['work'], '']);
  });

  test('what is no kubeconfig is left alone, with a reason', () => {
    assert.throws(() => mergeKubeconfig('a: [', entry, true), (error) => isCode(error, 'invalid'));
    assert.throws(() => mergeKubeconfig('- a\n- b\n', entry, true), (error) => isCode(error, 'invalid'));
    assert.equal((parse(mergeKubeconfig('apiVersion: v1\nkind: Config\nclusters: null\n', entry, true)) as { clusters: unknown[] }).clusters.length, 1);
  });
});
