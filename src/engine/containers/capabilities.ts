import { LongshoreError } from '../../lib/errors.ts';

/** All capabilities, in their numbers' order (capabilities(7), Linux 6.1). */
export const ALL_CAPABILITIES: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK ' +
  'IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE ' +
  'AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ').map((name) => `CAP_${name}`);

/** What a container's root may do unless told otherwise; the same fourteen as Docker's. */
const DEFAULT: readonly string[] = (
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
).split(' ').map((name) => `CAP_${name}`);

/**
 * The bounding set that follows from --cap-add and --cap-drop: names with or without `CAP_`, in any case; `ALL`.
 * @param available those that we have ourselves, and can hand on
 * @throws `invalid` for a capability that does not exist
 */
export function capabilities(
  options: { readonly privileged: boolean; readonly capAdd: readonly string[]; readonly capDrop: readonly string[] },
  available: readonly string[],
): string[] {
  const within = (names: readonly string[]): string[] => names.filter((name) => available.includes(name));
  if (options.privileged) return within(ALL_CAPABILITIES);
  const add = options.capAdd.map(normalise);
  const drop = options.capDrop.map(normalise);
  const all = within(ALL_CAPABILITIES);
  let base: readonly string[];
  if (add.includes('ALL')) base = drop.includes('ALL') ? [] : all.filter((name) => !drop.includes(name));
  else if (drop.includes('ALL')) base = [];
  else base = DEFAULT.filter((name) => !drop.includes(name));
  return within([...new Set([...base, ...add.filter((name) => name !== 'ALL')])]);
}

function normalise(name: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!ALL_CAPABILITIES.includes(full)) {
    throw new LongshoreError('invalid', `invalid capability: unknown capability: "${full}"`, { object: full });
  }
  return full;
}

/** The names of a set written in hexadecimal, as `CapBnd` of /proc/PID/status. */
export function capabilityNames(hexadecimal: string): string[] {
  const bits = BigInt(`0x${hexadecimal}`);
  return ALL_CAPABILITIES.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n);
}
