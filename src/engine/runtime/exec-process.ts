import type { ExecOptions } from './runtime.ts';

/** All capabilities of Linux 6.1, in their numbers' order. */
const ALL_CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK ' +
  'IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE ' +
  'AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ').map((name) => `CAP_${name}`);

/** The OCI process: the container's own, with what the caller asked for in its place. */
export function processOf(base: Readonly<Record<string, unknown>>, options: ExecOptions): Record<string, unknown> {
  const granted = options.privileged === true ? ALL_CAPABILITIES : options.capabilities;
  // As for the first process: only root gets its capabilities effective, others find them in the bounding set.
  const bounding = granted ?? (base['capabilities'] as { bounding?: readonly string[] } | undefined)?.bounding ?? [];
  const active = options.user.uid === 0 ? bounding : [];
  return {
    terminal: options.terminal,
    ...(options.terminal && options.consoleSize !== undefined ? { consoleSize: { height: options.consoleSize.rows, width: options.consoleSize.columns } } : {}),
    user: { uid: options.user.uid, gid: options.user.gid, additionalGids: [...(options.user.additionalGids ?? [])] },
    args: options.args,
    env: options.env,
    cwd: options.cwd,
    capabilities: { bounding, effective: active, permitted: active },
    noNewPrivileges: base['noNewPrivileges'] ?? false,
    ...(base['rlimits'] === undefined ? {} : { rlimits: base['rlimits'] }),
    ...(base['apparmorProfile'] === undefined ? {} : { apparmorProfile: base['apparmorProfile'] }),
  };
}
