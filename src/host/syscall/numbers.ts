/** System call numbers. Those from 424 on are the same for every architecture. */
const SHARED = {
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  close_range: 436,
  openat2: 437,
  mount_setattr: 442,
} as const;

/** asm/unistd_64.h of x86-64. */
const X64 = {
  read: 0,
  close: 3,
  ioctl: 16,
  socket: 41,
  connect: 42,
  sendto: 44,
  bind: 49,
  listen: 50,
  setsockopt: 54,
  getsockopt: 55,
  mount: 165,
  umount2: 166,
  sethostname: 170,
  lsetxattr: 189,
  fsetxattr: 190,
  lgetxattr: 192,
  fgetxattr: 193,
  llistxattr: 195,
  lremovexattr: 198,
  openat: 257,
  mkdirat: 258,
  mknodat: 259,
  fchownat: 260,
  unlinkat: 263,
  linkat: 265,
  symlinkat: 266,
  readlinkat: 267,
  fchmodat: 268,
  ppoll: 271,
  unshare: 272,
  utimensat: 280,
  recvmmsg: 299,
  setns: 308,
  renameat2: 316,
  ...SHARED,
} as const;

export type SyscallName = keyof typeof X64;

/** asm-generic/unistd.h, which AArch64 uses. */
const ARM64: Record<SyscallName, number> = {
  read: 63,
  close: 57,
  ioctl: 29,
  socket: 198,
  connect: 203,
  sendto: 206,
  bind: 200,
  listen: 201,
  setsockopt: 208,
  getsockopt: 209,
  mount: 40,
  umount2: 39,
  sethostname: 161,
  lsetxattr: 6,
  fsetxattr: 7,
  lgetxattr: 9,
  fgetxattr: 10,
  llistxattr: 12,
  lremovexattr: 15,
  openat: 56,
  mkdirat: 34,
  mknodat: 33,
  fchownat: 54,
  unlinkat: 35,
  linkat: 37,
  symlinkat: 36,
  readlinkat: 78,
  fchmodat: 53,
  ppoll: 73,
  unshare: 97,
  utimensat: 88,
  recvmmsg: 243,
  setns: 268,
  renameat2: 276,
  ...SHARED,
};

export const SYSCALL_NUMBERS: Readonly<Record<SyscallName, number>> = process.arch === 'arm64' ? ARM64 : X64;

/** `O_DIRECTORY`, `O_NOFOLLOW` and `O_DIRECT` differ between x86 and ARM; node:fs's constants know, but it has neither O_PATH nor O_CLOEXEC. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_RECURSIVE = 0x8000;
export const AT_EMPTY_PATH = 0x1000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWNET = 0x40000000;
