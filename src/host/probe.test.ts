import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from './host.ts';
import { openHost } from './open.ts';
import { probe } from './probe.ts';
import { which } from './which.ts';

const host = await openHost();

test('every finding has a name and a detail, and what is wrong has a remedy', async () => {
  const findings = await probe(host);
  assert.equal(new Set(findings.map((finding) => finding.name)).size, findings.length);
  for (const finding of findings) {
    assert.ok(finding.detail !== '', finding.name);
    if (finding.status !== 'ok') assert.ok(finding.remedy, `${finding.name}: ${finding.detail}`);
  }
  for (const name of ['root', 'kernel', 'system-calls', 'cgroups', 'overlay', 'nftables']) {
    assert.equal(findings.find((finding) => finding.name === name)?.status, 'ok', name);
  }
});

test('one broken part hides no other, and old runc is told', async () => {
  const broken: Host = {
    ...host,
    nft: { apply: async () => {}, list: () => Promise.reject(new Error('no netlink')) },
    spawn: {
      ...host.spawn,
      spawnDaemon: () => Promise.reject(new Error('unused')),
      run: async () => ({ code: 0, signal: null, stdout: Buffer.from('runc version 1.1.5\n'), stderr: '' }),
    },
  };
  const findings = await probe(broken);
  assert.deepEqual(findings.filter((finding) => finding.detail === 'no netlink').map((finding) => finding.name), ['nftables', 'forwarding']);
  const runc = findings.find((finding) => finding.name === 'runc');
  if (await which('runc')) assert.deepEqual([runc?.status, /CVE-2025-31133/.test(runc?.detail ?? '')], ['warn', true]);
  assert.equal(await which('no-such-program'), undefined);
});
