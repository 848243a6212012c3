import { closeSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { HostPorts } from './host.ts';
import { boundSocket } from './sockets.ts';
import { Program } from './syscall/program.ts';

const TCP_LISTEN = '0A';
const ANY = '0.0.0.0';

/** Holds ports by sockets. A TCP one listens, since only that keeps out another socket which allows reuse. */
export class LinuxPorts implements HostPorts {
  hold(protocol: 'tcp' | 'udp', address: string, port: number): () => void {
    const program = new Program();
    const socket = boundSocket(program, protocol, address, port);
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

  async holder(protocol: 'tcp' | 'udp', port: number, address = ANY): Promise<string | undefined> {
    const inodes = new Set<string>();
    for (const file of [`/proc/net/${protocol}`, `/proc/net/${protocol}6`]) {
      const text = await readFile(file, 'utf8').catch(() => ''); // IPv6 may be off
      for (const line of text.split('\n').slice(1)) {
        const fields = line.trim().split(/\s+/);
        const [at = '', local] = fields[1]?.split(':') ?? [];
        if (local !== undefined && parseInt(local, 16) === port && meets(at, address) && (protocol === 'udp' || fields[3] === TCP_LISTEN)) {
          inodes.add(`socket:[${fields[9]}]`);
        }
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

/** Whether a socket at an address as /proc/net has it (words of four bytes, each with its last byte first) keeps others from `address`. */
function meets(at: string, address: string): boolean {
  if (address === ANY || /^0+$/.test(at)) return true;
  const word = address.split('.').reverse().map((part) => Number(part).toString(16).padStart(2, '0')).join('').toUpperCase();
  return at === word || at === `0000000000000000FFFF0000${word}`;
}
