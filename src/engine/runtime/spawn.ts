import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { watchProcess } from './seqpacket.ts';

/**
 * Starts the supervisor by posix_spawn(3), off this thread. Node's own spawn forks, which copies the page tables of the whole process and holds
 * the event loop for milliseconds, more the larger the process is; this shares them until the program is there.
 */

export interface Spawned {
  readonly pid: number;
  /** The near ends of `pipes`, in their order. */
  readonly pipes: readonly Socket[];
  /** Resolves when the process has ended, after it was reaped. */
  readonly ended: Promise<void>;
}

export interface SpawnPlan {
  readonly file: string;
  /** Without the program's own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What descriptors 2, 3, 4, … become: pipes that the process writes to, or reads from. 0 and 1 are /dev/null; nothing else is inherited. */
  readonly pipes: readonly ('writes' | 'reads')[];
}

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const O_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
const WNOHANG = 1;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
/** Above all descriptors that the new process gets, so that putting one in its place overwrites no other. */
const LOWEST_SPARE = 32;
/** Room for glibc's opaque structures, which have 80 and 336 bytes. */
const OPAQUE_BYTES = 1024;

interface SpawnLibrary {
  pipe2(ends: Int32Array, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  waitpid(pid: number, status: Int32Array, options: number): number;
  actionsInit(actions: Buffer): number;
  actionsDestroy(actions: Buffer): number;
  addOpen(actions: Buffer, fd: number, path: string, flags: number, mode: number): number;
  addDup2(actions: Buffer, from: number, to: number): number;
  addChdir(actions: Buffer, path: string): number;
  addCloseFrom(actions: Buffer, lowest: number): number;
  attrInit(attr: Buffer): number;
  attrDestroy(attr: Buffer): number;
  attrSetFlags(attr: Buffer, flags: number): number;
  attrSetSigDefault(attr: Buffer, set: Buffer): number;
  attrSetSigMask(attr: Buffer, set: Buffer): number;
  spawn: { async(pid: Int32Array, file: string, actions: Buffer, attr: Buffer, argv: readonly (string | null)[], envp: readonly (string | null)[], done: (error: Error | null, errno: number) => void): void };
}

let library: SpawnLibrary | undefined;

function lib(): SpawnLibrary {
  if (library !== undefined) return library;
  const so = koffi.load('libc.so.6');
  library = {
    pipe2: so.func('int pipe2(_Out_ int *, int)') as SpawnLibrary['pipe2'],
    fcntl: so.func('int fcntl(int, int, int)') as SpawnLibrary['fcntl'],
    waitpid: so.func('int waitpid(int, _Out_ int *, int)') as SpawnLibrary['waitpid'],
    actionsInit: so.func('int posix_spawn_file_actions_init(uint8_t *)') as SpawnLibrary['actionsInit'],
    actionsDestroy: so.func('int posix_spawn_file_actions_destroy(uint8_t *)') as SpawnLibrary['actionsDestroy'],
    addOpen: so.func('int posix_spawn_file_actions_addopen(uint8_t *, int, const char *, int, uint32_t)') as SpawnLibrary['addOpen'],
    addDup2: so.func('int posix_spawn_file_actions_adddup2(uint8_t *, int, int)') as SpawnLibrary['addDup2'],
    addChdir: so.func('int posix_spawn_file_actions_addchdir_np(uint8_t *, const char *)') as SpawnLibrary['addChdir'],
    addCloseFrom: so.func('int posix_spawn_file_actions_addclosefrom_np(uint8_t *, int)') as SpawnLibrary['addCloseFrom'],
    attrInit: so.func('int posix_spawnattr_init(uint8_t *)') as SpawnLibrary['attrInit'],
    attrDestroy: so.func('int posix_spawnattr_destroy(uint8_t *)') as SpawnLibrary['attrDestroy'],
    attrSetFlags: so.func('int posix_spawnattr_setflags(uint8_t *, short)') as SpawnLibrary['attrSetFlags'],
    attrSetSigDefault: so.func('int posix_spawnattr_setsigdefault(uint8_t *, const uint8_t *)') as SpawnLibrary['attrSetSigDefault'],
    attrSetSigMask: so.func('int posix_spawnattr_setsigmask(uint8_t *, const uint8_t *)') as SpawnLibrary['attrSetSigMask'],
    spawn: so.func('int posix_spawn(_Out_ int *, const char *, const uint8_t *, const uint8_t *, const char **, const char **)') as SpawnLibrary['spawn'],
  };
  return library;
}

/** @throws an error with the system's code (`ENOENT`) when the program can't be started */
export async function spawnSupervisor(plan: SpawnPlan): Promise<Spawned> {
  const libc = lib();
  const near: number[] = [];
  const far: number[] = [];
  const actions = Buffer.alloc(OPAQUE_BYTES);
  const attr = Buffer.alloc(OPAQUE_BYTES);
  libc.actionsInit(actions);
  libc.attrInit(attr);
  try {
    for (const direction of plan.pipes) {
      const ends = new Int32Array(2);
      if (libc.pipe2(ends, O_CLOEXEC) < 0) throw systemError('pipe2', koffi.errno(), plan.file);
      const [reads, writes] = [ends[0]!, ends[1]!];
      near.push(direction === 'writes' ? reads : writes);
      far.push(raise(libc, direction === 'writes' ? writes : reads));
    }
    libc.addOpen(actions, 0, '/dev/null', O_RDWR, 0);
    libc.addOpen(actions, 1, '/dev/null', O_RDWR, 0);
    for (const [index, fd] of far.entries()) libc.addDup2(actions, fd, index + 2);
    libc.addCloseFrom(actions, far.length + 2);
    libc.addChdir(actions, plan.cwd);
    // Node ignores SIGPIPE; what runs in a container is to die of it.
    libc.attrSetSigDefault(attr, Buffer.alloc(128, 0xff));
    libc.attrSetSigMask(attr, Buffer.alloc(128));
    libc.attrSetFlags(attr, SETSIGDEF | SETSIGMASK | SETSID);
    const pid = await start(libc, plan, actions, attr);
    return { pid, pipes: near.splice(0).map((fd, index) => socketOf(libc, fd, plan.pipes[index]!)), ended: endOf(libc, pid) };
  } finally {
    libc.actionsDestroy(actions);
    libc.attrDestroy(attr);
    for (const fd of [...near, ...far]) closeSync(fd);
  }
}

function start(libc: SpawnLibrary, plan: SpawnPlan, actions: Buffer, attr: Buffer): Promise<number> {
  const pid = new Int32Array(1);
  const argv = [plan.file, ...plan.args, null];
  const envp = [...Object.entries(plan.env).map(([name, value]) => `${name}=${value}`), null];
  return new Promise((resolve, reject) => {
    libc.spawn.async(pid, plan.file, actions, attr, argv, envp, (error, errno) => {
      if (error !== null) reject(error);
      else if (errno !== 0) reject(systemError('posix_spawn', errno, plan.file));
      else resolve(pid[0]!);
    });
  });
}

function raise(libc: SpawnLibrary, fd: number): number {
  if (fd >= LOWEST_SPARE) return fd;
  const raised = libc.fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_SPARE);
  if (raised < 0) throw systemError('fcntl', koffi.errno(), String(fd));
  closeSync(fd);
  return raised;
}

