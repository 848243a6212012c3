import { closeSync, constants } from 'node:fs';
import type { Undo } from '../lib/undo.ts';
import type { NetworkNamespaces } from './host.ts';
import { connectWithin } from './connect.ts';
import { boundSocket } from './sockets.ts';
import { Program } from './syscall/program.ts';
import type { Step } from './syscall/program.ts';
import { AT_FDCWD, CLONE_NEWNET, O_CLOEXEC } from './syscall/numbers.ts';
import { enterPath, inside, runInside } from './inside.ts';
import { unmountFile } from './mount-found.ts';
import type { LinuxMounts } from './mounts.ts';

const MS_BIND = 4096;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | O_CLOEXEC;
const RTM_NEWLINK = 16;
const NLM_F_REQUEST = 1;
const IFF_UP = 1;
const BACKLOG = 511;

/** Kept network namespaces: a bind mount each, no process. */
export class LinuxNetworkNamespaces implements NetworkNamespaces {
  #mounts: LinuxMounts;

  constructor(mounts: LinuxMounts) {
    this.#mounts = mounts;
  }

  async create(path: string): Promise<Undo> {
    const program = new Program();
    const file = program.call('openat', AT_FDCWD, path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL | O_CLOEXEC, 0o444);
    program.call('close', file);
    const back = inside(
      program,
      () => program.call('unshare', CLONE_NEWNET),
      () => {
        program.call('mount', program.string('/proc/thread-self/ns/net'), path, program.string('none'), MS_BIND, 0);
        const socket = program.call('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
        program.call('sendto', socket, program.bytes(loopbackUp()), 32, 0, 0, 0);
        program.always('close', socket);
      },
    );
    try {
      await runInside(program, back);
    } catch (error) {
      if (!file.failed) await this.remove(path);
      throw error;
    }
    let done: Promise<void> | undefined;
    return () => (done ??= this.remove(path));
  }

  async connect(path: string, address: string, port: number, timeoutMs = 10_000): Promise<number> {
    return await connectWithin(path, address, port, timeoutMs);
  }

  async listen(path: string, address: string, port: number): Promise<number> {
    const program = new Program();
    let socket: Step | undefined;
    const back = inside(program, enterPath(path), () => {
      socket = boundSocket(program, 'tcp', address, port, BACKLOG);
    });
    try {
      await runInside(program, back);
    } catch (error) {
      if (socket && socket.result > 0) closeSync(socket.result);
      throw error;
    }
    return socket!.result;
  }

  async remove(path: string): Promise<void> {
    await unmountFile(this.#mounts, path);
  }
}

/** RTM_NEWLINK that sets IFF_UP on index 1, which is always the loopback. */
function loopbackUp(): Buffer {
  const message = Buffer.alloc(32);
  message.writeUInt32LE(32, 0);
  message.writeUInt16LE(RTM_NEWLINK, 4);
  message.writeUInt16LE(NLM_F_REQUEST, 6);
  message.writeInt32LE(1, 20);
  message.writeUInt32LE(IFF_UP, 24);
  message.writeUInt32LE(IFF_UP, 28);
  return message;
}
