import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostPorts } from '../../host/host.ts';
import { PublishedPorts } from './ports.ts';

/** A machine on which others have some ports. */
function machine(others: readonly number[]): { readonly ports: HostPorts; readonly held: Set<number> } {
  const held = new Set<number>();
  return {
    held,
    ports: {
      hold(_protocol, _address, port) {
        if (others.includes(port) || held.has(port)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
        held.add(port);
        return () => void held.delete(port);
      },
      holder: async () => 'a stranger',
    },
  };
}

const any = { containerPort: 80, protocol: 'tcp' } as const;

test('free ports are looked for from a place of the instance’s own on, and round', async () => {
  const first = new PublishedPorts(machine([]).ports, '00000000');
  assert.deepEqual([(await first.reserve(any, 'a')).binding.hostPort, (await first.reserve(any, 'b')).binding.hostPort], [32768, 32769]);
  const last = new PublishedPorts(machine([60999]).ports, (60999 - 32768).toString(16).padStart(8, '0'));
  assert.equal((await last.reserve(any, 'a')).binding.hostPort, 32768);
});

test('a claimed port is nobody else’s, on no address that means it, until it is released', async () => {
  const { ports, held } = machine([]);
  const published = new PublishedPorts(ports, '00000000');
  const claimed = published.claim({ ...any, hostIp: '127.0.0.1', hostPort: 32768 }, 'owner');
  assert.equal((await published.reserve(any, 'other')).binding.hostPort, 32769);
  await assert.rejects(published.reserve({ ...any, hostIp: '127.0.0.1', hostPort: 32768 }, 'thief'), { code: 'conflict', remedy: /container owner has it/ });
  assert.equal((await published.reserve({ ...any, hostIp: '127.0.0.2', hostPort: 32768 }, 'beside')).binding.hostPort, 32768);
  held.delete(32768);
  claimed.release();
  assert.equal((await published.reserve({ ...any, hostIp: '127.0.0.1', hostPort: 32768 }, 'heir')).binding.hostPort, 32768);
});
