import { closeSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { parseAddress } from './address.ts';
import type { HostPorts } from './host.ts';
import { O_CLOEXEC } from './syscall/numbers.ts';
import { Program } from './syscall/program.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const TCP_LISTEN = '0A';

/** Holds ports by sockets. A TCP one listens, since only that keeps out another socket which allows reuse. */
export class LinuxPorts implements HostPorts {
  hold(protocol: 'tcp' | 'udp', address: string, port: number): () => void {
    const bytes = parseAddress(address);
    const v6 = bytes.length === 16;
    const program = new Program();
    const socket = program.call('socket', v6 ? AF_INET6 : AF_INET, (protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM) | O_CLOEXEC, 0);
    const one = program.allocate(4, (into) => into.writeInt32LE(1));
    // Connections of an earlier listener that linger in TIME_WAIT are no conflict.
    if (protocol === 'tcp') program.call('setsockopt', socket, SOL_SOCKET, SO_REUSEADDR, one, 4);
    else program.call('setsockopt', socket, SOL_SOCKET, SO_RCVBUF, one, 4);
    if (v6) program.call('setsockopt', socket, IPPROTO_IPV6, IPV6_V6ONLY, one, 4);
    const name = program.allocate(v6 ? 28 : 16, (into) => {
      into.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0);
      into.writeUInt16BE(port, 2);
      into.set(bytes, v6 ? 8 : 4);
    });
    program.call('bind', socket, name, name.length);
    if (protocol === 'tcp') program.call('listen', socket, 0);
    try {
      program.runSync();
    } catch (error) {
      if (socket.result > 0) closeSync(socket.result);
      throw error;
    }
    let held = true;
    return () => {
      if (held) closeSync(socket.result);
      held = false;
    };
  }

  async holder(protocol: 'tcp' | 'udp', port: number): Promise<string | undefined> {
    const inodes = new Set<string>();
    for (const file of [`/proc/net/${protocol}`, `/proc/net/${protocol}6`]) {
      const text = await readFile(file, 'utf8').catch(() => ''); // IPv6 may be off
      for (const line of text.split('\n').slice(1)) {
        const fields = line.trim().split(/\s+/);
        const local = fields[1]?.split(':')[1];
        if (local !== undefined && parseInt(local, 16) === port && (protocol === 'udp' || fields[3] === TCP_LISTEN)) inodes.add(`socket:[${fields[9]}]`);
      }
    }
    if (inodes.size === 0) return undefined;
    for (const pid of await readdir('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      // Processes come and go while we look.
      for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
        const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
        if (inodes.has(target)) return `${(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'process')).trim()} (pid ${pid})`;
      }
    }
    return undefined;
  }
}
