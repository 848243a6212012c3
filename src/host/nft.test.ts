import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { LinuxNft } from './nft.ts';
import { LinuxSpawner } from './spawn.ts';
import { LinuxSysctl } from './sysctl.ts';

const nft = new LinuxNft(new LinuxSpawner());
const table = `ip longshore-test-${process.pid}`;
after(() => nft.apply(`add table ${table}; delete table ${table}`));

test('a script is one transaction, and what it made can be listed', async () => {
  await nft.apply(
    `add table ${table}\nadd map ${table} ports { type inet_service : ipv4_addr . inet_service; }\nadd element ${table} ports { 8080 : 10.0.0.1 . 80 }`,
  );
  const listed = (await nft.list(`list map ${table} ports`)) as { nftables: { map?: { elem: unknown[] } }[] };
  assert.equal(listed.nftables.find((entry) => entry.map)?.map?.elem.length, 1);
  await assert.rejects(nft.apply(`add element ${table} ports { 9090 : 10.0.0.2 . 80 }\nadd rule ${table} nowhere accept`), {
    code: 'internal',
    message: /No such file or directory/,
  });
  const after = (await nft.list(`list map ${table} ports`)) as typeof listed;
  assert.equal(after.nftables.find((entry) => entry.map)?.map?.elem.length, 1, 'all or nothing');
});

test('a syntax error gives nft’s own words, and many at once keep their order', async () => {
  await assert.rejects(nft.apply('frobnicate'), { message: /syntax error/ });
  await Promise.all(Array.from({ length: 50 }, (_, n) => nft.apply(`add element ${table} ports { ${n + 1} : 10.0.0.3 . ${n + 1} }`)));
});

test('the program does the same where the library is missing', async () => {
  const program = new LinuxNft(new LinuxSpawner(), { program: true });
  await program.apply(`add table ${table}\nadd set ${table} byprogram { type inet_service; }`);
  const listed = (await program.list(`list set ${table} byprogram`)) as { nftables: { set?: { name: string } }[] };
  assert.ok(listed.nftables.some((entry) => entry.set?.name === 'byprogram'));
  await assert.rejects(program.apply('frobnicate'), { code: 'internal', message: /syntax error/ });
  await assert.rejects(program.apply('list tables\0'), { code: 'invalid' });
});

test('sysctl reads, sets, puts back, and refuses to leave /proc/sys', async () => {
  const sysctl = new LinuxSysctl();
  const here = await sysctl.get('kernel.ostype');
  assert.equal(here, 'Linux');
  await assert.rejects(sysctl.get('no.such.thing'), { code: 'not-found' });
  await assert.rejects(sysctl.get('kernel/../../etc/passwd'), { code: 'invalid' });
});
