import { connect, Socket } from 'node:net';
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';

/**
 * Sockets and descriptors that Node can't open by itself, given to its event
 * loop: the supervisor's attach socket is SOCK_SEQPACKET, and a pidfd tells of the end
 * of a process that isn't our child. Each call here returns at once.
 */

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SUN_PATH_BYTES = 108;

/** libuv's pipe, the handle under net.Socket: reads and writes any descriptor that epoll takes. */
interface PipeHandle {
  open(fd: number): number;
}

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  syscall(number: number, pid: number, flags: number): number;
}

let libc: Libc | undefined;

function lib(): Libc {
  if (libc === undefined) {
    const so = koffi.load('libc.so.6');
    libc = {
      socket: so.func('int socket(int, int, int)') as Libc['socket'],
      connect: so.func('int connect(int, const uint8_t *, uint32_t)') as Libc['connect'],
      syscall: so.func('long syscall(long, long, long)') as Libc['syscall'],
    };
  }
  return libc;
}

let pipeConstructor: (new (type: number) => PipeHandle) | undefined;

/** The class of libuv's pipe handle, taken from a socket, since Node doesn't export it. */
function newPipe(fd: number): PipeHandle {
  if (pipeConstructor === undefined) {
    const probe = connect({ path: '\0longshore-none' });
    // Nobody listens there by intent: only the handle's class is wanted.
    probe.on('error', () => undefined);
    const key = '_handle'; // Node's own name for it
    pipeConstructor = (probe as unknown as Record<typeof key, { constructor: new (type: number) => PipeHandle }>)[key].constructor;
    probe.destroy();
  }
  const pipe = new pipeConstructor(0);
  const failed = pipe.open(fd);
  if (failed < 0) throw new Error(`descriptor ${fd} can't be watched (libuv error ${failed})`);
  return pipe;
}

/** A socket over a libuv handle; reading starts with resume(). `handle` and `manualStart` are options that Node's own servers use. */
function socketOver(handle: PipeHandle, options: ConstructorParameters<typeof Socket>[0]): Socket {
  const extended: object = { ...options, handle, manualStart: true };
  return new Socket(extended);
}

function errnoError(call: string, path: string): NodeJS.ErrnoException {
  const number = koffi.errno();
  const names: Record<number, string> = { 2: 'ENOENT', 11: 'EAGAIN', 13: 'EACCES', 104: 'ECONNRESET', 111: 'ECONNREFUSED', 3: 'ESRCH' };
  const code = names[number] ?? `errno ${number}`;
  return Object.assign(new Error(`${call} ${path}: ${code}`), { code, errno: number });
}

/**
 * Connects to the SOCK_SEQPACKET socket `name` in `folder`. Packets keep their bounds: each read gives one whole
 * packet into `buffer`, and `onPacket` is called with its length; when it returns false, reading stops until `socket.resume()`.
 * @throws the system's error (`ECONNREFUSED`, `ENOENT`) when nobody listens
 */
export function connectSeqpacket(folder: string, name: string, buffer: Buffer, onPacket: (length: number) => boolean): Socket {
  // A path beneath a home can be longer than sun_path: go through the folder's descriptor.
  const dir = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const fd = lib().socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  try {
    if (fd < 0) throw errnoError('socket', folder);
    const path = `/proc/self/fd/${dir}/${name}`;
    const address = Buffer.alloc(2 + SUN_PATH_BYTES);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(path, 2, 'latin1');
    if (lib().connect(fd, address, 2 + path.length + 1) < 0) {
      const error = errnoError('connect', `${folder}/${name}`);
      closeSync(fd);
      throw error;
    }
  } finally {
    closeSync(dir);
  }
  return socketOver(newPipe(fd), { allowHalfOpen: true, onread: { buffer, callback: onPacket } });
}

const SYS_pidfd_open = 434; // the same number on every architecture

/**
 * Calls `onEnd` once when process `pid` ends, whoever its parent is; undefined when there is no such process.
 * Does not keep the event loop alive. Returns the undo.
 */
export function watchProcess(pid: number, onEnd: () => void): (() => void) | undefined {
  const fd = lib().syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return undefined;
  // A pidfd becomes readable at the end, and reading it fails with EINVAL: that failure is the message.
  const socket = socketOver(newPipe(fd), { readable: true, writable: false });
  let done = false;
  const finish = (): void => {
    if (done) return;
    done = true;
    socket.destroy();
    onEnd();
  };
  socket.on('error', finish);
  socket.on('end', finish);
  socket.resume();
  socket.unref();
  return () => {
    done = true;
    socket.destroy();
  };
}
