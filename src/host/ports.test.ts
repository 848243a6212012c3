import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { LinuxPorts } from './ports.ts';

const ports = new LinuxPorts();

test('a held port is taken, for whatever address, until it is let go', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.throws(() => ports.hold('tcp', '127.0.0.1', port), { code: 'EADDRINUSE' });
  assert.throws(() => ports.hold('tcp', '0.0.0.0', port), { code: 'EADDRINUSE' });
  assert.match((await ports.holder('tcp', port)) ?? '', new RegExp(`\\(pid ${process.pid}\\)$`));
  assert.match((await ports.holder('tcp', port, '127.0.0.1')) ?? '', /pid/);
  assert.equal(await ports.holder('tcp', port, '127.0.0.2'), undefined);
  const udp = ports.hold('udp', '0.0.0.0', port);
  assert.throws(() => ports.hold('udp', '127.0.0.1', port), { code: 'EADDRINUSE' });
  udp();
  udp();
  server.close();
  await once(server, 'close');
  const tcp = ports.hold('tcp', '0.0.0.0', port);
  assert.throws(() => ports.hold('tcp', '127.0.0.1', port), { code: 'EADDRINUSE' });
  assert.match((await ports.holder('tcp', port, '127.0.0.2')) ?? '', /pid/);
  tcp();
  ports.hold('tcp', '127.0.0.1', port)();
});

test('an address of another machine', () => {
  assert.throws(() => ports.hold('tcp', '203.0.113.9', 8080), { code: 'EADDRNOTAVAIL' });
});