function socketOf(libc: SpawnLibrary, fd: number, direction: 'writes' | 'reads'): Socket {
  libc.fcntl(fd, F_SETFL, O_NONBLOCK);
  const socket = new Socket({ fd, readable: direction === 'writes', writable: direction === 'reads' });
  socket.on('error', () => socket.destroy()); // the process has ended; its end is told by itself
  socket.unref();
  return socket;
}

/** Waits for the end by a pidfd, and takes the process off the kernel's table. */
function endOf(libc: SpawnLibrary, pid: number): Promise<void> {
  return new Promise((resolve) => {
    const reap = (): void => {
      libc.waitpid(pid, new Int32Array(1), WNOHANG);
      resolve();
    };
    // Unreaped it has a pidfd whatever its state.
    if (watchProcess(pid, reap) === undefined) reap();
  });
}

const CODES: Readonly<Record<number, string>> = { 2: 'ENOENT', 11: 'EAGAIN', 12: 'ENOMEM', 13: 'EACCES', 20: 'ENOTDIR', 23: 'ENFILE', 24: 'EMFILE', 8: 'ENOEXEC', 7: 'E2BIG' };

function systemError(call: string, errno: number, subject: string): NodeJS.ErrnoException {
  const code = CODES[errno] ?? `errno ${errno}`;
  return Object.assign(new Error(`${call} ${subject}: ${code}`), { code, errno });
}
