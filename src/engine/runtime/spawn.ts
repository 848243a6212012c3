import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { watchProcess } from './seqpacket.ts';

/**
 * Starts supervisors and runtimes by posix_spawn(3), off this thread. Node's own spawn forks, which copies the page tables of the whole process and holds
 * the event loop for milliseconds, more the larger the process is; this shares them until the program is there.
 */

export interface Spawned {
  readonly pid: number;
  /** The near ends of the pipes in `stdio`, in their order. */
  readonly pipes: readonly Socket[];
  /** Resolves when the process has ended and was reaped, with its exit code; 128 + n when signal n ended it. */
  readonly ended: Promise<number>;
}

export interface SpawnPlan {
  readonly file: string;
  /** Without the program's own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What descriptors 0, 1, 2, … become: /dev/null, or pipes that the process writes to or reads from. Nothing else is inherited. */
  readonly stdio: readonly ('null' | 'writes' | 'reads')[];
}

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const O_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const P_ALL = 0;
const PR_SET_CHILD_SUBREAPER = 36;
/** siginfo_t on 64-bit Linux, and where in it si_pid is. */
const SIGINFO_BYTES = 128;
const SIGINFO_PID_OFFSET = 16;
/** How many orphans are taken in one go. */
const MOST_ORPHANS = 64;
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
  waitid(type: number, id: number, info: Buffer, options: number): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
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
  spawn: {
    async(
      pid: Int32Array,
      file: string,
      actions: Buffer,
      attr: Buffer,
      argv: readonly (string | null)[],
      envp: readonly (string | null)[],
      done: (error: Error | null, errno: number) => void,
    ): void;
  };
}

let library: SpawnLibrary | undefined;

function lib(): SpawnLibrary {
  if (library !== undefined) return library;
  const so = koffi.load('libc.so.6');
  library = {
    pipe2: so.func('int pipe2(_Out_ int *, int)') as SpawnLibrary['pipe2'],
    fcntl: so.func('int fcntl(int, int, int)') as SpawnLibrary['fcntl'],
    waitpid: so.func('int waitpid(int, _Out_ int *, int)') as SpawnLibrary['waitpid'],
    waitid: so.func('int waitid(int, uint32_t, uint8_t *, int)') as SpawnLibrary['waitid'],
    prctl: so.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)') as SpawnLibrary['prctl'],
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
export async function spawnProcess(plan: SpawnPlan): Promise<Spawned> {
  const libc = lib();
  const near: number[] = [];
  const far: number[] = [];
  const actions = Buffer.alloc(OPAQUE_BYTES);
  const attr = Buffer.alloc(OPAQUE_BYTES);
  libc.actionsInit(actions);
  libc.attrInit(attr);
  try {
    for (const [index, use] of plan.stdio.entries()) {
      if (use === 'null') {
        libc.addOpen(actions, index, '/dev/null', O_RDWR, 0);
        continue;
      }
      const ends = new Int32Array(2);
      if (libc.pipe2(ends, O_CLOEXEC) < 0) throw systemError('pipe2', koffi.errno(), plan.file);
      const [reads, writes] = [ends[0]!, ends[1]!];
      near.push(use === 'writes' ? reads : writes);
      const theirs = raise(libc, use === 'writes' ? writes : reads);
      far.push(theirs);
      libc.addDup2(actions, theirs, index);
    }
    libc.addCloseFrom(actions, plan.stdio.length);
    libc.addChdir(actions, plan.cwd);
    // Node ignores SIGPIPE; what runs in a container is to die of it.
    libc.attrSetSigDefault(attr, Buffer.alloc(128, 0xff));
    libc.attrSetSigMask(attr, Buffer.alloc(128));
    libc.attrSetFlags(attr, SETSIGDEF | SETSIGMASK | SETSID);
    const pid = await start(libc, plan, actions, attr);
    const uses = plan.stdio.filter((use) => use !== 'null');
    return { pid, pipes: near.splice(0).map((fd, index) => socketOf(libc, fd, uses[index]!)), ended: reap(pid) };
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
  // Reading starts with the first listener: an end that came before would be missed.
  const options: object = { fd, readable: direction === 'writes', writable: direction === 'reads', manualStart: true };
  const socket = new Socket(options);
  socket.on('error', () => socket.destroy()); // the process has ended; its end is told by itself
  socket.unref();
  return socket;
}

/** Children that somebody waits for: no orphans. */
const awaited = new Set<number>();

/** Waits by a pidfd for the end of a child of ours, and takes it off the kernel's table. @returns its exit code; 137 when somebody else has taken it */
export function reap(pid: number): Promise<number> {
  awaited.add(pid);
  return new Promise((resolve) => {
    const take = (): void => {
      awaited.delete(pid);
      const status = new Int32Array(1);
      const taken = lib().waitpid(pid, status, WNOHANG);
      resolve(taken === pid ? exitCode(status[0]!) : 137);
    };
    // Unreaped it has a pidfd whatever its state.
    if (watchProcess(pid, take) === undefined) take();
  });
}

/** As wait(2) puts it: the signal in the low seven bits, the code in the next byte. */
function exitCode(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

let isSubreaper = false;

/** From now on what our children leave behind becomes our child, not init's: so we learn how it ends. */
export function becomeSubreaper(): void {
  if (isSubreaper) return;
  if (lib().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) throw systemError('prctl', koffi.errno(), 'PR_SET_CHILD_SUBREAPER');
  isSubreaper = true;
}

/**
 * Takes off the kernel's table what orphans of containers have ended under us; with `--pid host` a process's children don't go with it.
 * `isOurs` tells of a pid whether it is such a one: all others are left to whoever started them.
 */
export async function reapOrphans(isOurs: (pid: number) => Promise<boolean>): Promise<void> {
  const info = Buffer.alloc(SIGINFO_BYTES);
  for (let left = MOST_ORPHANS; left > 0; left--) {
    info.fill(0);
    if (lib().waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) < 0) return;
    const pid = info.readInt32LE(SIGINFO_PID_OFFSET);
    if (pid === 0 || awaited.has(pid) || !(await isOurs(pid))) return;
    lib().waitpid(pid, new Int32Array(1), WNOHANG);
  }
}

const CODES: Readonly<Record<number, string>> = {
  2: 'ENOENT',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  20: 'ENOTDIR',
  23: 'ENFILE',
  24: 'EMFILE',
  8: 'ENOEXEC',
  7: 'E2BIG',
};

function systemError(call: string, errno: number, subject: string): NodeJS.ErrnoException {
  const code = CODES[errno] ?? `errno ${errno}`;
  return Object.assign(new Error(`${call} ${subject}: ${code}`), { code, errno });
}
