/**
 * The default system call filter of containers: everything is refused with EPERM but what is listed here. The same
 * calls as Docker's default profile lets through, so that an image which runs there runs here.
 */

/** Let through for everybody. */
const ALWAYS = (
  'accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres ' +
  'clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 ' +
  'epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group ' +
  'faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync ' +
  'fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue ' +
  'futex_time64 futex_wait futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 ' +
  'getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit ' +
  'get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch ' +
  'inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set io_setup ' +
  'io_submit ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr ' +
  'listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir ' +
  'mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend ' +
  'mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat ' +
  '_newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 ' +
  'preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom ' +
  'recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq ' +
  'rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo ' +
  'sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval ' +
  'sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop ' +
  'semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups ' +
  'setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit ' +
  'set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack ' +
  'signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync ' +
  'sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 ' +
  'timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink ' +
  'unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev'
).split(' ');

/** Of these, what no 64-bit program can call: each name costs time at every start and exec. */
const NARROW_ONLY: ReadonlySet<string> = new Set(
  (
    'chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 clock_settime64 fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ' +
    'ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32 getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 _llseek lstat64 mmap2 ' +
    'mq_timedreceive_time64 mq_timedsend_time64 _newselect ppoll_time64 pselect6_time64 recv recvmmsg_time64 rt_sigtimedwait_time64 ' +
    'sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 setfsgid32 setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 ' +
    'setuid32 sigprocmask sigreturn socketcall stat64 statfs64 stime timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit ' +
    'utimensat_time64 waitpid'
  ).split(' '),
);

/** Let through for whoever has the capability. */
const WITH_CAPABILITY: readonly (readonly [capability: string, calls: string])[] = [
  ['CAP_DAC_READ_SEARCH', 'open_by_handle_at'],
  [
    'CAP_SYS_ADMIN',
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  ],
  ['CAP_SYS_BOOT', 'reboot'],
  ['CAP_SYS_CHROOT', 'chroot'],
  ['CAP_SYS_MODULE', 'delete_module init_module finit_module'],
  ['CAP_SYS_PACCT', 'acct'],
  ['CAP_SYS_PTRACE', 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'],
  ['CAP_SYS_RAWIO', 'iopl ioperm'],
  ['CAP_SYS_TIME', 'settimeofday stime clock_settime clock_settime64'],
  ['CAP_SYS_TTY_CONFIG', 'vhangup'],
  ['CAP_SYS_NICE', 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node'],
  ['CAP_SYSLOG', 'syslog'],
  ['CAP_BPF', 'bpf'],
  ['CAP_PERFMON', 'perf_event_open'],
];

/** clone's flags that make new namespaces (CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET). */
const CLONE_NAMESPACES = 0x7e020000;
const ENOSYS = 38;
/** Without x32, which no distribution has: each architecture costs some milliseconds at every start. */
const ARCHITECTURES: Readonly<Record<string, { readonly wide: string; readonly narrow: string; readonly calls: string }>> = {
  x64: { wide: 'SCMP_ARCH_X86_64', narrow: 'SCMP_ARCH_X86', calls: 'arch_prctl modify_ldt' },
  arm64: { wide: 'SCMP_ARCH_AARCH64', narrow: 'SCMP_ARCH_ARM', calls: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls' },
};

interface Rule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[];
}

/** `linux.seccomp` of an OCI config, as the default profile is for a process with these capabilities. */
export interface Seccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly Rule[];
}

/**
 * The default filter for a process whose bounding set is `capabilities` (CAP_…). `architecture` is as in process.arch.
 * @param narrow 32-bit programs may run as well; else they are killed at their first call
 */
export function defaultSeccomp(capabilities: readonly string[], narrow: boolean, architecture: string = process.arch): Seccomp {
  const has = new Set(capabilities);
  const own = ARCHITECTURES[architecture];
  // Kernels from 4.8 on check a tracer against the tracee's filter, so ptrace is safe there.
  const allowed = [...ALWAYS, 'process_vm_readv', 'process_vm_writev', 'ptrace', ...(own?.calls.split(' ') ?? [])];
  for (const [capability, calls] of WITH_CAPABILITY) if (has.has(capability)) allowed.push(...calls.split(' '));
  const equal = (value: number): Rule => ({ names: ['personality'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] });
  const socket = (value: number, op: string): Rule => ({ names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value, op }] });
  const rules: Rule[] = [
    { names: [...new Set(allowed)].filter((name) => narrow || own === undefined || !NARROW_ONLY.has(name)), action: 'SCMP_ACT_ALLOW' },
    // All address families but AF_ALG (38) and AF_VSOCK (40), which reach beyond the container.
    socket(38, 'SCMP_CMP_LT'), socket(39, 'SCMP_CMP_EQ'), socket(40, 'SCMP_CMP_GT'),
    ...[0x0, 0x8, 0x20000, 0x20008, 0xffffffff].map(equal),
  ];
  if (!has.has('CAP_SYS_ADMIN')) {
    rules.push({ names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] });
    // clone3's flags lie in memory, where a filter can't look: C libraries fall back to clone on ENOSYS.
    rules.push({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS });
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: own === undefined ? [] : narrow ? [own.wide, own.narrow] : [own.wide],
    syscalls: rules,
  };
}

/** A profile in Docker's own form, which has conditions; or in the OCI form, which has none. */
interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[];
  readonly syscalls?: readonly (Rule & { readonly name?: string; readonly includes?: Condition; readonly excludes?: Condition })[];
}

interface Condition { readonly caps?: readonly string[]; readonly arches?: readonly string[]; readonly minKernel?: string }

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Translates a profile given as JSON (`--security-opt seccomp=FILE`). @throws SyntaxError for what isn't JSON */
export function customSeccomp(json: string, capabilities: readonly string[], kernel: string, architecture: string = process.arch): Record<string, unknown> {
  const profile = JSON.parse(json) as Profile;
  const arch = GO_ARCHITECTURES[architecture] ?? architecture;
  const meets = (condition: Condition | undefined, all: boolean): boolean => {
    if (condition === undefined) return all;
    const tests: boolean[] = [];
    if (condition.arches !== undefined && condition.arches.length > 0) tests.push(condition.arches.includes(arch));
    for (const capability of condition.caps ?? []) tests.push(capabilities.includes(capability));
    if (condition.minKernel) tests.push(compareKernels(kernel, condition.minKernel) >= 0);
    if (tests.length === 0) return all;
    return all ? tests.every(Boolean) : tests.some(Boolean);
  };
  const names = profile.archMap?.find((entry) => entry.architecture === ARCHITECTURES[architecture]?.wide);
  const architectures = profile.architectures ?? (names === undefined ? [] : [names.architecture, ...(names.subArchitectures ?? [])]);
  const syscalls = (profile.syscalls ?? [])
    .filter((rule) => meets(rule.includes, true) && !meets(rule.excludes, false))
    .map((rule) => ({
      names: rule.names ?? (rule.name === undefined ? [] : [rule.name]),
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(rule.args === undefined || rule.args === null ? {} : { args: rule.args }),
    }));
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures,
    syscalls,
  };
}

function compareKernels(a: string, b: string): number {
  const numbers = (text: string): readonly number[] => text.split(/[.-]/).slice(0, 2).map(Number);
  const [majorA = 0, minorA = 0] = numbers(a);
  const [majorB = 0, minorB = 0] = numbers(b);
  return majorA - majorB || minorA - minorB;
}
