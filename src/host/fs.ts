/**
 * System calls on names that node:fs lacks: device nodes, extended
 * attributes, links and renames relative to a folder's descriptor. None follows a
 * symlink in the last name, and a name has no slash, so with a descriptor from
 * parentInRoot (beneath.ts) nothing leaves the root.
 *
 * Each exists for this thread (for workers, and for calls that are quick enough) and, through `Program`, as part of a longer list
 * off this thread. Errors are SyscallErrors with `code`.
 */
import { closeSync, constants, fstatSync } from 'node:fs';
import { Program, SyscallError } from './syscall/program.ts';
import type { Argument } from './syscall/program.ts';
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_PATH } from './syscall/numbers.ts';
import type { SyscallName } from './syscall/numbers.ts';

export { SyscallError } from './syscall/program.ts';

export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

/** A time of utimensat: nanoseconds since the epoch, or undefined to leave it as it is. */
export type Time = bigint | undefined;

const EOPNOTSUPP = 95;
const ENODATA = 61;
const ERANGE = 34;

/** The kernel's own encoding of a device number (new_encode_dev). */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** The path of a name in an open folder, for calls that know paths only. Does not follow the name itself if the call doesn't. */
export function pathAt(folder: number, name: string): string {
  return `/proc/self/fd/${folder}/${checkName(name)}`;
}

/** mknodat(2); mode holds the type, as in `S_IFCHR | 0o600`. A whiteout of overlayfs is S_IFCHR with device 0:0. */
export function mknodAt(folder: number, name: string, mode: number, major = 0, minor = 0): void {
  sync('mknodat', folder, checkName(name), mode, deviceNumber(major, minor));
}

export function mkdirAt(folder: number, name: string, mode: number): void {
  sync('mkdirat', folder, checkName(name), mode);
}

export function symlinkAt(target: string, folder: number, name: string): void {
  const program = new Program();
  program.call('symlinkat', program.string(target), folder, checkName(name));
  program.runSync();
}

/** A hard link; if `from` is a symlink, to the symlink itself. */
export function linkAt(fromFolder: number, from: string, toFolder: number, to: string): void {
  sync('linkat', fromFolder, checkName(from), toFolder, checkName(to), 0);
}

/** @param flags RENAME_NOREPLACE or RENAME_EXCHANGE */
export function renameAt(fromFolder: number, from: string, toFolder: number, to: string, flags = 0): void {
  sync('renameat2', fromFolder, checkName(from), toFolder, checkName(to), flags);
}

export function unlinkAt(folder: number, name: string, options: { readonly folder?: boolean } = {}): void {
  sync('unlinkat', folder, checkName(name), options.folder ? AT_REMOVEDIR : 0);
}

export function lchownAt(folder: number, name: string, uid: number, gid: number): void {
  sync('fchownat', folder, checkName(name), uid, gid, AT_SYMLINK_NOFOLLOW);
}

/** chmod that never follows. @throws SyscallError EOPNOTSUPP for a symlink, whose mode means nothing */
export function chmodAt(folder: number, name: string, mode: number): void {
  const open = new Program();
  const fd = open.call('openat', folder, checkName(name), O_PATH | O_CLOEXEC | constants.O_NOFOLLOW, 0);
  open.runSync();
  try {
    if (fstatSync(fd.result).isSymbolicLink()) throw new SyscallError('fchmodat', EOPNOTSUPP, name);
    // fchmodat2 is younger than our oldest kernel; this magic link leads to the open file and nowhere else.
    sync('fchmodat', AT_FDCWD, `/proc/self/fd/${fd.result}`, mode);
  } finally {
    closeSync(fd.result);
  }
}

/** Sets access and modification time, of a symlink itself too. */
export function utimesAt(folder: number, name: string, access: Time, modification: Time): void {
  const program = new Program();
  const times = program.allocate(32, (into) => {
    writeTime(into, 0, access);
    writeTime(into, 16, modification);
  });
  program.call('utimensat', folder, checkName(name), times, AT_SYMLINK_NOFOLLOW);
  program.runSync();
}

/** Sets an extended attribute, as in `trusted.overlay.opaque`, without following a symlink. */
export function lsetxattr(path: string, attribute: string, value: Uint8Array): void {
  const program = new Program();
  program.call('lsetxattr', path, attribute, program.bytes(value), value.length, 0);
  program.runSync();
}

/** undefined when there is none, or the file system knows none. */
export function lgetxattr(path: string, attribute: string): Buffer | undefined {
  return grow((program, room) => program.attempt('lgetxattr', path, attribute, room, room.length), 'lgetxattr', path);
}

export function llistxattr(path: string): string[] {
  const names = grow((program, room) => program.attempt('llistxattr', path, room, room.length), 'llistxattr', path);
  return names ? names.toString('utf8').split('\0').filter((name) => name !== '') : [];
}

/** Nothing there is success. */
export function lremovexattr(path: string, attribute: string): void {
  const program = new Program();
  const step = program.attempt('lremovexattr', path, attribute);
  program.runSync();
  if (step.failed && step.result !== -ENODATA && step.result !== -EOPNOTSUPP) throw new SyscallError('lremovexattr', -step.result, path);
}

function grow(
  call: (program: Program, room: ReturnType<Program['allocate']>) => { readonly failed: boolean; readonly result: number },
  name: SyscallName,
  path: string,
): Buffer | undefined {
  // 64 KiB is the kernel's own limit for values and for lists.
  for (const size of [256, 65_536]) {
    const program = new Program();
    const room = program.allocate(size);
    const step = call(program, room);
    program.runSync();
    if (!step.failed) return Buffer.from(program.read(room).subarray(0, step.result));
    if (step.result === -ENODATA || step.result === -EOPNOTSUPP) return undefined;
    if (step.result !== -ERANGE || size === 65_536) throw new SyscallError(name, -step.result, path);
  }
  return undefined;
}

function sync(name: SyscallName, ...args: Argument[]): void {
  const program = new Program();
  program.call(name, ...args);
  program.runSync();
}

function writeTime(into: Buffer, at: number, time: Time): void {
  const UTIME_OMIT = (1n << 30n) - 2n;
  const seconds = time === undefined ? 0n : floorDiv(time, 1_000_000_000n);
  into.writeBigInt64LE(seconds, at);
  into.writeBigInt64LE(time === undefined ? UTIME_OMIT : time - seconds * 1_000_000_000n, at + 8);
}

function floorDiv(a: bigint, b: bigint): bigint {
  return a < 0n && a % b !== 0n ? a / b - 1n : a / b;
}

function checkName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new SyscallError('name', 22, name);
  return name;
}
