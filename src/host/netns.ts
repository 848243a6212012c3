import { constants, openSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { isErrno } from '../lib/errors.ts';
import type { Undo } from '../lib/undo.ts';
import type { NetworkNamespaces } from './host.ts';
import { Program } from './syscall/program.ts';
import type { Step } from './syscall/program.ts';
import { AT_FDCWD, CLONE_NEWNET, O_CLOEXEC } from './syscall/numbers.ts';
import type { LinuxMounts } from './mounts.ts';

const MS_BIND = 4096;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | O_CLOEXEC;
const RTM_NEWLINK = 16;
const NLM_F_REQUEST = 1;
const IFF_UP = 1;

let home: number | undefined;

/** A descriptor of the network namespace that this process lives in; held for good. */
export function homeNamespace(): number {
  home ??= openSync('/proc/self/ns/net', constants.O_RDONLY);
  return home;
}

/**
 * Adds steps that run inside of a network namespace to a program. The thread of the pool changes its namespace, and changes back
 * before it leaves the program, whatever happens in between; so no other work ever sees it elsewhere. Run it with `runInside`.
 */
export function inside(program: Program, enter: (program: Program) => void, body: (program: Program) => void): Step {
  enter(program);
  body(program);
  return program.always('setns', homeNamespace(), CLONE_NEWNET);
}

/** Enters the namespace at `path`. */
export function enterPath(path: string): (program: Program) => void {
  return (program) => {
    const fd = program.call('openat', AT_FDCWD, path, constants.O_RDONLY | O_CLOEXEC, 0);
    program.call('setns', fd, CLONE_NEWNET);
    program.call('close', fd);
  };
}

/** Runs a program made with `inside`. A thread that can't come home would do others' work in the wrong place, so that is the end of the process. */
export async function runInside(program: Program, back: Step): Promise<void> {
  try {
    await program.run();
  } finally {
    if (back.failed) {
      process.stderr.write(`longshore: a thread can't return to its network namespace (${back.result}); stopping\n`);
      process.abort();
    }
  }
}

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

  async remove(path: string): Promise<void> {
    await this.#mounts.unmount(path);
    try {
      await unlink(path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
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
